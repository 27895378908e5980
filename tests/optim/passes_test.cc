#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tests/optim/training_models.h"
#include "wengert/optim/passes/clip_global_norm.h"
#include "wengert/optim/passes/gradients.h"
#include "wengert/optim/passes/l2_penalty.h"

namespace wengert::optim {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A weight [2,2] and a bias [2] in float64.
void fill(ParameterSet& parameters) {
  parameters.add("fc/weight", Tensor::from({0.5, -1.5, 2.0, 0.25}, {2, 2}));
  parameters.add("fc/bias", Tensor::from({3.0, -4.0}, {2}));
}

/// A loss Σ bias²/2 + Σ weight³ with the pass run over it.
struct Penalized {
  explicit Penalized(ParameterSet& parameters, Pass& pass) {
    const Var w = use(parameters.at("fc/weight")), b = use(parameters.at("fc/bias"));
    plain = sum(square(b)) * Var(0.5) + sum(square(w) * w);
    graph.parameters = &parameters;
    graph.add("loss", plain);
    changed = pass.run(graph, context);
  }
  Graph graph;
  PassContext context;
  Var plain;
  bool changed;
};

TEST(L2Penalty, AddsLambdaTimesTheWeight) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass(0.5);
  const Tape tape;
  Penalized run(parameters, pass);
  ASSERT_TRUE(run.changed);
  // Σw² = 0.25 + 2.25 + 4 + 0.0625; the bias is no weight.
  EXPECT_DOUBLE_EQ(run.graph.at("loss").scalar_value(), run.plain.scalar_value() + 0.25 * 6.5625);
  const Gradients plain = backward(run.plain, {.retain = true});
  const Gradients penalized = backward(run.graph.at("loss"));
  const Tensor& w = parameters.at("fc/weight").value();
  for (int i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(penalized.at("fc/weight").value().at(i),
                     plain.at("fc/weight").value().at(i) + 0.5 * w.at(i));
  }
  EXPECT_EQ(penalized.at("fc/bias").value().to_vector<double>(), (std::vector<double>{3, -4}));
}

TEST(L2Penalty, ExplainsItself) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass(0.5);
  const Tape tape;
  const Penalized run(parameters, pass);
  ASSERT_EQ(run.context.explanations().size(), 1u);
  const Explanation& explanation = run.context.explanations()[0];
  EXPECT_EQ(explanation.pass, "l2_penalty");
  EXPECT_EQ(explanation.subject, "fc/weight");
  EXPECT_TRUE(holds(explanation.text, "adds 0.25·Σw² to the loss, ‖w‖ = 2.56")) << explanation.text;
}

TEST(L2Penalty, HasASecondDerivative) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass(0.5);
  const Tape tape;
  Penalized run(parameters, pass);
  const Var w = use(parameters.at("fc/weight"));
  const Var first = grad(run.graph.at("loss"), w, {.create_graph = true});
  const Tensor second = grad(sum(first), w).value();
  // Of w³ + w²/4: 6w + 1/2.
  const Tensor& value = parameters.at("fc/weight").value();
  for (int i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(second.at(i), 6 * value.at(i) + 0.5);
}

TEST(L2Penalty, StandsInAScopeOfItsOwn) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass(0.5);
  const Tape tape;
  const std::uint32_t before = tape.size();
  Penalized run(parameters, pass);
  int inside = 0;
  for (std::uint32_t id = before; id < tape.size(); ++id) {
    inside += tape.scope(id) == "l2_penalty";
  }
  EXPECT_GE(inside, 4);  // square, sum, scaling, addition
}

TEST(L2Penalty, TakesOtherFiltersAndSkipsFrozenParameters) {
  ParameterSet parameters;
  fill(parameters);
  parameters.at("fc/weight").set_trainable(false);
  L2Penalty all(2, is_any_parameter), weights(2);
  const Tape tape;
  Penalized run(parameters, all);
  EXPECT_DOUBLE_EQ(run.graph.at("loss").scalar_value(), run.plain.scalar_value() + 25);
  EXPECT_FALSE(Penalized(parameters, weights).changed);
}

TEST(L2Penalty, ZeroLeavesTheTapeAlone) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass(0);
  const Tape tape;
  Penalized run(parameters, pass);
  const std::uint32_t size = tape.size();
  EXPECT_FALSE(pass.run(run.graph, run.context));
  EXPECT_FALSE(run.changed);
  EXPECT_EQ(tape.size(), size);
  EXPECT_TRUE(run.context.explanations().empty());
  EXPECT_EQ(run.graph.at("loss").get(), run.plain.get());
}

TEST(L2Penalty, RefusesBadNumbersAndGraphs) {
  for (const double bad : {-0.1, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { L2Penalty pass(bad); }).kind(), ErrorKind::kValue) << bad;
  }
  const Tape tape;
  Graph graph;
  graph.add("loss", variable(1.0));
  PassContext context;
  L2Penalty pass(1);
  EXPECT_EQ(error_of([&] { pass.run(graph, context); }).kind(), ErrorKind::kGraph);
}

// ------------------------------------------------------------ clipping

