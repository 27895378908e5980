#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "wengert/tests/export/model.h"

// The health check of graph views: what it finds, where it says that it is, and when it is quiet.
namespace wengert::export_tests {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Five tanh layers with weights ±scale and a sum of squares, differentiated.
GraphView five_layers(double scale, double input = 0.5) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({input, 0.3, -0.2, 0.9}, {1, 4});
  for (int i = 1; i <= 5; ++i) h = layer(parameters, "fc" + std::to_string(i), h, scale);
  GradientFlow flow;
  (void)backward(sum(square(h - 0.5)), {.observer = &flow});
  return graph_view(tape, {.gradients = &flow.record()});
}

/// The same without activations, so that gradients can grow.
GraphView linear_layers(double scale) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  for (int i = 1; i <= 5; ++i) {
    Scope scope("fc" + std::to_string(i));
    h = matmul(h, weight(parameters, "weight", hadamard(scale))) * 1.0;
  }
  GradientFlow flow;
  (void)backward(sum(h), {.observer = &flow});
  return graph_view(tape, {.gradients = &flow.record()});
}

TEST(Findings, HealthyAndUnknown) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  const Tensor identity =
      Tensor::from<double>({1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {4, 4});
  for (int i = 1; i <= 5; ++i) {
    Scope scope("fc" + std::to_string(i));
    h = tanh(matmul(h, weight(parameters, "weight", identity)));
  }
  GradientFlow flow;
  (void)backward(sum(square(h - 0.5)), {.observer = &flow});
  EXPECT_EQ(graph_view(tape, {.gradients = &flow.record()}).verdict(), "healthy");
  EXPECT_EQ(graph_view(tape).verdict(), "no gradients were collected");
  const GraphOptions forward = {.view = GraphDirection::kForward, .gradients = &flow.record()};
  EXPECT_EQ(graph_view(tape, forward).verdict(), "the forward view leaves gradients out");
}

TEST(Findings, VanishingGradientsAreNamedWithPlaceAndFix) {
  const GraphView view = five_layers(0.005);
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  const Finding& finding = view.findings[0];
  EXPECT_EQ(finding.kind, Finding::Kind::kVanishing);
  EXPECT_NE(finding.what.find("from the loss to fc1"), std::string::npos) << finding.what;
  EXPECT_FALSE(finding.fix.empty());
  EXPECT_EQ(finding.source.substr(0, 8), "model.h:");
  EXPECT_NE(find_node(view, finding.place), nullptr);
  EXPECT_EQ(view.verdict().substr(0, 11), "vanishing: ");
}

TEST(Findings, TheCrossingIsTheFirstLayerBeyondTheLimit) {
  // Each layer multiplies the gradient's RMS, which is about 1 at the loss, by about 1e-2: it is
  // 1e-4 at fc3 and 1e-6 at fc2.
  const GraphView view = five_layers(0.005);
  EXPECT_EQ(view.findings.at(0).place.substr(0, 4), "fc2/") << view.verdict();
}

TEST(Findings, VanishingBeginsAtFiveDecades) {
  // Each of five layers multiplies the gradient by the same factor, four lie between the loss and
  // the first.
  const auto is_vanishing = [](double decades) {
    const GraphView view = linear_layers(std::pow(10, -decades / 4) / 2);
    return view.verdict().starts_with("vanishing");
  };
  EXPECT_FALSE(is_vanishing(4.9)) << linear_layers(std::pow(10, -4.9 / 4) / 2).verdict();
  EXPECT_TRUE(is_vanishing(5.1));
}

TEST(Findings, APenaltyOnParametersIsNoLayer) {
  double references[2];
  for (const bool penalty : {false, true}) {
    ParameterSet parameters;
    Tape tape;
    Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
    for (int i = 1; i <= 3; ++i) h = layer(parameters, "fc" + std::to_string(i), h, 0.5);
    Var loss = sum(square(h - 0.5));
    if (penalty) {
      const Scope scope("penalty");
      Var total = sum(square(use(*parameters.all()[0])));
      total = total + sum(square(use(*parameters.all()[1])));
      loss = loss + total * 1e-6;
    }
    GradientFlow flow;
    (void)backward(loss, {.observer = &flow});
    const GraphView view = graph_view(tape, {.gradients = &flow.record()});
    EXPECT_EQ(view.verdict(), "healthy");
    references[penalty] = view.reference_rms;
  }
  EXPECT_NEAR(references[1] / references[0], 1, 0.5);
}

TEST(Findings, ScalingTheLossChangesNoVerdict) {
  for (const double factor : {1e-8, 1.0, 1e8}) {
    ParameterSet parameters;
    Tape tape;
    Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
    for (int i = 1; i <= 3; ++i) h = layer(parameters, "fc" + std::to_string(i), h, 0.5);
    GradientFlow flow;
    (void)backward(sum(square(h - 0.5)) * factor, {.observer = &flow});
    EXPECT_EQ(graph_view(tape, {.gradients = &flow.record()}).verdict(), "healthy") << factor;
  }
}

