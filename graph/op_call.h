#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/error.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/tensor_view.h"
#include "wengert/graph/value.h"
#include "wengert/graph/var.h"

// A call as the functions of an op's record see it: what they may read and where they put results.
namespace wengert {

struct OpDef;

namespace detail {
inline TensorView view_of(Value* v) {
  return {v->dtype, v->rank, v->sizes(), v->strides(), v->data};
}
}  // namespace detail

/// What an op call looks like from inside: inputs' metadata, attributes, and the way to fail.
class WENGERT_API OpCall {
 public:
  OpCall(const OpDef& op, std::span<detail::Value* const> inputs, const void* attributes,
         std::source_location where)
      : op_(&op), inputs_(inputs), attributes_(attributes), where_(where) {}

  int input_count() const { return static_cast<int>(inputs_.size()); }
  /// Whether input i was given: of one that the record calls optional.
  bool has(int i) const { return i < input_count() && !inputs_[i]->is_absent(); }
  DType dtype(int i) const { return inputs_[i]->dtype; }
  int rank(int i) const { return inputs_[i]->rank; }
  Shape shape(int i) const {
    return Shape(std::span<const std::int64_t>(inputs_[i]->sizes(), inputs_[i]->rank));
  }
  std::int64_t size(int i, int axis) const { return inputs_[i]->sizes()[axis]; }
  TensorView input(int i) const { return detail::view_of(inputs_[i]); }
  template <class A>
  const A& attributes() const {
    return *static_cast<const A*>(attributes_);
  }
  const void* raw_attributes() const { return attributes_; }
  const OpDef& op() const { return *op_; }
  std::source_location where() const { return where_; }

  /// "f32[2,3]" of input i.
  std::string describe(int i) const { return to_string(dtype(i), shape(i)); }

  /// Throws an Error that carries the op's name, the scope and the user's line.
  [[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix = {}) const;

  /// `axis` from [−rank, rank) to [0, rank); otherwise fails with ErrorKind::kAxis.
  int resolve_axis(std::int64_t axis, int rank) const;
  /// Fails with kDType unless inputs first…last, as far as given, have the dtype of the first,
  /// naming cast.
  void require_same_dtype(int first, int last) const {
    for (int i = first + 1; i <= last; ++i) {
      if (has(i) && dtype(i) != dtype(first)) [[unlikely]]
        fail_mixed_dtypes(first, i);
    }
  }
  void require_floating(int i) const {
    if (!is_floating(dtype(i))) [[unlikely]]
      fail_not_floating(i);
  }

 protected:
  [[noreturn]] void fail_mixed_dtypes(int i, int k) const;
  [[noreturn]] void fail_not_floating(int i) const;
  const OpDef* op_;
  std::span<detail::Value* const> inputs_;
  const void* attributes_;
  std::source_location where_;
};

/// Where an op says what it will produce, or why it cannot. No element is read here.
class WENGERT_API InferContext : public OpCall {
 public:
  struct Output {
    DType dtype;
    int viewed_input = -1;    ///< ≥ 0: shares that input's memory
    std::int64_t offset = 0;  ///< in elements, from the viewed input's first element
    Shape shape;
    Strides strides;  ///< of a view
  };
  using OpCall::OpCall;

  /// The attributes, to be put into the form that all spellings of one call share: axes counted
  /// from the front and in order. What infer leaves here is what evaluate, the derivatives and the
  /// record are told. What depends on sizes (an end counted from the back, a size to be worked out)
  /// stays as it is said, so that the record means the same on other sizes.
  template <class A>
  A& canonical() {
    static_assert(sizeof(A) <= kAttributeBytes && alignof(A) <= alignof(std::max_align_t));
    if (!is_canonical()) {
      std::memcpy(room_, attributes_, sizeof(A));
      attributes_ = room_;
    }
    return *std::launder(reinterpret_cast<A*>(room_));
  }
  bool is_canonical() const { return attributes_ == room_; }
  static constexpr std::size_t kAttributeBytes = 512;
  /// The member of the attributes A that names an axis, counted from the front from now on.
  template <class A>
  int canonical_axis(std::int64_t A::*axis, int rank) {
    return static_cast<int>(canonical<A>().*axis = resolve_axis(attributes<A>().*axis, rank));
  }

