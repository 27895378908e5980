#include <map>
#include <string>

#include "wengert/ops/testing.h"

namespace wengert::testing {

#define UNARY(name) OpTests name##_tests();
#define BINARY(name) OpTests name##_tests();
#define OP(name, result, parameters) OpTests name##_tests();
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP

namespace {

/// Samples are told apart by name: later ones of a name get a number.
void name_apart(OpTests& tests) {
  std::map<std::string, int> seen;
  for (Sample& sample : tests.samples) {
    const int before = seen[sample.name]++;
    if (before > 0) sample.name += " #" + std::to_string(before + 1);
  }
}

}  // namespace

bool is_in_table(std::string_view op) {
#define UNARY(name) \
  if (op == #name) return true;
#define BINARY(name) \
  if (op == #name) return true;
#define OP(name, result, parameters) \
  if (op == #name) return true;
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
  return false;
}

std::vector<OpTests> all_op_tests() {
  std::vector<OpTests> all;
  const auto add = [&](const char* name, OpTests tests) {
    tests.op = name;
    name_apart(tests);
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