TEST(Findings, ExplodingGradients) {
  // Each layer multiplies the gradient by 20.
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  for (int i = 1; i <= 5; ++i) {
    Scope scope("fc" + std::to_string(i));
    h = matmul(h, weight(parameters, "weight", Tensor::full({4, 4}, 5.0, DType::kFloat64)));
  }
  GradientFlow flow;
  (void)backward(sum(square(h)), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kExploding);
  EXPECT_NE(view.findings[0].what.find("from the loss to fc1"), std::string::npos);
}

TEST(Findings, GradientsThatDieOutCompletelyAreVanishing) {
  const GraphView view = linear_layers(0.0);
  ASSERT_FALSE(view.findings.empty());
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kVanishing);
  EXPECT_NE(view.findings[0].what.find("drops to 0 from the loss to fc1"), std::string::npos)
      << view.findings[0].what;
}

TEST(Findings, UnitsThatGiveOnlyZerosAreNamed) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  for (int i = 1; i <= 4; ++i) {
    Scope scope("fc" + std::to_string(i));
    // The bias of fc3 pushes all its units below zero.
    h = relu(matmul(h, weight(parameters, "weight", hadamard(0.5))) + (i == 3 ? -100.0 : 1.0));
  }
  GradientFlow flow;
  (void)backward(sum(square(h - 0.5)), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_FALSE(view.findings.empty());
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kVanishing);
  EXPECT_NE(view.findings[0].what.find("relu in fc3 gives 100 % zeros (findings_test.cc:"),
            std::string::npos)
      << view.findings[0].what;
  EXPECT_NE(view.findings[0].fix.find("lower the rate"), std::string::npos);
}

TEST(Findings, WithoutScopesEachUseOfAParameterIsALayer) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  for (int i = 1; i <= 5; ++i) {
    h = tanh(matmul(h, weight(parameters, "w" + std::to_string(i), hadamard(0.005))));
  }
  GradientFlow flow;
  (void)backward(sum(square(h - 0.5)), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kVanishing);
  EXPECT_NE(view.findings[0].what.find("from the loss to matmul#0"), std::string::npos);
}

TEST(Findings, AParameterCutOffByAnOpWithoutDerivative) {
  ParameterSet parameters;
  Tape tape;
  const Var x = variable(Tensor::full({4}, 0.5, DType::kFloat64));
  const Var w = weight(parameters, "threshold", Tensor::full({4}, 0.1, DType::kFloat64));
  const Var loss = sum(where(x > w * 2.0, x, x * 0.1));
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kNoGradient);
  EXPECT_EQ(view.findings[0].place, "greater#0");
  EXPECT_NE(view.findings[0].what.find("threshold is cut off by greater#0 (findings_test.cc:"),
            std::string::npos)
      << view.findings[0].what;
}

TEST(Findings, AParameterCutOffBehindALaterOutput) {
  ParameterSet parameters;
  Tape tape;
  const Var w = weight(parameters, "w", Tensor::from<double>({1, 2, 3, 4}, {4}));
  const std::vector<Var> parts = split(w, 2);
  const Var chosen = cast(argmax(parts[1]), DType::kFloat64);
  const Var x = variable(0.5);
  GradientFlow flow;
  (void)backward(x * chosen, {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_NE(view.findings[0].what.find("is cut off by argmax"), std::string::npos)
      << view.findings[0].what;
}

TEST(Findings, AParameterThatLeadsNowhere) {
  ParameterSet parameters;
  Tape tape;
  const Var x = variable(Tensor::full({4}, 0.5, DType::kFloat64));
  const Var w = weight(parameters, "scale", Tensor::full({4}, 0.1, DType::kFloat64));
  const Var h = tanh(x * w);
  const Var loss = sum(x + h.value());  // value() cuts
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kNoGradient);
  EXPECT_EQ(view.findings[0].place, "tanh#0");
  EXPECT_NE(view.findings[0].fix.find("value()"), std::string::npos);
}

TEST(Findings, FrozenParametersMayGoWithoutGradient) {
  ParameterSet parameters;
  parameters.add("frozen", Tensor::full({4}, 0.1, DType::kFloat64)).set_trainable(false);
  Tape tape;
  const Var x = variable(Tensor::full({4}, 0.5, DType::kFloat64));
  const Var loss = sum(x * use(parameters.at("frozen")));
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  EXPECT_EQ(graph_view(tape, {.gradients = &flow.record()}).verdict(), "healthy");
}

TEST(Findings, ANaNIsReportedWhereItBeginsNotWhereItEnds) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({0, 1}, {2}));
  const Var before = x * 2.0;
  const Var ratio = before / before;  // 0/0
  const Var after = tanh(ratio);
  const Var loss = sum(square(after));
  GradientFlow flow;
  (void)backward(loss, {.retain = true, .observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_FALSE(view.findings.empty());
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kNonFinite);
  EXPECT_EQ(view.findings[0].place, "div#0");
  EXPECT_EQ(view.findings[0].what.substr(0, 33), "begins at div#0 (findings_test.cc");
  EXPECT_TRUE(find_node(view, "div#0")->non_finite_origin);
  for (const char* victim : {"tanh#0", "square#0", "sum#0"}) {
    EXPECT_FALSE(find_node(view, victim)->non_finite_origin) << victim;
  }
  EXPECT_TRUE(find_node(view, "sum#0")->non_finite());
}