  /// The next output: dense memory of its own.
  void output(DType dtype, std::span<const std::int64_t> shape) {
    if (static_cast<int>(dtype) >= kDTypeCount) [[unlikely]]
      fail(ErrorKind::kDType, "no such dtype");
    Output& made = next();
    made.dtype = dtype;
    made.viewed_input = -1;
    made.shape.assign(shape);
  }
  void output(DType dtype, std::initializer_list<std::int64_t> shape) {
    output(dtype, std::span<const std::int64_t>(shape.begin(), shape.size()));
  }
  /// The next output shares input `i`'s memory under other sizes and strides, whose elements lie
  /// inside that memory; else the call fails with kInternal.
  void output_view(int i, const Shape& shape, const Strides& strides, std::int64_t offset = 0);
  Strides strides(int i) const;
  /// Asks for a dense copy of input `i`: the call starts anew with a visible `contiguous` node in
  /// its place. For ops that find out here; others say so in `layouts`.
  void want_dense(int i) { wants_dense_ |= 1u << i; }
  std::uint32_t wants_dense() const { return wants_dense_; }
  /// Says that this call is made of other ops: the record's `expand` takes it from here.
  void want_expansion() { wants_expansion_ = true; }
  bool wants_expansion() const { return wants_expansion_; }

  std::span<const Output> outputs() const { return {count_ <= kFew ? few() : all_.data(), count_}; }

 private:
  static constexpr std::size_t kFew = 3;  ///< outputs that stay off the heap
  Output& next() {
    if (count_ < kFew) return *new (few_ + sizeof(Output) * count_++) Output;
    return next_of_many();
  }
  const Output* few() const { return std::launder(reinterpret_cast<const Output*>(few_)); }
  Output& next_of_many();
  std::size_t count_ = 0;
  std::uint32_t wants_dense_ = 0;
  bool wants_expansion_ = false;
  alignas(Output) std::byte few_[kFew * sizeof(Output)];
  std::vector<Output> all_;                                    ///< all of them, from kFew + 1 on
  alignas(std::max_align_t) std::byte room_[kAttributeBytes];  ///< canonical attributes, if any
};

/// Where an op computes: reads inputs, fills outputs (uninitialized, without gaps, row-major unless
/// the record's keeps_order says otherwise).
class WENGERT_API EvalContext : public OpCall {
 public:
  EvalContext(const OpDef& op, std::span<detail::Value* const> inputs, const void* attributes,
              std::source_location where, std::span<detail::Value* const> outputs)
      : OpCall(op, inputs, attributes, where), outputs_(outputs) {}
  int output_count() const { return static_cast<int>(outputs_.size()); }
  TensorView output(int k = 0) const { return detail::view_of(outputs_[k]); }

 private:
  std::span<detail::Value* const> outputs_;
};

/// Where a composite says what it is made of: the operands as Vars.
class WENGERT_API ExpandContext : public OpCall {
 public:
  ExpandContext(const OpDef& op, std::span<detail::Value* const> inputs, const void* attributes,
                std::source_location where, std::span<const Var* const> operands)
      : OpCall(op, inputs, attributes, where), operands_(operands) {}
  const Var& operand(int i) const { return *operands_[static_cast<std::size_t>(i)]; }
  std::span<const Var* const> operands() const { return operands_; }

