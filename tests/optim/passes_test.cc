#include "wengert/optim/passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "tests/optim/training_models.h"

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
    roots.parameters = &parameters;
    roots.add("loss", plain);
    changed = pass.run(roots, context);
  }
  Roots roots;
  PassContext context;
  Var plain;
  bool changed;
};

TEST(L2Penalty, AddsLambdaTimesTheWeight) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass({.lambda = 0.5});
  const Tape tape;
  Penalized run(parameters, pass);
  ASSERT_TRUE(run.changed);
  // Σw² = 0.25 + 2.25 + 4 + 0.0625; the bias is no weight.
  EXPECT_DOUBLE_EQ(run.roots.at("loss").scalar_value(), run.plain.scalar_value() + 0.25 * 6.5625);
  const Gradients plain = backward(run.plain, {.retain = true});
  const Gradients penalized = backward(run.roots.at("loss"));
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
  L2Penalty pass({.lambda = 0.5});
  const Tape tape;
  const Penalized run(parameters, pass);
  ASSERT_EQ(run.context.explanations().size(), 1u);
  const Explanation explanation = run.context.explanations()[0];
  EXPECT_EQ(explanation.pass, "l2_penalty");
  EXPECT_EQ(explanation.subject, "fc/weight");
  EXPECT_TRUE(holds(explanation.text, "adds 0.25·Σw² to the loss, ‖w‖ = 2.56")) << explanation.text;
}

TEST(L2Penalty, HasASecondDerivative) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass({.lambda = 0.5});
  const Tape tape;
  Penalized run(parameters, pass);
  const Var w = use(parameters.at("fc/weight"));
  const Var first = grad(run.roots.at("loss"), w, {.create_graph = true});
  const Tensor second = grad(sum(first), w).value();
  // Of w³ + w²/4: 6w + 1/2.
  const Tensor& value = parameters.at("fc/weight").value();
  for (int i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(second.at(i), 6 * value.at(i) + 0.5);
}

TEST(L2Penalty, StandsInAScopeOfItsOwn) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass({.lambda = 0.5});
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
  L2Penalty all({.lambda = 2}, is_any_parameter), weights({.lambda = 2});
  const Tape tape;
  Penalized run(parameters, all);
  EXPECT_DOUBLE_EQ(run.roots.at("loss").scalar_value(), run.plain.scalar_value() + 25);
  EXPECT_FALSE(Penalized(parameters, weights).changed);
}

TEST(L2Penalty, ZeroLeavesTheTapeAlone) {
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass({.lambda = 0});
  const Tape tape;
  Penalized run(parameters, pass);
  const std::uint32_t size = tape.size();
  EXPECT_FALSE(pass.run(run.roots, run.context));
  EXPECT_FALSE(run.changed);
  EXPECT_EQ(tape.size(), size);
  EXPECT_TRUE(run.context.explanations().empty());
  EXPECT_EQ(run.roots.at("loss").get(), run.plain.get());
}

TEST(L2Penalty, RefusesBadNumbersAndGraphs) {
  for (const double bad : {-0.1, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { L2Penalty pass({.lambda = bad}); }).kind(), ErrorKind::kValue) << bad;
  }
  const Tape tape;
  Roots roots;
  roots.add("loss", variable(1.0));
  PassContext context;
  L2Penalty pass({.lambda = 1});
  EXPECT_EQ(error_of([&] { pass.run(roots, context); }).kind(), ErrorKind::kGraph);
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
    passes.add<ClipGlobalNorm>({.limit = limit});
    const bool changed = run_on_gradients(passes, gradients, context);
    norm = context.number("clip_global_norm", "norm");
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
    passes.add<ClipGlobalNorm>({.limit = 1});
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