TEST(Findings, WhereTheOriginsValueIsGoneTheTapesOwnDetectionHelps) {
  for (const bool detect : {false, true}) {
    Tape tape;
    tape.detect_non_finite(detect);
    const Var x = variable(Tensor::from<double>({0, 1}, {2}));
    const Var loss = sum(tanh(x * kInfinity + 1.0));  // nobody keeps 0·∞
    const GraphView view = graph_view(tape, {.root = loss});
    ASSERT_EQ(view.findings.size(), 1u);
    if (detect) {
      EXPECT_EQ(view.findings[0].place, "mul#0") << view.findings[0].what;
      EXPECT_EQ(view.findings[0].what.substr(0, 15), "begins at mul#0");
    } else {
      EXPECT_EQ(view.findings[0].what.substr(0, 19), "begins at or before");
      EXPECT_NE(view.findings[0].fix.find("detect_non_finite"), std::string::npos);
    }
  }
}

TEST(Findings, AnInfinityThatNeverReachesTheLossIsNoFinding) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({1, 2}, {2}));
  const Var mask = Tensor::from<double>({-kInfinity, 0}, {2});
  tape.name(exp(mask + x), "weights");
  const Var loss = sum(exp(mask + x));
  GradientFlow flow;
  (void)backward(loss, {.retain = true, .observer = &flow});
  EXPECT_EQ(graph_view(tape, {.gradients = &flow.record()}).verdict(), "healthy");
}

TEST(Findings, ANaNInTheDataIsTheDatasFault) {
  Tape tape;
  const Var data = Tensor::from<double>({1, kNaN}, {2});
  const Var x = variable(Tensor::from<double>({1, 2}, {2}));
  const Var loss = sum(data * x);
  tape.name(data, "images");
  const GraphView view = graph_view(tape, {.root = loss});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].place, "constant#0");
  EXPECT_NE(view.findings[0].fix.find("data"), std::string::npos);
}

// y = x with the derivative NaN, as a broken op of somebody's would have it.
constexpr OpDef poison_op = [] {
  OpDef op;
  op.name = "poison";
  op.differentiable = kAllInputs;
  op.infer = [](InferContext& call) { call.output(call.dtype(0), call.shape(0)); };
  op.evaluate = [](EvalContext& call) {
    for (std::int64_t i = 0; i < call.output().count(); ++i) {
      call.output().as<double>()[i] = call.input(0).as<double>()[i];
    }
  };
  op.vjp = [](VjpContext& call) { call.set(0, call.cotangent() * kNaN); };
  return op;
}();

TEST(Findings, AGradientThatTurnsNaNIsReportedAtTheOpThatSentIt) {
  ParameterSet parameters;
  Tape tape;
  const Var x = variable(Tensor::full({1, 4}, 0.5, DType::kFloat64));
  const Var h = tanh(x);
  const Var loss = sum(square(apply(poison_op, h, std::source_location::current())));
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].kind, Finding::Kind::kNonFinite);
  EXPECT_EQ(view.findings[0].place, "poison#0");
  EXPECT_NE(view.findings[0].what.find("4 of 4 elements"), std::string::npos);
  EXPECT_EQ(find_edge(view, "tanh#0", "poison#0")->gradient->non_finite, 4);
  EXPECT_EQ(find_edge(view, "poison#0", "square#0")->gradient->non_finite, 0);
}

TEST(Findings, OfSeveralOpsThatSendNaNTheFirstOfBackwardIsNamed) {
  Tape tape;
  const Var x = variable(Tensor::full({4}, 0.5, DType::kFloat64));
  const auto poison = [](const Var& v) {
    return apply(poison_op, v, std::source_location::current());
  };
  const Var early = tanh(poison(x)), late = tanh(poison(x));
  GradientFlow flow;
  (void)backward(sum(early + late), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  ASSERT_EQ(view.findings.size(), 1u) << view.verdict();
  EXPECT_EQ(view.findings[0].place, "poison#1");  // backward runs from the end
}

}  // namespace
}  // namespace wengert::export_tests
