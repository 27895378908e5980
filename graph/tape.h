#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/mode.h"
#include "wengert/graph/op.h"
#include "wengert/graph/var.h"

namespace wengert {

class Buffer;
class BufferUpdates;
class Parameter;
class Tape;

/// Watches what a tape records and gives back; see Tape::observe. Either may end first: an observer
/// that is destroyed looks on no more.
class WENGERT_API TapeObserver {
 public:
  TapeObserver() = default;
  virtual ~TapeObserver();
  TapeObserver(const TapeObserver&) = delete;
  TapeObserver& operator=(const TapeObserver&) = delete;
  /// Output `id` was computed and recorded.
  virtual void on_record(const Tape& tape, std::uint32_t id) { (void)tape, (void)id; }
  /// The memory of output `id`, more than 8 bytes, is given back. Must not throw.
  virtual void on_release(const Tape& tape, std::uint32_t id) { (void)tape, (void)id; }

 private:
  friend class Tape;
  Tape* tape_ = nullptr;  ///< that it looks on at
};

namespace detail {

/// One entry of the tape. An op with k outputs takes k consecutive entries; those after the first
/// have output > 0 and no inputs of their own.
struct Node {
  const OpDef* op;
  std::source_location where;
  void* attributes;
  Value* value;
  std::uint32_t scope : 24;
  std::uint32_t saved : 8;  ///< what backward still holds: see below
  std::uint16_t input_count;
  std::uint16_t output;
  union {
    std::uint32_t few_inputs[4];
    std::uint32_t* many_inputs;
  };
  const std::uint32_t* inputs() const { return input_count <= 4 ? few_inputs : many_inputs; }
  /// Which inputs backward still holds: bit i, and bit 31 for all from 31 on.
  std::uint32_t saved_inputs() const;
};
static_assert(sizeof(Node) == 56);

// Node::saved. Of the inputs only the first four have their bits in the node; a longer list has a
// word before it with the bits of all. Every output has its own.
inline constexpr std::uint8_t kSavedFewInputs = 0x0f;
inline constexpr std::uint8_t kSavedManyInputs = 1u << 6;
inline constexpr std::uint8_t kSavedOutput = 1u << 7;

inline std::uint32_t Node::saved_inputs() const {
  return (saved & kSavedManyInputs) != 0 ? many_inputs[-1] : saved & kSavedFewInputs;
}

/// A set of an op's inputs or outputs as Node::saved_inputs has it.
constexpr bool in_set(std::uint32_t set, int i) { return (set >> (i < 31 ? i : 31) & 1u) != 0; }

/// What a node keeps for backward.
struct Saves {
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
};
/// Of OpDef::reads, all inputs that want a gradient together.
constexpr Saves saves_of(std::uint32_t reads) {
  return {(reads & kReadsAllInputs) != 0 ? ~0u : reads & 0x7fffffu,
          (reads & kReadsOutputs) != 0 ? ~0u : reads >> 24 & 0x3fu};
}

struct TapeMemory;
struct ThreadState;
struct QuickPath;

}  // namespace detail

/// The record of what was computed while it is alive: a flat array in creation order. It is a
/// scope: the innermost live tape of a thread records that thread's ops, and leaving it frees
/// everything at once. Tapes nest; each records only what is computed from its own values, also one
/// that is opened inside a NoGrad. What ops compute is the same with a tape and without.
class WENGERT_API Tape {
 public:
  /// In the mode of the enclosing tape, or else for training.
  [[nodiscard]] Tape();
  /// The outermost tape fixes the mode of its thread. Throws Error(kGraph) under a tape of another.
  [[nodiscard]] explicit Tape(Mode mode,
                              std::source_location where = std::source_location::current());
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The innermost live tape of this thread, or null.
  static Tape* current();