 private:
  std::span<const Var* const> operands_;
};

/// Where an op states its derivative in terms of ops: for each input i with needs(i), exactly one
/// set(i, g) with g of the input's shape or of one that broadcasts to it, or of the broadcast
/// output's shape (the engine sums), or none where the gradient is zero. Values named in the
/// record's `reads` may be used. What does not fit ends the pass with Error(kInternal) that names
/// the record.
class WENGERT_API VjpContext {
 public:
  virtual ~VjpContext() = default;
  virtual int input_count() const = 0;
  /// Whether input i was given: of one that the record calls optional.
  virtual bool has(int i) const = 0;
  virtual Var input(int i) const = 0;
  virtual Var output(int k = 0) const = 0;
  /// Gradient of the final scalar with respect to output k; an empty Var when none flows there.
  virtual Var cotangent(int k = 0) const = 0;
  virtual bool needs(int i) const = 0;
  virtual void set(int i, Var gradient) = 0;
  /// Takes what the later uses of input i have sent so far; an empty Var when nothing. It is then
  /// the rule's to put into set(i): for rules that go on adding where those left off.
  virtual Var take_pending(int i) = 0;
  /// Whether input i is a leaf that takes gradients of a few rows: an unrecorded backward towards
  /// all leaves is under way. A rule for which all but a few rows are zero then says add_rows in
  /// place of set.
  virtual bool takes_rows(int i) const = 0;
  /// Adds `rows` [k, …] to the gradient of input i at positions `indices` along its axis 0, int32
  /// or int64 [k], negative ones from the back. As often as wanted; positions may repeat.
  virtual void add_rows(int i, const Var& indices, const Var& rows) = 0;
  virtual Shape shape(int i) const = 0;
  virtual Shape output_shape(int k = 0) const = 0;
  virtual DType dtype(int i) const = 0;
  virtual const void* raw_attributes() const = 0;
  template <class A>
  const A& attributes() const {
    return *static_cast<const A*>(raw_attributes());
  }
};

/// Where an op computes its derivative fused and unrecorded. Same contract as VjpContext, on
/// memory: gradient(i) gives a dense destination of the input's shape to overwrite, or to add to
/// when `accumulate` says so; row-major unless the record's gradients_keep_order says otherwise.
class WENGERT_API BackwardContext {
 public:
  struct Destination {
    TensorView view;
    bool accumulate;
  };
  virtual ~BackwardContext() = default;
  const OpDef& op() const { return *op_; }
  int input_count() const { return input_count_; }
  /// Whether input i was given: of one that the record calls optional.
  bool has(int i) const {
    return is_few(i) ? i < input_count_ && !few_[i]->is_absent() : further_has(i);
  }
  TensorView input(int i) const {
    return is_few(i) && (readable_ >> i & 1) != 0 ? detail::view_of(few_[i]) : further_input(i);
  }
  virtual TensorView output(int k = 0) const = 0;
  TensorView cotangent(int k = 0) const {
    return k == 0 && cotangent_ != nullptr ? detail::view_of(cotangent_) : further_cotangent(k);
  }
  bool needs(int i) const { return is_few(i) ? (needed_ >> i & 1) != 0 : further_needs(i); }
  Destination gradient(int i) {
    bool accumulate = false;
    detail::Value* value = destination(i, accumulate);
    return {detail::view_of(value), accumulate};
  }
  const void* raw_attributes() const { return attributes_; }
  template <class A>
  const A& attributes() const {
    return *static_cast<const A*>(attributes_);
  }

 protected:
  static constexpr int kFew = 3;
  static bool is_few(int i) { return static_cast<unsigned>(i) < static_cast<unsigned>(kFew); }
  BackwardContext(const OpDef& op, int input_count, const void* attributes)
      : op_(&op), attributes_(attributes), input_count_(input_count) {}
  /// Where gradient(i) goes. Views are made where they are used: a view that was just written and
  /// is copied waits for its parts.
  virtual detail::Value* destination(int i, bool& accumulate) = 0;
  /// The same for inputs from kFew on and for what may not be read, which fails.
  virtual TensorView further_input(int i) const = 0;
  virtual TensorView further_cotangent(int k) const = 0;
  virtual bool further_needs(int i) const = 0;
  virtual bool further_has(int i) const = 0;

  const OpDef* op_;
  const void* attributes_;
  int input_count_;
  std::uint8_t needed_ = 0;    ///< bit i: needs(i)
  std::uint8_t readable_ = 0;  ///< bit i: kept for backward and not written since
  detail::Value* few_[kFew];
  detail::Value* cotangent_ = nullptr;  ///< of output 0; null where none flows
};

}  // namespace wengert
