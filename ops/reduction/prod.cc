#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <type_traits>
#include <vector>

#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

/// Floating products in double; integers wrap around in int64.
struct Product {
  template <class T>
  auto operator()(const T* x, std::int64_t n) const {
    if constexpr (std::is_floating_point_v<T>) {
      RunningProduct product;
      double y = 1;
      for (std::int64_t i = 0; i < n; ++i) y = product.times(static_cast<double>(x[i]));
      return static_cast<T>(y);
    } else {
      std::uint64_t y = 1;
      for (std::int64_t i = 0; i < n; ++i) {
        y *= static_cast<std::uint64_t>(static_cast<std::int64_t>(x[i]));
      }
      return static_cast<std::int64_t>(y);
    }
  }
};

void evaluate_prod(EvalContext& call) {
  evaluate_rows(call, call.attributes<ReductionAttributes>().axes, Product{});
}

/// Product of all the other elements along an axis: what lies before times what lies after, of
/// which a zero wins over an overflow.
Var product_of_others(const Var& x, int axis) {
  const Var before = shift(cumulative_product(x, axis, false), 1, axis, 1);
  const Var after = shift(cumulative_product(x, axis, true), -1, axis, 1);
  return product_zero_wins(before, after);
}

/// A product over several axes is taken one axis after the other.
void prod_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  Axes axes = attributes.axes;
  const int rank = c.shape(0).size();
  for (int d = 0; d < rank && attributes.axes.empty(); ++d) axes.push_back(d);
  // In double: products of a part may overflow where that of all others does not.
  const DType dtype = c.dtype(0);
  std::vector<Var> partial = {cast(c.input(0), DType::kFloat64)};
  for (int i = 0; i + 1 < axes.size(); ++i) {
    partial.push_back(prod(partial.back(), {axes[i]}, true));
  }
  Var g = cast(with_reduced_axes(c.cotangent(), c.shape(0), attributes), DType::kFloat64);
  for (int i = axes.size() - 1; i >= 0; --i) {
    const Var others =
        product_of_others(partial[static_cast<std::size_t>(i)], static_cast<int>(axes[i]));
    g = cotangent_product(g, others);
  }
  c.set(0, cast(g, dtype));
}

}  // namespace

constinit const OpDef prod_op = {
    .name = "prod",
    .doc = {.summary = "Product over axes.",
            .formula = "y = Π x over the given axes",
            .arguments = "x: float32, float64, or integers, whose product is int64 and wraps "
                         "around; axes: negative from the back, all when empty; keepdims keeps "
                         "them with size 1; over no elements the product is 1",
            .gradient = "the product of the other elements, made without division: right with "
                        "zeros in every order",
            .source = "A. Griewank, A. Walther, Evaluating Derivatives, 2008, §3.3 (Speelpenning)"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .infer = infer_total,
    .evaluate = evaluate_prod,
    .vjp = prod_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var prod(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::prod_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(prod) {
  const ReductionCall call = [](const Var& x, const Axes& axes, bool keepdims) {
    return prod(x, axes, keepdims);
  };
  const RowReference reference = [](const std::vector<double>& values) {
    double y = 1;
    for (double v : values) y *= v;
    return y;
  };
  OpTests tests;
  tests.samples = reduction_samples(call, reference, -1.6, 1.6, true);
  add_long_samples(tests, call, reference, 0.9995, 1.0005, 1, 1e-5);
  const auto zeros = [&](const char* name, std::vector<double> x, std::vector<double> gradient) {
    const ReductionCase c = {{static_cast<std::int64_t>(x.size())}, {}};
    const Tensor at = Tensor::from(x, c.shape);
    tests.samples.push_back(reduction_sample(c, at, call, reference));
    tests.samples.back().name += std::string(" ") + name;
    tests.samples.back().scale = 1;
    tests.samples.push_back(gradient_sample(
        name, at, [](const Var& v) { return prod(v); }, gradient));
  };
  zeros("one zero", {2, 0, 3, 4}, {0, 24, 0, 0});
  zeros("two zeros", {2, 0, 3, 0}, {0, 0, 0, 0});
  zeros("three zeros", {0, 0, 0}, {0, 0, 0});
  tests.samples.push_back(reduction_sample(
      {{2, 3}, {0, 1}}, Tensor::from({1.5, 0., 2., 3., 4., 0.5}, {2, 3}), call, reference));
  for (DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
    const ReductionCase c = {{3, 5}, {0}};
    tests.samples.push_back(
        reduction_sample(c, spread(c.shape, 0, 200).to(dtype), call, reference, DType::kInt64));
  }
  tests.rejected = reduction_rejected(call);
  tests.rejected.push_back({"bool", [] { return prod(Tensor::zeros({2}, DType::kBool)); },
                            ErrorKind::kDType, "needs numbers, got bool[2]"});
  return tests;
}
#endif
