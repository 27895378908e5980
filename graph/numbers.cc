#include "wengert/graph/numbers.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/value_pool.h"

namespace wengert::detail {
namespace {

[[noreturn]] void fail(const Value& number, double real, const char* why, DType dtype,
                       const OpDef& op, std::source_location where) {
  std::string text = format_number(real, 15);
  if (number.dtype == DType::kInt64) {
    std::int64_t integer;
    std::memcpy(&integer, number.scalar, sizeof integer);
    text = std::to_string(integer);
  }
  throw Error(
      {.kind = ErrorKind::kDType,
       .op = std::string(op.name),
       .message = "the number " + text + " " + why + " " + std::string(name_of(dtype)) + " tensor",
       .scope = Scope::path(),
       .file = where.file_name(),
       .line = where.line(),
       .fix = number.dtype == DType::kInt64 ? "cast the tensor first: cast(x, DType::kInt64)"
                                            : "cast the tensor first: cast(x, "
                                              "DType::kFloat32)",
       .users_line = true});
}

}  // namespace

Var number_as(const Value& number, DType dtype, const OpDef& op, std::source_location where) {
  double real;
  std::int64_t integer = 0;
  if (number.dtype == DType::kInt64) {
    std::memcpy(&integer, number.scalar, sizeof integer);
    real = static_cast<double>(integer);
  } else {
    std::memcpy(&real, number.scalar, sizeof real);
  }
  Value* value = take_header(dtype, 0, false);
  Var result = Var::take(value);
  value->counts = Value::kHandle;
  value->flags |= Value::kInline | Value::kLeaf;
  value->data = value->scalar;
  const char* const article = dtype == DType::kInt32 || dtype == DType::kInt64
                                  ? "does not fit into an"
                                  : "does not fit into a";
  dispatch(dtype, [&]<class T>(T) {
    T stored;
    if constexpr (std::is_floating_point_v<T>) {
      stored = number.dtype == DType::kInt64 ? static_cast<T>(integer) : static_cast<T>(real);
    } else {
      if (number.dtype != DType::kInt64) {
        if (std::trunc(real) != real || std::fabs(real) > 9e15) {
          fail(number, real, article, dtype, op, where);
        }
        integer = static_cast<std::int64_t>(real);
      }
      const bool fits =
          std::is_same_v<T, bool>
              ? integer == 0 || integer == 1
              : integer >= static_cast<std::int64_t>(std::numeric_limits<T>::min()) &&
                    integer <= static_cast<std::int64_t>(std::numeric_limits<T>::max());
      if (!fits) fail(number, real, article, dtype, op, where);
      stored = static_cast<T>(integer);
    }
    std::memcpy(value->scalar, &stored, sizeof stored);
  });
  return result;
}

DType dtype_of_numbers(std::span<Value* const> values, const OpDef& op) {
  const Value* partner = nullptr;
  bool fractional = false, numbers_alone = true;
  for (const Value* value : values) {
    if (value->has(Value::kWeak)) {
      fractional |= value->dtype != DType::kInt64;
      continue;
    }
    if (value->is_absent()) continue;
    numbers_alone = false;
    if (partner == nullptr || partner->dtype == DType::kBool) partner = value;
  }
  if (partner != nullptr && (partner->dtype != DType::kBool || op.max_inputs <= 2)) {
    return partner->dtype;
  }
  if (!fractional) return DType::kInt64;
  return numbers_alone ? DType::kFloat64 : DType::kFloat32;
}

Var compute_numbers(const OpDef& op, std::span<Value* const> numbers, const void* attributes,
                    std::source_location where) {
  // Functions of integers that have no integer kernel are taken of reals, as in C++.
  DType dtype = dtype_of_numbers(numbers, op);
  if (op.elementwise->kernels->forward[static_cast<int>(dtype)] == nullptr) dtype = DType::kFloat64;
  const auto kernel = op.elementwise->kernels->forward[static_cast<int>(dtype)];
  if (kernel == nullptr || numbers.size() > 3) return {};
  Var held[3];
  const void* data[3];
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    held[i] = number_as(*numbers[i], dtype, op, where);
    data[i] = held[i].get()->data;
  }
  Var result = dtype == DType::kInt64 ? Var(std::int64_t{0}) : Var(0.0);
  kernel(data, result.get()->data, 1, attributes);
  return result;
}

}  // namespace wengert::detail
