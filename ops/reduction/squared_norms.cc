#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/measure.h"

namespace wengert {
namespace ops {
namespace {

void infer_squared_norms(InferContext& call) {
  for (int i = 0; i < call.input_count(); ++i) call.require_floating(i);
  call.require_same_dtype(0, call.input_count() - 1);
  call.output(call.dtype(0), {call.input_count()});
}

void evaluate_squared_norms(EvalContext& call) {
  const TensorView out = call.output();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (int i = 0; i < call.input_count(); ++i) {
      const TensorView x = call.input(i);
      out.as<T>()[i] = static_cast<T>(kernels::sum_of_squares(out.dtype, x.data, x.count()));
    }
  });
}

void squared_norms_vjp(VjpContext& c) {
  for (int i = 0; i < c.input_count(); ++i) {
    if (!c.needs(i)) continue;
    const Var g = reshape(slice(c.cotangent(), {i}, {i + 1}), {});
    c.set(i, cotangent_product(g, c.input(i) * 2.0));
  }
}

void squared_norms_backward(BackwardContext& c) {
  const DenseInput cotangents(c.cotangent());
  for (int i = 0; i < c.input_count(); ++i) {
    if (!c.needs(i)) continue;
    const auto [to, accumulate] = c.gradient(i);
    const double factor =
        2 * (to.dtype == DType::kFloat64 ? cotangents.view().as<double>()[i]
                                         : static_cast<double>(cotangents.view().as<float>()[i]));
    if (factor != 0) {
      kernels::scaled(to.dtype, c.input(i).data, to.count(), factor, to.data, accumulate);
    } else if (!accumulate && to.count() > 0) {  // zero even where x is infinite
      std::memset(to.data, 0, static_cast<std::size_t>(to.count()) * size_of(to.dtype));
    }
  }
}

}  // namespace

constinit const OpDef squared_norms_op = {
    .name = "squared_norms",
    .doc = {.summary = "Squared Euclidean norms of several tensors, as one vector.",
            .formula = "yₖ = Σ xₖ²",
            .arguments = "inputs: one or more of one floating dtype, any shapes; float32 "
                         "squares neither overflow nor underflow on the way",
            .gradient = "∂yₖ/∂xₖ = 2xₖ",
            .source = "elementary"},
    .min_inputs = 1,
    .max_inputs = -1,
    .differentiable = kAllInputs,
    .reads = {reads_input(0), reads_input(1), reads_input(2), kReadsAllInputs},
    .layouts = {Layout::kPacked, Layout::kPacked, Layout::kPacked, Layout::kPacked},
    .gradients_keep_order = true,
    .infer = infer_squared_norms,
    .evaluate = evaluate_squared_norms,
    .vjp = squared_norms_vjp,
    .backward = squared_norms_backward,
};

}  // namespace ops

Var squared_norms(const VarList& inputs, std::source_location where) {
  std::vector<const Var*> list;
  for (const Var& input : inputs) list.push_back(&input);
  return apply(ops::squared_norms_op, list, nullptr, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(squared_norms) {
  OpTests tests;
  const auto add = [&](const char* name, std::vector<Tensor> inputs) {
    Sample sample;
    sample.name = name;
    sample.inputs = std::move(inputs);
    sample.call = [](std::span<const Var> x) { return std::vector<Var>{squared_norms(x)}; };
    sample.reference = [](std::span<const Tensor> x) {
      std::vector<double> norms;
      for (const Tensor& t : x) {
        long double total = 0;
        for (const double value : t.to_vector<double>()) {
          total += static_cast<long double>(value) * static_cast<long double>(value);
        }
        norms.push_back(static_cast<double>(total));
      }
      return std::vector<Tensor>{Tensor::from(norms, {static_cast<std::int64_t>(norms.size())})};
    };
    sample.scale = 1;
    tests.samples.push_back(std::move(sample));
  };
  add("one", {spread({2, 3}, -1, 1)});
  add("five of all ranks", {spread({3}, -1, 1), spread({2, 2}, -1, 1, 2), spread({}, 0.5, 1, 3),
                            spread({1, 2, 3}, -1, 1, 4), spread({0, 2}, -1, 1, 5)});
  add("longer than a task", {spread(kLongSum, -1, 1), spread({37}, -1, 1, 2)});
  tests.samples.back().smooth = false;  // only the value: differences would take long
  tests.samples.back().scale = 60000;
  const auto zeros = [](DType dtype) { return Var(Tensor::zeros({2}, dtype)); };
  tests.rejected = {
      {"none", [] { return squared_norms({}); }, ErrorKind::kValue, "0 inputs"},
      {"dtypes",
       [=] {
         return squared_norms(std::vector<Var>{zeros(DType::kFloat32), zeros(DType::kFloat64)});
       },
       ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"},
      {"integers", [=] { return squared_norms(std::vector<Var>{zeros(DType::kInt32)}); },
       ErrorKind::kDType, "needs float32 or float64, got i32[2]"}};
  return tests;
}
#endif