  /// Number of nodes; outputs beyond an op's first count as nodes.
  std::uint32_t size() const { return size_; }
  std::uint32_t serial() const { return serial_; }
  Mode mode() const { return mode_; }
  const detail::Node& node(std::uint32_t id) const {
    return chunks_[id >> kChunkBits][id & (kChunkNodes - 1)];
  }
  detail::Node& node(std::uint32_t id) { return chunks_[id >> kChunkBits][id & (kChunkNodes - 1)]; }

  /// The node's value as a Var; throws Error(kGraph) when its data was given back.
  Var var(std::uint32_t id, std::source_location where = std::source_location::current()) const;
  /// Whether the node's data is still there.
  bool has_value(std::uint32_t id) const;
  std::span<const std::uint32_t> inputs(std::uint32_t id) const;
  DType dtype(std::uint32_t id) const { return node(id).value->dtype; }
  Shape shape(std::uint32_t id) const;
  /// "encoder/fc1", empty at the top and on other threads than the tape's.
  std::string scope(std::uint32_t id) const;

  /// Gives a value a name of the user's: for hooks, pictures and messages. A variable that no op
  /// has used yet becomes a leaf of this tape. Throws Error(kValue) on an empty name or one that
  /// another value has, Error(kGraph) on a value of another tape or on a tape of another thread.
  void name(const Var& var, std::string_view name,
            std::source_location where = std::source_location::current());
  /// That name, a parameter's or buffer's name, or empty.
  std::string_view name(std::uint32_t id) const;
  /// The node of that name, or kNoNode.
  std::uint32_t find(std::string_view name) const;
  /// The parameter a leaf stands for, or null.
  const Parameter* parameter(std::uint32_t id) const;
  /// The parameters used on this tape, in the order of their first use.
  std::vector<Parameter*> parameters() const;
  /// The leaf of a parameter on this tape, made at its first use.
  Var use(Parameter& parameter, std::source_location where);
  /// The buffer that a leaf stands for, or null.
  const Buffer* buffer(std::uint32_t id) const;
  /// The leaf of a buffer's present value on this tape.
  Var use(const Buffer& buffer, std::source_location where);

  /// The updates of buffers that wait on this tape.
  const BufferUpdates& updates() const;
  /// Buffers read on this tape as these updates will leave them, for the second and further parts
  /// of one step: each part then goes on from the one before, and their Gradients add up.
  void start_after(const BufferUpdates& updates);

  /// The id of a Var on this tape. Throws Error(kGraph): no node, another tape, tape ended.
  /// `where`, if given, is the user's line for the message.
  std::uint32_t id_of(const Var& var, std::string_view asking,
                      std::source_location where = {}) const;
  bool owns(const Var& var) const { return var.get() != nullptr && var.get()->serial == serial_; }
  /// Whether id_of would find it: a value of this tape, or a leaf of an enclosing one used here.
  bool knows(const Var& var) const;
  /// A leaf as its user knows it: the Var of an enclosing tape where node `id` stands for one.
  Var leaf(std::uint32_t id) const;
  /// Number of leaves that gradients flow to.
  std::uint32_t trained_leaves() const { return trained_leaves_; }
  /// The tape that was live when this one began, or null.
  const Tape* enclosing() const { return outer_; }

  /// While on, every recorded output is checked and the first NaN or infinity is remembered.
  void detect_non_finite(bool on) {
    detect_non_finite_ = on;
    watched_ = on || observer_ != nullptr;
  }
  /// Lets `observer` alone see every node and every value given back from here on, until the tape
  /// ends; null: nobody. It leaves a tape that it looked on at before. Slows the thread's ops down.
  void observe(TapeObserver* observer);
  /// The node whose derivative node `id` was recorded for (create_graph), or kNoNode.
  std::uint32_t derivative_of(std::uint32_t id) const;
  /// No node: what find and first_non_finite give where there is none.
  static constexpr std::uint32_t kNoNode = detail::kNoNode;
  /// The first node whose output was not finite, or kNoNode.
  std::uint32_t first_non_finite() const { return first_non_finite_; }
  /// One line on a node: op, name, shape, scope, user's line, ranges of its inputs; "no node" of
  /// an id beyond the tape.
  std::string describe(std::uint32_t id) const;

