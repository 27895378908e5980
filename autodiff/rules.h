#pragma once

#include <vector>

#include "wengert/autodiff/engine.h"
#include "wengert/graph/op.h"

// What a derivative stated in ops sees of the engine. Private to the library.
namespace wengert {

/// Where a derivative stated in ops runs: in the scope and at the line of the node that it belongs
/// to; unrecorded, or else marked on the tape as that node's.
class DerivativeSite {
 public:
  DerivativeSite(Tape& tape, std::uint32_t id, bool recorded);
  ~DerivativeSite();
  DerivativeSite(const DerivativeSite&) = delete;
  DerivativeSite& operator=(const DerivativeSite&) = delete;

 private:
  Tape& tape_;
  const bool recorded_;
  std::size_t derivative_;
  std::uint32_t scope_;
  std::source_location location_;
  bool overrode_;
};

/// A derivative stated in ops.
class RecordedRule : public VjpContext {
 public:
  RecordedRule(Engine& engine, std::uint32_t id);
  int input_count() const override { return node_.input_count; }
  bool has(int i) const override;
  Var input(int i) const override;
  Var output(int k) const override;
  Var cotangent(int k) const override;
  bool needs(int i) const override;
  void set(int i, Var gradient) override;
  Var take_pending(int i) override;
  bool takes_rows(int i) const override;
  void add_rows(int i, const Var& indices, const Var& rows) override;
  Shape shape(int i) const override;
  Shape output_shape(int k) const override;
  DType dtype(int i) const override;
  const void* raw_attributes() const override { return node_.attributes; }
  /// Hands the gradients to the engine.
  void deliver();

 protected:
  /// The node of input i, of output k. An index that the op does not have is an error.
  std::uint32_t input_id(int i) const;
  std::uint32_t output_id(int k) const;
  /// Fails unless the gradient of input i has a dtype and a shape that it may have.
  void check_fit(int i, const Var& gradient) const;
  const Var& gradient(int i) const { return gradients_[static_cast<std::size_t>(i)]; }

 private:
  /// The rows that the rule sends to input i, which are checked.
  detail::RowPart part_of(int i, const Var& indices, const Var& rows) const;
  void deliver_rows(int i, Gradient& sent);

  Engine& engine_;
  std::uint32_t id_;
  detail::Node node_;  ///< a copy: recording may move the tape's chunk table
  std::vector<Var> gradients_;
  struct Rows {
    int input;
    detail::RowPart part;
  };
  std::vector<Rows> rows_;
};

/// slot += given on dense memory of one shape, `count` elements, and dtype.
void add_in_place(detail::Value* slot, const detail::Value* given, std::int64_t count);

}  // namespace wengert