TEST(ClipGlobalNorm, WritesInPlaceWhatNobodyElseHolds) {
  ParameterSet parameters;
  parameters.add("own", Tensor::from({1.0, 2.0, 3.0}, {3}));
  parameters.add("held", Tensor::from({1.0, 2.0, 3.0}, {3}));
  Gradients gradients;
  {
    const Tape tape;
    gradients =
        backward(sum(square(use(parameters.at("own")))) + sum(square(use(parameters.at("held")))));
  }
  const std::byte* memory = gradients.at("own").value().data();
  const Tensor held = gradients.at("held").value();
  PassPipeline passes;
  passes.add<ClipGlobalNorm>({.limit = 1e-3});
  PassContext context;
  EXPECT_TRUE(run_on_gradients(passes, gradients, context));
  EXPECT_EQ(gradients.at("own").value().data(), memory);
  EXPECT_NE(gradients.at("held").value().data(), held.data());
  EXPECT_EQ(held.to_vector<double>(), (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(gradients.at("held").value().to_vector<double>(),
            gradients.at("own").value().to_vector<double>());
}

TEST(ClipGlobalNorm, ClipsThoseThatItsFilterAccepts) {
  Thirteen thirteen;
  PassPipeline passes;
  passes.add(std::make_unique<ClipGlobalNorm>(ClipGlobalNorm::Options{.limit = 1}, named("a")));
  EXPECT_TRUE(run_on_gradients(passes, thirteen.gradients, thirteen.context));
  EXPECT_EQ(thirteen.values(), (std::vector<double>{3 * 0.2, 4 * 0.2, 12}));
}

/// Recorded gradients c·w of Σ c·w²/2 at w = 1, clipped; what came of them.
std::vector<double> clipped_recorded(const std::vector<double>& c, double limit,
                                     PassContext& context) {
  ParameterSet parameters;
  const auto size = static_cast<std::int64_t>(c.size());
  parameters.add("w", Tensor::full({size}, 1, DType::kFloat64));
  const Tape tape;
  Gradients gradients =
      backward(sum(square(use(parameters.at("w"))) * Var(Tensor::from(c, {size}))) * Var(0.5),
               {.create_graph = true});
  PassPipeline passes;
  passes.add<ClipGlobalNorm>({.limit = limit});
  run_on_gradients(passes, gradients, context);
  return gradients.at("w").value().to_vector<double>();
}

TEST(ClipGlobalNorm, OfRecordedGradientsComputesTheFactorAsAnOp) {
  PassContext context;
  EXPECT_EQ(clipped_recorded({3, 4}, 2.5, context), (std::vector<double>{1.5, 2}));
  EXPECT_EQ(context.number("clip_global_norm", "norm"), 5);
  EXPECT_TRUE(holds(context.str(), "‖g‖ = 5 is above 2.5: each is scaled by 0.5")) << context.str();
  EXPECT_EQ(clipped_recorded({3, 4}, 6, context), (std::vector<double>{3, 4}));
  EXPECT_EQ(clipped_recorded({0, 0}, 1, context), (std::vector<double>{0, 0}));
  // What is finite does not become zero beside what is not.
  context.clear();
  const std::vector<double> bad = clipped_recorded({3, kInfinity}, 1, context);
  EXPECT_EQ(bad[0], 3);
  EXPECT_EQ(bad[1], kInfinity);
  EXPECT_TRUE(holds(context.str(), "is not finite: nothing was clipped")) << context.str();
}

TEST(ClipGlobalNorm, ReportsSquaresThatOverflowFloat64) {
  Thirteen thirteen;
  thirteen.parameters.add("huge", Tensor::from({1.0}, {1}));
  thirteen.gradients =
      gradients_equal_to(thirteen.parameters, {{"huge", Tensor::from({1e200}, {1})}});
  EXPECT_FALSE(thirteen.clip(1));
  EXPECT_EQ(thirteen.gradients.at("huge").value().at(0), 1e200);
  EXPECT_TRUE(holds(thirteen.context.str(), "overflows float64")) << thirteen.context.str();
}

// ------------------------------------------------------------ what every pass keeps to

TEST(Pass, LeavesTheRootsAsTheyWereWhenItFails) {
  const std::vector<std::pair<std::string, FunctionPass::Function>> wrongs = {
      {"took away or added", [](Roots& r, PassContext&) { return r.all().pop_back(), true; }},
      {"took away or added",
       [](Roots& r, PassContext&) { return r.add("more", Var(1.0), nullptr), true; }},
      {"renamed or reordered",
       [](Roots& r, PassContext&) { return std::swap(r.all()[0], r.all()[1]), true; }},
      {"renamed or reordered", [](Roots& r, PassContext&) { return r.all()[0].name = "z", true; }},
      {"it made the root 'a' f64[] from f64[2]",
       [](Roots& r, PassContext&) { return r.at("a") = sum(r.at("a")), true; }},
      {"it made the root 'a' f32[2] from f64[2]",
       [](Roots& r, PassContext&) { return r.at("a") = cast(r.at("a"), DType::kFloat32), true; }},
      {"did not say so", [](Roots& r, PassContext&) { return r.at("a") = r.at("a") * 2, false; }},
      {"emptied", [](Roots& r, PassContext&) { return r.at("a") = Var(), true; }},
      {"on purpose", [](Roots& r, PassContext& context) -> bool {
         r.at("a") = r.at("a") * 2;
         context.explain("function", "a", "doubled");
         throw Error(ErrorKind::kValue, "test", "on purpose");
       }}};
  for (const auto& [message, wrong] : wrongs) {
    Thirteen thirteen;
    const std::vector<double> before = thirteen.values();
    PassPipeline passes;
    passes.add(std::make_unique<FunctionPass>(PassStage::kGradients, wrong));
    const Error error =
        error_of([&] { run_on_gradients(passes, thirteen.gradients, thirteen.context); });
    EXPECT_TRUE(holds(error.message(), message)) << error.what();
    EXPECT_EQ(base_name(error.file()), "passes_test.cc");
    EXPECT_EQ(thirteen.values(), before) << message;
    EXPECT_TRUE(thirteen.context.explanations().empty()) << message;
  }
}

TEST(Pass, RunsAtItsStageAlone) {
  std::string order;
  PassPipeline passes;
  for (const PassStage stage : {PassStage::kAfterStep, PassStage::kLoss, PassStage::kGradients}) {
    passes.add(std::make_unique<FunctionPass>(stage, [&order, stage](Roots&, PassContext&) {
      order += std::string(name_of(stage)) + ".";
      return false;
    }));
  }
  Thirteen thirteen;
  Roots roots;
  EXPECT_FALSE(passes.run(PassStage::kLoss, roots, thirteen.context));
  EXPECT_FALSE(run_on_gradients(passes, thirteen.gradients, thirteen.context));
  EXPECT_FALSE(run_after_step(passes, thirteen.parameters, thirteen.context));
  EXPECT_EQ(order, "loss.gradients.after step.");
  EXPECT_TRUE(passes.has(PassStage::kLoss));
  EXPECT_FALSE(passes.has(PassStage::kCapture));
}

TEST(PassPipeline, TellsWhetherAnyOfItsPassesChangedSomething) {
  for (const bool first : {false, true}) {
    for (const bool second : {false, true}) {
      PassPipeline passes;
      for (const bool changes : {first, second}) {
        passes.add(
            std::make_unique<FunctionPass>(PassStage::kLoss, [changes](Roots& r, PassContext&) {
              if (changes) r.at("loss") = r.at("loss") * 2.0;
              return changes;
            }));
      }
      Roots roots;
      PassContext context;
      roots.add("loss", Tensor::scalar(1.0));
      EXPECT_EQ(passes.run(PassStage::kLoss, roots, context), first || second);
    }
  }
}

TEST(Pass, AfterAStepReplacesParametersInTheirMemory) {
  Thirteen thirteen;
  thirteen.parameters.add("frozen", Tensor::from({5.0}, {1})).set_trainable(false);
  const std::byte* memory = thirteen.parameters.at("a").value().data();
  PassPipeline passes;
  passes.add(std::make_unique<FunctionPass>(PassStage::kAfterStep, [](Roots& r, PassContext&) {
    EXPECT_EQ(r.all().size(), 2u);  // those that are trained
    r.at("a") = minimum(r.at("a") * 3, 2.0);
    return true;
  }));
  EXPECT_TRUE(run_after_step(passes, thirteen.parameters, thirteen.context));
  EXPECT_EQ(thirteen.parameters.at("a").value().to_vector<double>(), (std::vector<double>{2, 2}));
  EXPECT_EQ(thirteen.parameters.at("a").value().data(), memory);
  EXPECT_EQ(thirteen.parameters.at("b").value().at(0), 1);
}

TEST(PassContext, MakesWordsWhenTheyAreRead) {
  PassContext context;
  int made = 0;
  context.explain("p", "s", [&made] { return std::to_string(++made); });
  context.explain("p", "t", "plain");
  context.report("p", "norm", 1);
  context.report("p", "norm", [&made] { return 10.0 + made; });
  EXPECT_EQ(made, 0);
  EXPECT_EQ(context.str(), "p: s: 1\np: t: plain\n");
  EXPECT_EQ(context.number("p", "norm"), 11);
  EXPECT_TRUE(std::isnan(context.number("p", "other")));
}

TEST(L2Penalty, ReadsNoValueInAStep) {
  // Words are made later, from numbers that the step after does not change.
  ParameterSet parameters;
  fill(parameters);
  L2Penalty pass({.lambda = 0.5});
  PassContext context;
  {
    const Tape tape;
    Penalized run(parameters, pass);
    context = run.context;
  }
  WriteGuard(parameters.at("fc/weight").mutable_value(), "test").span<double>()[0] = 1e6;
  EXPECT_TRUE(holds(context.str(), "‖w‖ = 2.56")) << context.str();
}

TEST(Passes, OfTheTableHavePagesAndNames) {
  ASSERT_GE(registered_passes().size(), 2u);
  for (const PassDef* def : registered_passes()) {
    for (const std::string_view text :
         {def->doc.summary, def->doc.formula, def->doc.notes, def->doc.source}) {
      EXPECT_FALSE(text.empty()) << def->name;
    }
    EXPECT_EQ(make_pass(def->name)->name(), def->name);
    EXPECT_EQ(make_pass(def->name)->stage(), def->stage);
    for (const OptionDef& option : def->options()) {
      EXPECT_FALSE(option.doc.empty()) << def->name << " " << option.name;
      for (const char* bad : {"nan", "inf", "-1", "x", ""}) {
        EXPECT_EQ(error_of([&] {
                    make_pass(def->name, {{std::string(option.name), bad}});
                  }).kind(),
                  ErrorKind::kValue)
            << def->name << " " << option.name << "=" << bad;
      }
    }
  }
  EXPECT_EQ(error_of([] { make_pass("l2_penlty"); }).fix(), "did you mean 'l2_penalty'?");
}

TEST(ClipGlobalNorm, RefusesBadLimits) {
  for (const double bad : {0.0, -1.0, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { ClipGlobalNorm pass({.limit = bad}); }).kind(), ErrorKind::kValue)
        << bad;
  }
  Roots empty;
  PassContext context;
  EXPECT_FALSE(ClipGlobalNorm({.limit = 1}).run(empty, context));
}

}  // namespace
}  // namespace wengert::optim
