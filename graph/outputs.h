#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <span>
#include <utility>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/value.h"
#include "wengert/graph/var.h"

// The outputs of a call: inferred, made and computed. Private to the library.
namespace wengert::detail {

/// The outputs of one call; usual ones stay off the heap.
class Results {
 public:
  std::size_t size() const { return count_; }
  /// How many of them the caller does not see; what a composite gives are its parts' results.
  std::size_t hidden(const OpDef& op) const { return op.is_composite() ? 0 : op.hidden_outputs; }
  Var& operator[](std::size_t k) { return many_.empty() ? few_[k] : many_[k]; }
  std::span<Value* const> raw() const {
    return {many_.empty() ? few_raw_ : many_raw_.data(), count_};
  }
  /// The attributes that the call is recorded with, of which `given` is one spelling.
  const void* attributes(const void* given) const { return is_canonical_ ? canonical_ : given; }
  /// Keeps what infer has made of the attributes.
  void keep_attributes(const InferContext& inferred);
  /// Makes what `inferred` states.
  void make(const InferContext& inferred, std::span<Value* const> inputs);
  void take(Var result) {
    few_raw_[0] = result.get();
    few_[0] = std::move(result);
    count_ = 1;
  }

 private:
  static constexpr std::size_t kFew = 3;
  std::size_t count_ = 0;
  Var few_[kFew];
  Value* few_raw_[kFew];
  std::vector<Var> many_;
  std::vector<Value*> many_raw_;
  bool is_canonical_ = false;
  alignas(std::max_align_t) std::byte canonical_[InferContext::kAttributeBytes];
};

/// Up to so many elements an elementwise call skips the driver.
inline constexpr std::int64_t kFewElements = 4096;

/// Elementwise on few elements of operands of one dtype and shape that lie without gaps in one
/// order of axes, not row-major. Null for others.
Value* compute_permuted(const ElementwiseOp& op, std::span<Value* const> in,
                        const void* attributes);

/// A result, and what infer made of the attributes, on the tape; null where it left them alone.
struct Computed {
  Value* value;
  void* attributes;
};
/// An op with one output, visible. Kept out of the quick path, whose frame would grow by the
/// contexts'. Null where inputs must be copied first.
Computed compute_one(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                     std::source_location where, Tape& tape);

/// Infers and computes `wanted` visible outputs (−1: however many); gives the inputs that must be
/// copied first, and then did nothing, as where the call is made of other ops.
std::uint32_t compute(const OpDef& op, std::span<Value* const> inputs, const void* attributes,
                      std::source_location where, int wanted, Results& results);

}  // namespace wengert::detail
