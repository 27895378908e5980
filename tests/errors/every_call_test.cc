#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/export/render.h"
#include "wengert/graph/export/statistics.h"
#include "wengert/io/csv.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/io/idx.h"
#include "wengert/io/parameter_file.h"
#include "wengert/io/safetensors.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/initializers.h"
#include "wengert/nn/linear.h"
#include "wengert/nn/models.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"
#include "wengert/plot/figure.h"
#include "wengert/plot/histogram.h"
#include "wengert/wengert.h"

// What a public call rejects names the op or class, the scope, and the line that made the call:
// also when it is found far below.
namespace wengert {
namespace {

/// Runs a call that must fail at `line` of this file.
template <class Call>
void expect_located(const char* text, unsigned line, Call&& call) {
  SCOPED_TRACE(text);
  const Scope scope("outer");
  try {
    call();
    ADD_FAILURE() << "was accepted";
  } catch (const Error& error) {
    // What is wrong with a file is told by its path.
    EXPECT_NE(error.op().empty(), error.kind() != ErrorKind::kFile) << error.what();
    EXPECT_EQ(base_name(error.file()), "every_call_test.cc") << error.what();
    EXPECT_EQ(error.line(), line) << error.what();
    EXPECT_TRUE(error.scope().starts_with("outer")) << error.what();  // linear opens its own
    EXPECT_NE(std::string(error.what()).find("every_call_test.cc:"), std::string::npos);
  }
}

#define EXPECT_LOCATED(call) expect_located(#call, __LINE__, [&] { (void)(call); })

const double kNan = std::numeric_limits<double>::quiet_NaN();
const std::int64_t kHuge = std::int64_t{1} << 40;

TEST(EveryCall, OfTensorsNamesItsLine) {
  Tensor matrix = Tensor::zeros({2, 3}, DType::kFloat32);
  EXPECT_LOCATED(Tensor::zeros({-1}, DType::kFloat32));
  EXPECT_LOCATED(Tensor::empty({kHuge, kHuge}, DType::kFloat32));
  EXPECT_LOCATED(Tensor::full({kHuge, 1 << 22}, 1, DType::kFloat64));
  EXPECT_LOCATED(Tensor::from({1.0, 2.0}, {3}));
  EXPECT_LOCATED(Tensor::from(std::vector<float>{1}, {1, 2}));
  EXPECT_LOCATED(Tensor::view_of(static_cast<float*>(nullptr), {2}));
  EXPECT_LOCATED((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_LOCATED(matrix.size(2));
  EXPECT_LOCATED(matrix.span<double>());
  EXPECT_LOCATED(matrix.item<float>());
  EXPECT_LOCATED(matrix.scalar_value());
  EXPECT_LOCATED(matrix.at(6));
  EXPECT_LOCATED(matrix.reshaped({4}));
  EXPECT_LOCATED(matrix.rows(1, 3));
  float memory[2] = {};
  Tensor constant = Tensor::view_of(const_cast<const float*>(memory), {2});
  EXPECT_LOCATED(WriteGuard(constant, "test"));
  const WriteGuard guard(matrix, "test");
  EXPECT_LOCATED(guard.span<std::int32_t>());
  EXPECT_LOCATED(statistics_of(Tensor::scalar(std::int64_t{1})));
}

TEST(EveryCall, OfVarsAndTapesNamesItsLine) {
  Tape tape;
  const Var empty, x = variable(Tensor::zeros({2}, DType::kFloat32)), y = x * x;
  EXPECT_LOCATED(empty.dtype());
  EXPECT_LOCATED(empty.shape());
  EXPECT_LOCATED(empty.rank());
  EXPECT_LOCATED(empty.value());
  EXPECT_LOCATED(empty.str());
  EXPECT_LOCATED(empty.requires_grad());
  EXPECT_LOCATED(x.size(1));
  EXPECT_LOCATED(x.item<float>());
  EXPECT_LOCATED(x.scalar_value());
  EXPECT_LOCATED(variable(std::int64_t{1}));
  EXPECT_LOCATED(variable(Tensor::zeros({2}, DType::kBool)));
  EXPECT_LOCATED(tape.name(x, ""));
  EXPECT_LOCATED(tape.var(99));
  EXPECT_LOCATED(Scope(""));
  EXPECT_LOCATED(x + Tensor::zeros({3}, DType::kFloat32));
  EXPECT_LOCATED(matmul(x, Tensor::zeros({3, 3}, DType::kFloat32)));
  EXPECT_LOCATED(backward(y));
  EXPECT_LOCATED(grad(sum(y), empty));
  EXPECT_LOCATED(grad(sum(y), Tensor::scalar(1.0f)));
  EXPECT_LOCATED(on_gradient("nobody", [](const Tensor&) {}));
  const Gradients gradients = backward(sum(y));
  EXPECT_LOCATED(gradients[y]);
  EXPECT_LOCATED(gradients[Tensor::scalar(1.0)]);
  EXPECT_LOCATED(gradients.at("nobody"));
  EXPECT_LOCATED(gradcheck([](std::span<const Var> in) { return in[0]; },
                           std::vector<Tensor>{Tensor::scalar(1.0)}, {.order = 0}));
  Roots roots;
  EXPECT_LOCATED(roots.at("nobody"));
  const OpDef nameless;
  EXPECT_LOCATED(register_op(nameless));
  EXPECT_LOCATED(render("digraph {}", ImageFormat::kPng, {.dots_per_inch = 0}));
}

TEST(EveryCall, OfNetworksAndOptimizersNamesItsLine) {
  ParameterSet parameters, others;
  Tape tape;
  const Var x = Tensor::zeros({4, 3}, DType::kFloat32);
  EXPECT_LOCATED(parameters.at("nobody"));
  EXPECT_LOCATED(std::as_const(parameters).at("nobody"));
  EXPECT_LOCATED(parameters.add("", Tensor::scalar(1.0f)));
  (void)linear(parameters, "fc", x, 2);
  EXPECT_LOCATED(parameters.add("fc/weight", Tensor::scalar(1.0f)));
  EXPECT_LOCATED(linear(parameters, "fc", x, 0));
  parameters.add("outer/taken", Tensor::scalar(1.0f));
  EXPECT_LOCATED(parameters.declare("w", {2}, DType::kFloat32, nn::he_normal(), {}));
  EXPECT_LOCATED(parameters.declare_buffer("taken", {2}, DType::kFloat32));
  EXPECT_LOCATED(parameters.add_buffer("", Tensor::scalar(1.0f)));
  EXPECT_LOCATED(parameters.stream(""));
  Buffer& buffer = parameters.declare_buffer("outer_buffer", {2}, DType::kFloat32);
  EXPECT_LOCATED(buffer.set(Tensor::scalar(1.0f)));
  EXPECT_LOCATED(update(buffer, Tensor::scalar(1.0f)));
  EXPECT_LOCATED(update(buffer, Var()));
  EXPECT_LOCATED(Tape(Mode::kInference));
  EXPECT_LOCATED(ParameterOverride(parameters, {{"nobody", x}}));
  EXPECT_LOCATED(ParameterOverride(parameters, {{"fc/weight", x}}));
  EXPECT_LOCATED(dropout(parameters, "drop", x, 2));
  EXPECT_LOCATED(dropout(parameters, "", x, 0.5));
  EXPECT_LOCATED(nn::normal(0, -1));
  EXPECT_LOCATED(nn::uniform(1, 0));
  EXPECT_LOCATED(nn::constant(kNan));
  EXPECT_LOCATED(nn::find_model("nobody"));
  EXPECT_LOCATED(fans_of(*find_op("add"), DType::kFloat32, {}, 0));
  EXPECT_LOCATED(optim::Sgd({.rate = -1}));
  EXPECT_LOCATED(optim::Momentum({.momentum = 1}));
  EXPECT_LOCATED(optim::Nesterov({.rate = kNan}));
  EXPECT_LOCATED(optim::Adam({.beta2 = 2}));
  EXPECT_LOCATED(optim::AdaGrad({.epsilon = 0}));
  EXPECT_LOCATED(optim::RmsProp({.alpha = 1}));
  EXPECT_LOCATED(optim::AdamW({.weight_decay = -1}));
  EXPECT_LOCATED(optim::Lamb({.rate = kNan}));
  EXPECT_LOCATED(optim::make_optimizer("nobody"));
  EXPECT_LOCATED(optim::make_optimizer("adam", -1));
  EXPECT_LOCATED(optim::ClipGlobalNorm({.limit = 0}));
  EXPECT_LOCATED(optim::L2Penalty({.lambda = -1}));
  EXPECT_LOCATED(optim::make_pass("nobody"));
  EXPECT_LOCATED(optim::make_pass("l2_penalty", {{"lambda", "x"}}));
  Roots nothing;
  PassContext context;
  optim::L2Penalty penalty({});
  EXPECT_LOCATED(penalty.run(nothing, context));
  optim::Adam adam({});
  EXPECT_LOCATED(adam.set_rate(-1));
  EXPECT_LOCATED(adam.add_group(is_weight, {.epsilon = -1}));
  EXPECT_LOCATED(optim::make_optimizer("adam", {{"beta", "0.5"}}));
  EXPECT_LOCATED(optim::find_method("nobody"));
  const optim::MethodDef unnamed;
  EXPECT_LOCATED(optim::register_method(unnamed));
  EXPECT_LOCATED(adam.restore({}));
  const Gradients gradients = backward(sum(linear(parameters, "fc2", x, 2)));
  EXPECT_LOCATED(adam.step(others, gradients));
}

TEST(EveryCall, OfTrainingAndFilesNamesItsLine) {
  ParameterSet parameters;
  optim::Sgd sgd({});
  const optim::Batch examples = {Tensor::zeros({4, 3}, DType::kFloat32),
                                 Tensor::full({4}, 9, DType::kInt64)};
  const optim::Batch wrong = {examples.inputs, Tensor::zeros({3}, DType::kInt64)};
  const optim::ArrayLoader loader(examples);
  const auto logits = [](ParameterSet& set, const Var& in) { return linear(set, "fc", in, 2); };
  EXPECT_LOCATED(optim::split_examples(4, {5}, 1));
  EXPECT_LOCATED(optim::split_stratified({1, 2}, {2}, 1));
  EXPECT_LOCATED(optim::k_folds(4, 5, 1));
  EXPECT_LOCATED(optim::stratified_k_folds({1, 2}, 3, 1));
  EXPECT_LOCATED(optim::all_examples(-1));
  EXPECT_LOCATED(optim::ArrayLoader(examples, {}, {{0, 9}}));
  EXPECT_LOCATED(optim::ArrayLoader(wrong));
  EXPECT_LOCATED(optim::SequenceLoader({}));
  EXPECT_LOCATED(optim::accuracy(examples.inputs, wrong.targets));
  EXPECT_LOCATED(optim::measure(parameters, loader, optim::classifier(logits)));  // no such class
  EXPECT_LOCATED(optim::fit(parameters, sgd, loader, optim::classifier(logits), {.epochs = 0}));
  EXPECT_LOCATED(optim::fit(parameters, sgd, loader, optim::classifier(logits)));
  EXPECT_LOCATED(optim::TrainingStep(parameters, {}));
  EXPECT_LOCATED(optim::EarlyStop({.patience = -1}));
  EXPECT_LOCATED(optim::LinearDecay({.final_share = 2}));
  EXPECT_LOCATED(optim::make_schedule("nobody"));
  EXPECT_LOCATED(optim::Totals().value("nobody"));
  EXPECT_LOCATED(plot::to_svg({.panels = {{.curves = {{"", {1, 2}, {1}}}}}}));
  EXPECT_LOCATED(plot::histogram("", {}, 1, 0, 3));
  EXPECT_LOCATED(io::write_idx("/nonexistent/x", Tensor::zeros({2}, DType::kBool)));
  const io::NamedTensor twice[] = {{"a", examples.inputs}, {"a", examples.inputs}};
  EXPECT_LOCATED(io::write_safetensors("/nonexistent/x", twice));
  EXPECT_LOCATED(io::write_safetensors("/nonexistent/x", std::span(twice, 1)));
  EXPECT_LOCATED(io::read_safetensors("/nonexistent/x"));
  EXPECT_LOCATED(io::write_idx("/nonexistent/x", examples.inputs));
  EXPECT_LOCATED(io::read_idx("/nonexistent/x"));
  EXPECT_LOCATED(io::read_csv("/nonexistent/x"));
  EXPECT_LOCATED(io::load_fashion_mnist("/nonexistent"));
  EXPECT_LOCATED(io::read_file("/nonexistent/x"));
  EXPECT_LOCATED(io::write_file_atomically("/nonexistent/x", "bytes"));
  EXPECT_LOCATED(io::check_writable_folder(""));
  EXPECT_LOCATED(io::save(parameters, "/nonexistent/x"));
  EXPECT_LOCATED(io::load(parameters, "/nonexistent/x"));
  EXPECT_LOCATED(gradcheck([](std::span<const Var>) { return Var(); },
                           std::vector<Tensor>{Tensor::scalar(1.0)}));
}

TEST(EveryCall, OfTheUsersCodeInsideACallNamesItsOwnLine) {
  ParameterSet parameters;
  optim::Sgd sgd({});
  const optim::ArrayLoader loader({Tensor::zeros({4, 3}), Tensor::zeros({4}, DType::kInt64)});
  unsigned line = 0;
  const auto logits = [&](ParameterSet& set, const Var& in) {
    line = __LINE__ + 1;
    return linear(set, "fc", in, 2) + Tensor::from({1.0f}, {2});
  };
  try {
    optim::fit(parameters, sgd, loader, optim::classifier(logits));
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.line(), line) << error.what();
  }
}

}  // namespace
}  // namespace wengert
