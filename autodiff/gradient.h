#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

namespace wengert {

/// The gradient of one value: dense, or a few of its rows (slices along axis 0) where all others
/// are zero. Rows are what a lookup in a table sends back (embedding, index_select): as many as
/// were looked up, however large the table is. They are gradients of leaves alone and not recorded;
/// under create_graph, and from grad(), gradients are dense.
class WENGERT_API Gradient {
 public:
  Gradient() = default;
  Gradient(Var dense) : stored_(std::move(dense)) {}  // NOLINT(google-explicit-constructor)
  /// `rows` [k, …] at positions `indices` [k] along axis 0 of a tensor of `shape`: int32 or int64,
  /// in any order, negative ones from the back. Rows of one position are added up, in pairs of
  /// halves of their order. Throws Error(kShape, kDType, kIndex) on what does not fit.
  static Gradient of_rows(const Tensor& indices, const Tensor& rows, const Shape& shape,
                          std::source_location where = std::source_location::current());

  bool is_rows() const { return indices_.has_value(); }
  bool has_value() const { return stored_.has_value(); }
  DType dtype() const { return stored_.dtype(); }
  /// Of the value that this is the gradient of.
  Shape shape() const;
  /// Of rows: their positions, int64 [k], each once and ascending. Throws Error(kValue) where the
  /// gradient is dense.
  Tensor indices(std::source_location where = std::source_location::current()) const;
  /// Of rows: [k, …]. Throws Error(kValue) where the gradient is dense.
  Tensor rows(std::source_location where = std::source_location::current()) const;
  /// The whole gradient, of shape(). Rows are put into zeros: as much memory as the value has.
  Var dense() const;

  /// What is kept, the dense gradient or the rows: for work that is the same for every element and
  /// leaves zeros as they are, such as norms and factors.
  const Var& stored() const { return stored_; }
  Var& stored() { return stored_; }

  /// Sums: rows with rows are rows, everything else is dense; recorded where the live tape recorded
  /// a part. Throws Error(kShape, kDType) when they differ.
  Gradient& operator+=(const Gradient& other);

  /// Times a number; recorded where the live tape recorded it.
  Gradient& operator*=(double factor);

  /// "rows 3 of f32[1000,64]", or the dense gradient's "f32[2,3]".
  std::string describe() const;

 private:
  friend class Engine;
  /// Indices that are each there once and ascend.
  Gradient(const Tensor& indices, const Tensor& rows, std::int64_t height)
      : stored_(rows), indices_(indices), height_(height) {}

  Var stored_;
  Var indices_;              ///< empty: dense
  std::int64_t height_ = 0;  ///< of axis 0 of the value, where this is rows
};

}  // namespace wengert
