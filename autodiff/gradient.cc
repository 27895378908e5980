#include "wengert/autodiff/gradient.h"

#include <cstring>
#include <vector>

#include "wengert/autodiff/row_sums.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

[[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix = {}) {
  throw Error(kind, "Gradient", std::move(message), std::move(fix));
}

bool is_recorded(const Var& x) {
  const Tape* tape = Tape::current();
  return tape != nullptr && x.has_value() && x.requires_grad() && tape->owns(x);
}

/// Recorded where the live tape recorded one of them; else of the values alone.
Var sum_of(const Var& a, const Var& b) {
  if (is_recorded(a) || is_recorded(b)) return add(a, b);
  const NoGrad off;
  return add(a.value(), b.value());
}

detail::SortedRows sorted(const Gradient& few) { return {few.indices(), few.rows().contiguous()}; }

/// A copy of `dense` with the rows added.
Var with_rows(const Var& dense, const Gradient& few) {
  if (is_recorded(dense)) return add(dense, few.dense());
  Tensor sum = dense.value().clone();
  detail::add_rows(WriteGuard(sum, "Gradient").data(), sorted(few));
  return sum;
}

}  // namespace

Gradient Gradient::of_rows(const Tensor& indices, const Tensor& rows, const Shape& shape,
                           std::source_location where) {
  const detail::CallSite site(where);
  if (indices.dtype() != DType::kInt32 && indices.dtype() != DType::kInt64) {
    fail(ErrorKind::kDType,
         "indices must be int32 or int64, got " + to_string(indices.dtype(), indices.shape()));
  }
  if (!is_floating(rows.dtype())) {
    fail(ErrorKind::kDType, "rows must be floating, got " + to_string(rows.dtype(), rows.shape()));
  }
  Shape expected = shape;
  if (shape.size() > 0) expected[0] = indices.rank() == 1 ? indices.shape()[0] : -1;
  if (shape.size() == 0 || indices.rank() != 1 || !(rows.shape() == expected)) {
    fail(ErrorKind::kShape,
         "rows " + to_string(rows.dtype(), rows.shape()) + " at indices " +
             to_string(indices.dtype(), indices.shape()) + " of a value " + shape.str(),
         "one row for each index, of the value's shape without its axis 0");
  }
  std::vector<detail::RowPart> part(1);
  const std::int64_t bad = detail::read_positions(indices, shape[0], part[0].indices);
  if (bad >= 0) {
    fail(ErrorKind::kIndex, "index " + std::to_string(part[0].indices[bad]) + " at position " +
                                std::to_string(bad) + " is out of range for size " +
                                std::to_string(shape[0]));
  }
  part[0].rows = rows.contiguous();
  const detail::SortedRows sum = detail::sum_rows(part, shape, rows.dtype());
  return {sum.indices, sum.rows, shape[0]};
}

Shape Gradient::shape() const {
  Shape shape = stored_.shape();
  if (is_rows()) shape[0] = height_;
  return shape;
}

Tensor Gradient::indices(std::source_location where) const {
  const detail::CallSite site(where);
  if (!is_rows()) fail(ErrorKind::kValue, "a dense gradient has no indices", "ask is_rows() first");
  return indices_.value();
}

Tensor Gradient::rows(std::source_location where) const {
  const detail::CallSite site(where);
  if (!is_rows()) fail(ErrorKind::kValue, "a dense gradient has no rows", "ask is_rows() first");
  return stored_.value();
}

Var Gradient::dense() const {
  if (!is_rows()) return stored_;
  const Tensor few = stored_.value().contiguous();
  Tensor all = Tensor::zeros(shape(), dtype());
  const Tensor indices = indices_.value();
  if (few.element_count() == 0) return all;
  const std::size_t bytes =
      static_cast<std::size_t>(few.element_count() / few.shape()[0]) * size_of(dtype());
  {
    const WriteGuard to(all, "Gradient");
    const std::byte* from = few.data();
    for (const std::int64_t index : indices.span<std::int64_t>()) {
      std::memcpy(to.data() + static_cast<std::size_t>(index) * bytes, from, bytes);
      from += bytes;
    }
  }
  return all;
}

Gradient& Gradient::operator+=(const Gradient& other) {
  if (!other.has_value()) return *this;
  if (!has_value()) return *this = other;
  if (dtype() != other.dtype() || !(shape() == other.shape())) {
    fail(dtype() != other.dtype() ? ErrorKind::kDType : ErrorKind::kShape,
         "the sum of " + describe() + " and " + other.describe(),
         "gradients of one value have its dtype and shape");
  }
  if (is_rows() && other.is_rows()) {
    const detail::SortedRows sum = detail::merge_rows(sorted(*this), sorted(other));
    return *this = Gradient(sum.indices, sum.rows, height_);
  }
  if (is_rows()) return *this = with_rows(other.stored_, *this);
  return *this = other.is_rows() ? with_rows(stored_, other) : sum_of(stored_, other.stored_);
}

Gradient& Gradient::operator*=(double factor) {
  if (is_recorded(stored_)) {
    stored_ = mul(stored_, factor);
  } else if (has_value()) {
    const NoGrad off;
    stored_ = mul(stored_.value(), factor);
  }
  return *this;
}

std::string Gradient::describe() const {
  if (!has_value()) return "empty";
  const std::string whole = to_string(dtype(), shape());
  return is_rows() ? "rows " + std::to_string(stored_.shape()[0]) + " of " + whole : whole;
}

}  // namespace wengert
