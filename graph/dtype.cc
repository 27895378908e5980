#include "wengert/graph/dtype.h"

namespace wengert {

std::string_view short_name(DType dtype) {
  constexpr std::string_view kNames[kDTypeCount] = {"f32", "f64", "i32", "i64", "u8", "bool"};
  return static_cast<int>(dtype) < kDTypeCount ? kNames[static_cast<int>(dtype)] : "unknown";
}

std::string_view name_of(DType dtype) {
  constexpr std::string_view kNames[kDTypeCount] = {"float32", "float64", "int32",
                                                    "int64",   "uint8",   "bool"};
  return static_cast<int>(dtype) < kDTypeCount ? kNames[static_cast<int>(dtype)] : "unknown";
}

}  // namespace wengert
