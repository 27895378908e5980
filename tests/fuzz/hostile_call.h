#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/graph/var.h"
#include "wengert/tests/fuzz/target.h"

namespace wengert::fuzz {

/// Operands and attributes that bytes ask for: sizes of 0, of one and beyond all memory, every
/// dtype and layout, numbers at the ends of their ranges, words that are none.
class HostileCall {
 public:
  HostileCall(const OpDef& op, Input& input);
  std::vector<const Var*> operands() const;
  const void* attributes() const { return op_.attributes == nullptr ? nullptr : memory_.data(); }
  /// Elements of all operands together, 2⁶² at most.
  std::int64_t elements() const;

 private:
  class Writer;
  static Var operand(Input& input);

  const OpDef& op_;
  std::vector<Var> operands_;
  std::vector<std::max_align_t> memory_;
  // What attributes point to.
  std::deque<std::string> texts_;
  std::deque<std::vector<std::int64_t>> lists_;
};

}  // namespace wengert::fuzz
