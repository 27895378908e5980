#pragma once

#include "wengert/graph/op.h"
#include "wengert/graph/storage.h"

// What reductions over axes share. Private to the library.
namespace wengert::ops {

struct ReductionAttributes {
  Axes axes;
  bool keepdims = false;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axes", self.axes);
    v("keepdims", self.keepdims);
  }
};

/// Marks which dimensions of input 0 are reduced. Fails on axes out of range or named twice.
void mark_axes(const OpCall& call, const Axes& axes, bool* reduced);
/// The marked ones in order, none where all are.
Axes marked_axes(const bool* marked, int rank);

/// The result's shape; puts the axes, which are canonical attributes, into order.
Shape reduce(const OpCall& call, ReductionAttributes& attributes);

/// How many elements of `shape` go into one result.
std::int64_t reduced_count(const Shape& shape, const Axes& axes);

/// A reduction's result (or its cotangent) with the reduced axes back as size 1.
Var with_reduced_axes(const Var& y, const Shape& input_shape,
                      const ReductionAttributes& attributes);

/// Fails with kDType on bool.
void require_number(const OpCall& call);
/// Fails with kShape where a result would be made of no elements.
void require_elements(const OpCall& call, const Axes& axes);

/// Σ of input 0 over the axes into the dense output, or 64-bit integers for integers.
void sum_over_axes(EvalContext& call, const Axes& axes);

/// infer of reductions: the dtype of the input, floating only or any number; int64; bool.
void infer_floating(InferContext& call);
void infer_extreme(InferContext& call);
/// Floating dtypes stay; integers become int64.
void infer_total(InferContext& call);

/// x/y, and 0 where y is 0: for derivatives that are 0 there by convention. Not a product with 1/y:
/// that, or its derivative, overflows where x/y does not.
Var divide_or_zero(const Var& x, const Var& y);

/// A tensor as dense rows: one for each element of the reduction's result, in its order, holding
/// in row-major order of the reduced axes what goes into it.
class Rows {
 public:
  Rows(const TensorView& view, const bool* reduced);
  ~Rows() { detail::release(storage_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  std::int64_t count() const { return count_; }
  std::int64_t length() const { return length_; }
  template <class T>
  const T* row(std::int64_t i) const {
    return reinterpret_cast<const T*>(data_) + i * length_;
  }
  /// Calls body(row index) for every row, on the pool where that pays.
  template <class Body>
  void for_each(Body&& body) const {
    run([](void* context, std::int64_t i) { (*static_cast<Body*>(context))(i); },
        const_cast<void*>(static_cast<const volatile void*>(&body)));
  }

 private:
  void run(void (*body)(void*, std::int64_t), void* context) const;
  const std::byte* data_;
  std::int64_t count_ = 1, length_ = 1;
  detail::Storage* storage_ = nullptr;
};

/// evaluate of a reduction: f(const T* row, n) gives each result, of the output's C++ type.
template <class F>
void evaluate_rows(EvalContext& call, const Axes& axes, const F& f) {
  bool reduced[kMaxRank];
  mark_axes(call, axes, reduced);
  const Rows rows(call.input(0), reduced);
  const TensorView out = call.output();
  const auto run = [&]<class T>(T) {
    using Result = decltype(f(static_cast<const T*>(nullptr), std::int64_t{}));
    rows.for_each([&](std::int64_t i) { out.as<Result>()[i] = f(rows.row<T>(i), rows.length()); });
  };
  if constexpr (requires { F::kFloatingOnly; }) {
    dispatch_floating(call.dtype(0), run);
  } else {
    dispatch(call.dtype(0), run);
  }
}

}  // namespace wengert::ops