  /// Counts for reports and tests.
  struct Statistics {
    std::uint64_t nodes = 0;
    std::uint64_t bytes = 0;        ///< tape, headers and data of the nodes
    std::uint64_t live_values = 0;  ///< nodes whose data is still held
  };
  Statistics statistics() const;

  /// For the library: a copy of an op's attributes that lives as long as the tape.
  void* keep(const OpDef& op, const void* attributes);
  /// For the library: appends nodes. `inputs` are on this tape.
  std::uint32_t append(const OpDef& op, std::span<detail::Value* const> inputs,
                       const void* attributes, std::span<detail::Value* const> outputs,
                       detail::Saves saves, std::source_location where);
  /// For the library: throws Error(kGraph) when `value`, that input of the consumer if any, has
  /// history on another tape or is of another thread.
  void check_adoptable(const detail::Value* value, const OpDef& consumer,
                       std::source_location where, int input = -1) const;
  /// For the library: makes `value`, a leaf or a mere value, a node of this tape. Returns what
  /// stands for it here: `value` itself, an alias of an enclosing tape's leaf, or the node of all
  /// operands that are left out.
  detail::Value* adopt(detail::Value* value, const OpDef& consumer, std::source_location where);
  /// For the library: the constant that a number is beside operands of `dtype`. A number that a
  /// program uses again and again is one node. The tape holds it.
  detail::Value* number(const detail::Value* number, DType dtype, const OpDef& consumer,
                        std::source_location where);
  /// For the library: as if the nodes from `first` on had not been appended, of a call that failed.
  /// An observer has seen them: they stay.
  void take_back(std::uint32_t first) noexcept;
  /// For the library: gives back what node `id` holds for backward.
  void release_saved(std::uint32_t id);
  /// For the library: what a watched tape does with each new output.
  void inspect(std::uint32_t id);
  bool is_watched() const { return watched_; }
  /// For the library: tells the observer, if any, of memory that goes back.
  void tell_released(const detail::Value* value) const {
    if (observer_ != nullptr && value->serial == serial_) observer_->on_release(*this, value->id);
  }
  /// For the library: keeps an object until the tape ends.
  void own(std::shared_ptr<const void> object);
  /// For the library: nodes from now on, until the number that this gives is handed to
  /// end_derivative, belong to the derivative of node `id`.
  std::size_t begin_derivative(std::uint32_t id);
  void end_derivative(std::size_t number);
  /// For the library: a buffer's value as it reads here.
  const Tensor& value_of(const Buffer& buffer) const;
  /// For the library: updates made on an inner tape wait here.
  void take_updates(const BufferUpdates& updates);
  /// For the library: an update waits.
  void add_update(Buffer& buffer, Tensor value);
  /// For the library: a layer at `where` names a parameter. Throws Error(kParameter) when another
  /// line named it on this tape before, unless a Scope(shared(…)) is open.
  void check_sharing(const Parameter& parameter, std::source_location where);
  /// For the library: a backward ended in an error and may have given saved values back.
  void mark_broken_backward() { broken_backward_ = true; }
  bool has_broken_backward() const { return broken_backward_; }

 private:
  static constexpr int kChunkBits = 15;
  static constexpr std::uint32_t kChunkNodes = 1u << kChunkBits;

  friend struct detail::QuickPath;

