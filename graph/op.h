#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/elementwise_kernels.h"
#include "wengert/graph/error.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/tensor_view.h"
#include "wengert/graph/var.h"

namespace wengert {

class Tape;

// ---------------------------------------------------------------------------- attributes

/// Reads an op's attributes by name: for labels, JSON, hashing.
class WENGERT_API AttributeVisitor {
 public:
  virtual ~AttributeVisitor() = default;
  virtual void operator()(const char* name, std::int64_t value) = 0;
  virtual void operator()(const char* name, double value) = 0;
  virtual void operator()(const char* name, bool value) = 0;
  virtual void operator()(const char* name, std::string_view value) = 0;
  virtual void operator()(const char* name, std::span<const std::int64_t> value) = 0;
  void operator()(const char* name, const Dims& value) { (*this)(name, value.span()); }
  void operator()(const char* name, DType value) { (*this)(name, name_of(value)); }
  void operator()(const char* name, int value) { (*this)(name, std::int64_t{value}); }
  /// An enum by the word that name_of gives for it.
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E value) { (*this)(name, std::string_view(name_of(value))); }
};

/// Writes an op's attributes by name; see Attributes.
class WENGERT_API AttributeWriter {
 public:
  virtual ~AttributeWriter() = default;
  virtual void operator()(const char* name, std::int64_t& value) = 0;
  virtual void operator()(const char* name, double& value) = 0;
  virtual void operator()(const char* name, bool& value) = 0;
  virtual void operator()(const char* name, std::string_view& value) = 0;
  virtual void operator()(const char* name, std::span<const std::int64_t>& value) = 0;
  virtual void operator()(const char* name, Dims& value) = 0;
  virtual void operator()(const char* name, DType& value) = 0;
  void operator()(const char* name, int& value) {
    std::int64_t wide = value;
    (*this)(name, wide);
    value = narrow(name, wide);
  }
  /// An enum by the word that name_of gives for it.
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E& value) {
    const auto word = [](int i) { return name_of(static_cast<E>(i)); };
    int chosen = static_cast<int>(value);
    choose(name, word, chosen);
    value = static_cast<E>(chosen);
  }

 protected:
  virtual void choose(const char* name, std::string_view (*word)(int), int& value) = 0;
  virtual int narrow(const char* name, std::int64_t value) = 0;
};

/// Memory that lives as long as the tape: attributes and long input lists lie there.
class WENGERT_API Arena {
 public:
  virtual void* allocate(std::size_t bytes) = 0;

 protected:
  ~Arena() = default;
};

/// How the engine handles an op's attribute struct without knowing it. The struct is trivially
/// copyable and has `template <class Self, class V> static void visit(Self& self, V&& v)` that
/// calls v("name", self.member) for each member: int, int64_t, double, bool, DType, Dims,
/// std::string_view, std::span<const int64_t>, or an enum with a name_of.
struct AttributeType {
  std::size_t size;
  void (*visit)(const void* attributes, AttributeVisitor& visitor);
  void (*relocate)(void* attributes, Arena& arena);
  void (*write)(void* attributes, AttributeWriter& writer);
  void (*construct)(void* attributes);  ///< every member at its default, or 0
};

namespace detail {
struct Relocator {
  Arena& arena;
  template <class T>
  void operator()(const char*, T&) const {}
  WENGERT_API void operator()(const char*, std::string_view& text) const;
  WENGERT_API void operator()(const char*, std::span<const std::int64_t>& list) const;
};
}  // namespace detail

template <class A>
inline constexpr AttributeType attribute_type = {
    sizeof(A),
    [](const void* attributes, AttributeVisitor& visitor) {
      A::visit(*static_cast<const A*>(attributes), visitor);
    },
    [](void* attributes, Arena& arena) {
      static_assert(std::is_trivially_copyable_v<A>, "attributes are copied as bytes");
      A::visit(*static_cast<A*>(attributes), detail::Relocator{arena});
    },
    [](void* attributes, AttributeWriter& writer) {
      A::visit(*static_cast<A*>(attributes), writer);
    },
    [](void* attributes) { new (attributes) A{}; }};

/// Attributes whose members begin as the call's default arguments: see OpDef::default_attributes.
template <class A>
inline constexpr A default_attributes_of = {};

