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

constexpr TestedOp kTable[] = {
#define UNARY(name) {#name, &name##_tests},
#define BINARY(name) {#name, &name##_tests},
#define OP(name, result, parameters) {#name, &name##_tests},
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

}  // namespace

OpTests TestedOp::tests() const {
  OpTests tests = stated();
  tests.op = name;
  name_apart(tests);
  return tests;
}

std::span<const TestedOp> tested_ops() { return kTable; }

bool is_in_table(std::string_view op) {
  for (const TestedOp& entry : kTable) {
    if (op == entry.name) return true;
  }
  return false;
}

}  // namespace wengert::testing