/// Gradients (3, 4) for "a" and (12) for "b": norm 13.
struct Thirteen {
  Thirteen() {
    parameters.add("a", Tensor::from({1.0, 1.0}, {2}));
    parameters.add("b", Tensor::from({1.0f}, {1}));
    gradients = of(Tensor::from({12.0f}, {1}));
  }
  Gradients of(const Tensor& b) {
    const Tape tape;
    return backward(
        cast(sum(use(parameters.at("a")) * Var(Tensor::from({3.0, 4.0}, {2}))), DType::kFloat32) +
        sum(use(parameters.at("b")) * Var(b)));
  }
  bool clip(double limit) {
    PassPipeline passes;
    auto made = std::make_unique<ClipGlobalNorm>(limit);
    pass = made.get();
    passes.add(std::move(made));
    const bool changed = run_on_gradients(passes, gradients, context);
    norm = pass->last_norm();
    return changed;
  }
  std::vector<double> values() const {
    auto all = gradients.at("a").value().to_vector<double>();
    all.push_back(gradients.at("b").value().at(0));
    return all;
  }
  ParameterSet parameters;
  Gradients gradients;
  PassContext context;
  const ClipGlobalNorm* pass = nullptr;
  double norm = 0;
};

TEST(ClipGlobalNorm, ScalesAllToTheLimit) {
  Thirteen thirteen;
  EXPECT_TRUE(thirteen.clip(6.5));
  EXPECT_EQ(thirteen.values(), (std::vector<double>{1.5, 2, 6}));
  EXPECT_EQ(thirteen.norm, 13);
  EXPECT_EQ(thirteen.gradients.at("b").dtype(), DType::kFloat32);
  ASSERT_EQ(thirteen.context.explanations().size(), 1u);
  EXPECT_EQ(thirteen.context.explanations()[0].text,
            "‖g‖ = 13 is above 6.5: each is scaled by 0.5");
}

TEST(ClipGlobalNorm, LeavesSmallerOnesUntouched) {
  for (const double limit : {13.0, 13.5, 1e9}) {
    Thirteen thirteen;
    EXPECT_FALSE(thirteen.clip(limit));
    EXPECT_EQ(thirteen.values(), (std::vector<double>{3, 4, 12})) << limit;
    EXPECT_TRUE(thirteen.context.explanations().empty());
  }
}

TEST(ClipGlobalNorm, ReportsWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Thirteen thirteen;
    thirteen.gradients = thirteen.of(Tensor::from({bad}, {1}));
    EXPECT_FALSE(thirteen.clip(1));
    EXPECT_EQ(thirteen.gradients.at("a").value().to_vector<double>(), (std::vector<double>{3, 4}));
    EXPECT_FALSE(std::isfinite(thirteen.norm));
    ASSERT_EQ(thirteen.context.explanations().size(), 1u);
    EXPECT_EQ(thirteen.context.explanations()[0].subject, "b");
    EXPECT_TRUE(holds(thirteen.context.explanations()[0].text, "NaN or infinity"));
  }
}

TEST(ClipGlobalNorm, TakesHugeGradientsWhoseSquaresOverflow) {
  Thirteen thirteen;
  thirteen.gradients = thirteen.of(Tensor::from({1e30f}, {1}));
  EXPECT_TRUE(thirteen.clip(2));
  EXPECT_NEAR(thirteen.values()[2], 2, 1e-6);
}

TEST(ClipGlobalNorm, CanBeDifferentiated) {
  // g = w³ elementwise (of Σw⁴/4), clipped to norm 1: c = g/‖g‖. Its derivative against
  // differences.
  const auto clipped_sum = [](const std::vector<double>& w, std::vector<double>* derivative) {
    ParameterSet parameters;
    parameters.add("w", Tensor::from(w, {static_cast<std::int64_t>(w.size())}));
    const Tape tape;
    const Var x = use(parameters.at("w"));
    Gradients gradients = backward(sum(square(square(x))) * Var(0.25), {.create_graph = true});
    PassPipeline passes;
    passes.add(std::make_unique<ClipGlobalNorm>(1));
    PassContext context;
    EXPECT_TRUE(run_on_gradients(passes, gradients, context));
    const Var weights = Tensor::from({1.0, 2.0, 3.0}, {3});
    const Var total = sum(gradients.at("w") * weights);
    if (derivative != nullptr) *derivative = grad(total, x).value().to_vector<double>();
    return total.scalar_value();
  };
  const std::vector<double> w = {1.1, -1.3, 0.9};
  std::vector<double> exact;
  clipped_sum(w, &exact);
  ASSERT_EQ(exact.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    auto up = w, down = w;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    EXPECT_NEAR(exact[i], (clipped_sum(up, nullptr) - clipped_sum(down, nullptr)) / 2e-5, 1e-8);
    EXPECT_GT(std::fabs(exact[i]), 0.01);
  }
}

/// A pass that does what none may do to gradients.
class DropsRoots : public Pass {
 public:
  std::string_view name() const override { return "drops_roots"; }
  bool run(Graph& graph, PassContext&) override {
    graph.roots().pop_back();
    return true;
  }
};

TEST(RunOnGradients, RefusesAPassThatTakesOneAway) {
  Thirteen thirteen;
  const std::vector<double> before = thirteen.values();
  PassPipeline passes;
  passes.add(std::make_unique<DropsRoots>());
  PassContext context;
  EXPECT_EQ(error_of([&] { run_on_gradients(passes, thirteen.gradients, context); }).kind(),
            ErrorKind::kGraph);
  EXPECT_EQ(thirteen.values(), before);
}

TEST(ClipGlobalNorm, RefusesBadLimits) {
  for (const double bad : {0.0, -1.0, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { ClipGlobalNorm pass(bad); }).kind(), ErrorKind::kValue) << bad;
  }
  Graph empty;
  PassContext context;
  EXPECT_FALSE(ClipGlobalNorm(1).run(empty, context));
}

}  // namespace
}  // namespace wengert::optim
