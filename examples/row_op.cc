// An op of one's own that is not elementwise: each row divided by its root mean square. The record
// states everything: shapes, memory layout, kernel, derivative, attribute, cost, documentation.
#include <wengert/autodiff/gradcheck.h>
#include <wengert/graph/op.h>
#include <wengert/testing/check_op.h>
#include <wengert/wengert.h>

#include <cmath>
#include <cstdio>

using namespace wengert;

struct RowAttributes {
  double epsilon = 1e-6;  // keeps rows of zeros finite
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("epsilon", self.epsilon);  // the name by which pictures show and importers write it
  }
};

void infer_rows(
    InferContext& call) {  // what comes out, or why nothing can; no element is read here
  call.require_floating(0);
  if (call.rank(0) == 0) {
    call.fail(ErrorKind::kShape, "rows need an axis, x is " + call.describe(0), "reshape(x, {1})");
  }
  call.output(call.dtype(0), call.shape(0));
}

template <class T>
void divide_rows(const T* x, T* y, std::int64_t rows, std::int64_t columns, double epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    long double squares = 0;  // a running sum of doubles would lose digits on long rows
    for (std::int64_t i = 0; i < columns; ++i) squares += (long double){x[i]} * x[i];
    const long double scale = 1 / std::sqrt(squares / columns + epsilon);
    for (std::int64_t i = 0; i < columns; ++i) y[i] = static_cast<T>(x[i] * scale);
  }
}

void evaluate_rows(EvalContext& call) {  // x lies row after row: the record's `layouts` says so
  const TensorView x = call.input(0), y = call.output();
  const std::int64_t columns = call.size(0, -1 + call.rank(0));
  if (x.count() == 0) return;
  dispatch_floating(x.dtype, [&]<class T>(T) {
    divide_rows(reinterpret_cast<const T*>(x.data), reinterpret_cast<T*>(y.data),
                x.count() / columns, columns, call.attributes<RowAttributes>().epsilon);
  });
}

void differentiate_rows(VjpContext& c) {  // in ops, so that it has derivatives too
  const Var x = c.input(0), g = c.cotangent();
  const Var square_mean = mean(square(x), {-1}, true) + c.attributes<RowAttributes>().epsilon;
  c.set(0, (g - x * mean(g * x, {-1}, true) / square_mean) / sqrt(square_mean));
}

constinit const OpDef unit_rows_op = {
    .name = "unit_rows",
    .doc = {.summary = "Each row divided by its root mean square.",
            .formula = "y = x/√(mean(x²) + ε) along the last axis",
            .arguments = "x: any floating tensor with an axis; epsilon ≥ 0",
            .gradient = "(g − x·mean(g·x)/m)/√m with m = mean(x²) + ε",
            .source = "B. Zhang, R. Sennrich, Root mean square layer normalization, 2019"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .layouts = {Layout::kDense},
    .infer = infer_rows,
    .evaluate = evaluate_rows,
    .vjp = differentiate_rows,
    .attributes = &attribute_type<RowAttributes>,
    .default_attributes = &default_attributes_of<RowAttributes>,
    .flops = [](const OpCall&) { return 4.0; },
};

Var unit_rows(const Var& x, double epsilon = 1e-6,
              std::source_location where = std::source_location::current()) {
  return apply(unit_rows_op, {&x}, RowAttributes{epsilon}, where);
}

testing::OpTests unit_rows_tests() {
  const auto call = [](std::span<const Var> x) { return std::vector<Var>{unit_rows(x[0])}; };
  const auto reference = [](std::span<const Tensor> in) {
    std::vector<double> x = in[0].to_vector<double>();
    const std::int64_t columns = in[0].shape().back();
    for (auto row = x.begin(); columns > 0 && row != x.end(); row += columns) {
      long double squares = 0;
      for (auto i = row; i != row + columns; ++i) squares += (long double){*i} * *i;
      const auto scale = 1 / std::sqrt(squares / columns + 1e-6L);
      for (auto i = row; i != row + columns; ++i) *i = static_cast<double>(*i * scale);
    }
    return std::vector<Tensor>{Tensor::from(x, in[0].shape())};
  };
  testing::OpTests tests;
  for (const Shape& shape : std::vector<Shape>{
           {5}, {3, 4}, {2, 3, 4}, {0, 3}, {3, 0}, testing::kLongRows, testing::kLongColumns}) {
    tests.samples.push_back({shape.str(), {testing::spread(shape, 0.2, 2)}, call, reference});
  }
  tests.rejected = {
      {"scalar", [] { (void)unit_rows(1.5); }, ErrorKind::kShape, "rows need an axis, x is f64[]"}};
  tests.exempt = "takes every floating tensor with an axis";
  return tests;
}

int main() {
  register_op(unit_rows_op);  // from here on find_op knows it
  const testing::CheckReport report =
      testing::check_op(unit_rows_op, unit_rows_tests(), {.order = 2});
  const Tensor at = testing::spread({4, 3}, -2, 2);
  const auto of_columns = [](std::span<const Var> x) { return unit_rows(transpose(x[0])); };
  const GradcheckResult first = gradcheck(of_columns, {&at, 1});
  const GradcheckResult second = gradcheck(of_columns, {&at, 1}, {.order = 2});
  std::printf("%s, %d failures, derivatives %s\n", unit_rows_op.doc.formula.data(), report.failures,
              first && second ? "right" : "wrong");
  if (!report.passed()) std::printf("%s", report.str().c_str());
  if (!first) std::printf("%s\n", first.message.c_str());
}