  void open(Mode mode);
  detail::Node& next_node() {
    if (cursor_ == cursor_end_) [[unlikely]]
      enter_next_chunk();
    return *cursor_;
  }
  /// The node that next_node() gave is written.
  std::uint32_t commit() {
    ++cursor_;
    return size_++;
  }
  void enter_next_chunk();
  /// Memory for that many more nodes. Throws Error(kGraph) beyond the tape's limit.
  void reserve(std::uint32_t nodes);
  /// Takes this tape out of a thread's live ones.
  void leave(detail::ThreadState& state);
  /// What stands for every operand that is left out.
  detail::Value* absent(std::source_location where);
  detail::Node* cursor_ = nullptr;      ///< where the next node goes
  detail::Node* cursor_end_ = nullptr;  ///< end of its chunk
  detail::Node** chunks_ = nullptr;
  detail::TapeMemory* memory_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t serial_ = 0;
  std::uint32_t trained_leaves_ = 0;
  Tape* outer_ = nullptr;
  bool watched_ = false;  ///< detect_non_finite_ or an observer
  bool detect_non_finite_ = false;
  bool broken_backward_ = false;
  Mode mode_ = Mode::kTraining;
  std::uint32_t first_non_finite_ = detail::kNoNode;
  std::uint32_t saved_recording_off_ = 0;
  TapeObserver* observer_ = nullptr;
  std::uint64_t thread_ = 0;  ///< the serial of the thread that made it
};

/// Ops inside are computed but not recorded, even where a tape is live; their results carry no
/// gradient.
class WENGERT_API NoGrad {
 public:
  [[nodiscard]] NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
};

/// The name of a scope or layer, or shared(name) where it shall share its parameters.
struct ScopeName {
  std::string_view text;
  bool shared = false;
  ScopeName(const char* name) : text(name) {}         // NOLINT(google-explicit-constructor)
  ScopeName(std::string_view name) : text(name) {}    // NOLINT(google-explicit-constructor)
  ScopeName(const std::string& name) : text(name) {}  // NOLINT(google-explicit-constructor)
};

/// A name that another line of the program uses for the same parameters: without it two lines that
/// name one parameter on one tape are an error. One line shares with itself, as in a loop, and
/// whatever runs on different tapes shares.
inline ScopeName shared(std::string_view name) {
  ScopeName result(name);
  result.shared = true;
  return result;
}

/// A named part of a model: nodes recorded inside carry its path, parameters are named by it.
class WENGERT_API Scope {
 public:
  /// Under shared(name) all parameters inside may be ones that other lines use. Throws
  /// Error(kValue) on an empty name or one with control characters.
  [[nodiscard]] explicit Scope(const ScopeName& name,
                               std::source_location where = std::source_location::current());
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  /// "encoder/fc1" where this thread stands, empty at the top; Regions are in it too.
  static std::string path();

 private:
  std::uint32_t outer_;
  bool outer_sharing_;
};

/// A named part of a picture: nodes recorded inside carry it in their path, as those of a Scope do,
/// and pictures draw it as a box, but parameters are named as if it were not there. For the steps
/// of a loop or a recursion that share their parameters.
class WENGERT_API Region {
 public:
  /// Throws Error(kValue) on an empty name or one with control characters.
  [[nodiscard]] explicit Region(std::string_view name,
                                std::source_location where = std::source_location::current());
  /// "t=3"
  [[nodiscard]] Region(std::string_view name, std::int64_t number,
                       std::source_location where = std::source_location::current());
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

 private:
  std::uint32_t outer_;
};

namespace ops {
/// In the table of ops like any other, but made by the tape.
WENGERT_API extern const OpDef constant_op;
/// In the table of ops like any other; apply() lays operands out with it.
WENGERT_API extern const OpDef contiguous_op;
}  // namespace ops

namespace detail {
/// Leaves of every graph.
using ops::constant_op;
WENGERT_API extern const OpDef variable_op;
WENGERT_API extern const OpDef parameter_op;
WENGERT_API extern const OpDef buffer_op;
/// Not a value: see OpDef::optional. A tape has one node of it at most.
WENGERT_API extern const OpDef absent_op;
/// The path of a scope of this thread.
std::string scope_path(std::uint32_t scope);
}  // namespace detail

}  // namespace wengert
