#include "wengert/ops/testing.h"

namespace wengert::testing {

#define UNARY(name) OpTests name##_tests();
#define BINARY(name) OpTests name##_tests();
#define OP(name, result, parameters) OpTests name##_tests();
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP

std::vector<OpTests> all_op_tests() {
  std::vector<OpTests> all;
  const auto add = [&](const char* name, OpTests tests) {
    tests.op = name;
    all.push_back(std::move(tests));
  };
#define UNARY(name) add(#name, name##_tests());
#define BINARY(name) add(#name, name##_tests());
#define OP(name, result, parameters) add(#name, name##_tests());
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
  return all;
}

}  // namespace wengert::testing