// ---------------------------------------------------------------------------- contexts

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
  /// Fails with kDType unless inputs first…last have one dtype, naming cast.
  void require_same_dtype(int first, int last) const {
    for (int i = first + 1; i <= last; ++i) {
      if (dtype(i) != dtype(first)) [[unlikely]]
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

  /// The next output: dense memory of its own.
  void output(DType dtype, std::span<const std::int64_t> shape) {
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
  std::vector<Output> all_;  ///< all of them, from kFew + 1 on
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

  const OpDef* op_;
  const void* attributes_;
  int input_count_;
  std::uint8_t needed_ = 0;    ///< bit i: needs(i)
  std::uint8_t readable_ = 0;  ///< bit i: kept for backward and not written since
  detail::Value* few_[kFew];
  detail::Value* cotangent_ = nullptr;  ///< of output 0; null where none flows
};

// ---------------------------------------------------------------------------- the record

/// Which values a derivative reads, so that exactly these are kept: bits 0…22 inputs, 24…29 single
/// outputs, and
inline constexpr std::uint32_t kReadsNothing = 0;
inline constexpr std::uint32_t kReadsOutputs = 1u << 30;    ///< all outputs
inline constexpr std::uint32_t kReadsAllInputs = 1u << 31;  ///< however many
constexpr std::uint32_t reads_input(int i) { return 1u << i; }
constexpr std::uint32_t reads_output(int k) { return 1u << (24 + k); }

/// Where an operand of a kernel may lie in memory.
enum class Layout : std::uint8_t {
  kAny,     ///< any strides
  kPacked,  ///< without gaps, its axes in any order
  kDense,   ///< row-major without gaps
  kMatrix,  ///< rows or columns of the last two axes without gaps, as GEMM reads them
};

/// Estimated work of one call.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// What people read about an op; a test holds that none is empty.
struct Documentation {
  std::string_view summary = {};    ///< one sentence
  std::string_view formula = {};    ///< y = …
  std::string_view arguments = {};  ///< "x: any floating tensor; axes: …"
  std::string_view gradient = {};   ///< formula and the convention at special points, or why none
  std::string_view source = {};     ///< paper, section, standard
};

/// Fan-in and fan-out that an op gives a weight argument, for initializers.
struct Fans {
  std::int64_t fan_in = 0;
  std::int64_t fan_out = 0;
};

/// An op: everything the engine, the tests, the drawings and the reference page know about it.
struct OpDef {
  std::string_view name;
  Documentation doc;
  int min_inputs = 1;
  int max_inputs = 1;                ///< −1: any number
  std::uint32_t differentiable = 0;  ///< bit i: input i may need a gradient; all ones: every input
  /// reads[i]: what the derivative for input i reads; inputs beyond the array use its last entry.
  std::array<std::uint32_t, 4> reads{};
  /// layouts[i]: where input i may lie; inputs beyond the array use its last entry. What lies
  /// otherwise becomes a visible `contiguous` node before infer sees it.
  std::array<Layout, 4> layouts{};
  /// Bit k: output k lies in the order of the first operand of its shape that has no gaps, and
  /// evaluate writes it so; others are row-major.
  std::uint32_t keeps_order = 0;
  /// `backward` writes the gradient of an input that has no gaps in that input's order; others are
  /// row-major.
  bool gradients_keep_order = false;
  /// How many of the last outputs only the derivative sees (statistics, masks, workspaces): they
  /// are recorded after the others and not handed to the caller.
  std::uint8_t hidden_outputs = 0;
  /// Bit k: no gradient flows through output k although it is floating (a mask, a draw).
  std::uint32_t discrete_outputs = 0;
  void (*infer)(InferContext&) = nullptr;
  void (*evaluate)(EvalContext&) = nullptr;      ///< null for ops that only make views
  void (*vjp)(VjpContext&) = nullptr;            ///< null: not differentiable
  void (*backward)(BackwardContext&) = nullptr;  ///< optional fused form of vjp
  const AttributeType* attributes = nullptr;
  const void* default_attributes = nullptr;  ///< what a call without attributes means; null: none
  /// Fails on attributes outside their domain; for elementwise ops, whose quick way has no infer.
  void (*check)(const OpCall&) = nullptr;
  const ElementwiseOp* elementwise = nullptr;
  /// The elementwise op that this one is on operands of one element and one rank, of two at least:
  /// they then take its quick ways (an elementwise op names itself, for any rank). `reads`,
  /// `differentiable` and attributes are this record's; it has kernels for the dtypes that `infer`
  /// accepts and no others, `backward_one` among them.
  const ElementwiseOp* single_element = nullptr;
  Cost (*cost)(const OpCall&) = nullptr;  ///< null: one FLOP an output element
  Fans (*fans)(const OpCall&, int input) = nullptr;
  bool structural = false;  ///< leaves of a graph: constant, variable, …
  /// For inference it gives its input 0 as it is (dropout and its kin): a copy for inference does
  /// without it.
  bool identity_for_inference = false;
  /// Its attributes point to what the tape owns (Tape::own): a call cannot leave the tape.
  bool bound_to_tape = false;
  /// What the call is made of, where it is made of other ops: these are what is recorded, in a
  /// scope of this op's name, and there is no evaluate or vjp here. An op that is so for some
  /// operands only says which in `infer` (want_expansion); others have none.
  Var (*expand)(const ExpandContext&) = nullptr;

  bool is_differentiable(int i) const { return (differentiable >> (i < 31 ? i : 31) & 1u) != 0; }
  std::uint32_t reads_for(int i) const { return reads[i < 3 ? i : 3]; }
  Layout layout_for(int i) const { return layouts[static_cast<std::size_t>(i < 3 ? i : 3)]; }
  bool is_composite() const { return expand != nullptr && infer == nullptr; }
};

inline constexpr std::uint32_t kAllInputs = 0xffffffffu;

// ---------------------------------------------------------------------------- calling

/// An op's attributes, written by name: what importers and tools call ops with.
///
///     Attributes a(*find_op("sum"));
///     a.set("axes", {0}).set("keepdims", true);
///     Var y = apply(op, inputs, a.get());
class WENGERT_API Attributes {
 public:
  /// The op's default attributes, or every member 0 where it has none.
  explicit Attributes(const OpDef& op,
                      std::source_location where = std::source_location::current());
  ~Attributes();
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  /// Throws Error(kValue) on an unknown name, naming the closest, or a value of another kind. An
  /// enum and a dtype are set by their word, a number by one that it can hold.
  Attributes& set(std::string_view name, std::int64_t value);
  Attributes& set(std::string_view name, int value) { return set(name, std::int64_t{value}); }
  Attributes& set(std::string_view name, double value);
  Attributes& set(std::string_view name, bool value);
  Attributes& set(std::string_view name, std::string_view value);
  Attributes& set(std::string_view name, const char* value) {
    return set(name, std::string_view(value));
  }
  Attributes& set(std::string_view name, std::span<const std::int64_t> value);
  Attributes& set(std::string_view name, std::initializer_list<std::int64_t> value) {
    return set(name, std::span<const std::int64_t>(value.begin(), value.size()));
  }
  /// The struct, valid as long as this; null for an op that has none.
  const void* get() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

/// Computes an op and, where a tape is live, records it. Checks arity, tapes and dtypes of numbers,
/// copies operands that lie otherwise than the record takes them; shapes and dtypes are the op's
/// own business. `attributes` is the op's struct, or null for its defaults. The op has one output
/// beside hidden ones.
WENGERT_API Var apply(const OpDef& op, std::span<const Var* const> inputs,
                      const void* attributes = nullptr,
                      std::source_location where = std::source_location::current());
/// The same for an op with several outputs.
WENGERT_API std::vector<Var> apply_multiple(
    const OpDef& op, std::span<const Var* const> inputs, const void* attributes = nullptr,
    std::source_location where = std::source_location::current());
/// The same for an op with as many outputs as there is room for in `outputs`, without a list.
WENGERT_API void apply_into(std::span<Var> outputs, const OpDef& op,
                            std::span<const Var* const> inputs, const void* attributes = nullptr,
                            std::source_location where = std::source_location::current());
/// The same with hidden outputs too: for what runs recorded calls again.
WENGERT_API std::vector<Var> apply_all(const OpDef& op, std::span<const Var* const> inputs,
                                       const void* attributes, std::source_location where);

/// The same for one and two inputs without attributes; the quickest way in.
WENGERT_API Var apply(const OpDef& op, const Var& x, std::source_location where);
WENGERT_API Var apply(const OpDef& op, const Var& a, const Var& b, std::source_location where);
template <class A>
requires(std::is_trivially_copyable_v<A> && !std::is_pointer_v<A>) Var
    apply(const OpDef& op, std::initializer_list<const Var*> inputs, const A& attributes,
          std::source_location where) {
  return apply(op, std::span(inputs.begin(), inputs.size()), &attributes, where);
}

/// What a call would produce, without computing it. Throws what the op's infer throws.
WENGERT_API std::vector<InferContext::Output> infer(const OpDef& op,
                                                    std::span<const Var* const> inputs,
                                                    const void* attributes,
                                                    std::source_location where);

/// The fans that `op` gives its input `input` on operands of these shapes, without evaluating
/// anything: how initializers know them before the first call. Throws Error(kValue) when the op
/// states none.
WENGERT_API Fans fans_of(const OpDef& op, DType dtype, std::span<const Shape> shapes, int input,
                         const void* attributes = nullptr,
                         std::source_location where = std::source_location::current());

// ---------------------------------------------------------------------------- registry

/// Adds an op of a program's own to the table, for the rest of the process: it is then listed,
/// tested, gradchecked and drawn like every other. Throws Error(kValue) on a taken name or an
/// incomplete record. `op` must outlive all use.
WENGERT_API void register_op(const OpDef& op,
                             std::source_location where = std::source_location::current());
/// The op of that name, or null.
WENGERT_API const OpDef* find_op(std::string_view name);
/// All ops in the order of the table, user ops last.
WENGERT_API std::vector<const OpDef*> registered_ops();

}  // namespace wengert
