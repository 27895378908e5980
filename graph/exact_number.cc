#include "wengert/graph/exact_number.h"

#include "wengert/graph/text.h"

namespace wengert {

bool ExactNumber::is_held_by(DType dtype) const {
  return dispatch(dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      return true;
    } else if constexpr (std::is_same_v<T, bool>) {
      return !is_beyond_reals() && (nearest_ == 0 || nearest_ == 1);
    } else {
      if (!is_integer()) return false;
      const std::int64_t number = integer();
      return number >= static_cast<std::int64_t>(std::numeric_limits<T>::min()) &&
             number <= static_cast<std::int64_t>(std::numeric_limits<T>::max());
    }
  });
}

std::string ExactNumber::str() const {
  return is_integer() ? std::to_string(integer()) : format_number(nearest_);
}

}  // namespace wengert
