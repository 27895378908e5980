#include <gtest/gtest.h>

#include <cmath>

#include "tests/optim/training_models.h"
#include "wengert/graph/mode.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/method.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {
namespace {

/// Squared errors of x·w over the examples whose target is not NaN, and a buffer that counts.
Outcome squares(ParameterSet& parameters, const Batch& batch) {
  const Var w = use(parameters.at("w"));
  const Tensor targets = batch.targets;
  std::vector<double> weights, filled;
  double counted = 0;
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    const bool counts = !std::isnan(targets.at(i));
    weights.push_back(counts);
    filled.push_back(counts ? targets.at(i) : 0);
    counted += counts;
  }
  const Shape shape = {batch.count()};
  const Var error = matmul(Var(batch.inputs), w) - Tensor::from(filled, shape);
  Buffer& seen = parameters.declare_buffer("seen", {}, DType::kFloat64);
  update(seen, use(seen) * 2.0 + counted);
  return Outcome::of_sum(sum(square(error) * Tensor::from(weights, shape)), counted,
                         {{"counted", counted, 1}});
}

void fill(ParameterSet& parameters) { parameters.add("w", Tensor::from({0.5, -1.0, 2.0}, {3})); }

/// 12 examples, of which the targets at `ignored` are NaN.
Batch examples(const std::vector<int>& ignored) {
  std::vector<double> inputs, targets;
  for (int i = 0; i < 36; ++i) inputs.push_back(std::sin(1.3 * i + 0.2));
  for (int i = 0; i < 12; ++i) targets.push_back(std::cos(0.7 * i));
  for (const int i : ignored) targets[static_cast<std::size_t>(i)] = std::nan("");
  return {Tensor::from(inputs, {12, 3}), Tensor::from(targets, {12})};
}

std::vector<Batch> cut(const Batch& batch, const std::vector<std::int64_t>& ends) {
  std::vector<Batch> parts;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    parts.push_back({batch.inputs.rows(begin, end), batch.targets.rows(begin, end)});
    begin = end;
  }
  return parts;
}

// However a batch is cut, and whatever is ignored in its parts, means are over what counts.
TEST(TrainingStep, MicroBatchesAddUpToTheirBatch) {
  PassPipeline passes;
  passes.add(std::make_unique<L2Penalty>(L2Penalty::Options{.lambda = 0.3}, is_any_parameter));
  for (const std::vector<int>& ignored :
       {std::vector<int>{}, std::vector<int>{0, 1, 2, 7}, std::vector<int>{5, 6, 7, 8, 11}}) {
    const Batch whole = examples(ignored);
    ParameterSet one, parts;
    fill(one), fill(parts);
    PassContext context;
    const auto expected =
        TrainingStep(one, squares, &passes).evaluate(std::span(&whole, 1), context);
    // The second cut has a part in which nothing counts.
    for (const std::vector<std::int64_t>& ends :
         {std::vector<std::int64_t>{1, 9, 12}, std::vector<std::int64_t>{5, 9, 12}}) {
      const std::vector<Batch> cuts = cut(whole, ends);
      const auto got = TrainingStep(parts, squares, &passes).evaluate(cuts, context);
      EXPECT_NEAR(got.totals.loss(), expected.totals.loss(), 1e-14);
      EXPECT_EQ(got.totals.denominator(), 12 - static_cast<double>(ignored.size()));
      EXPECT_EQ(got.totals.value("counted") * 3, expected.totals.value("counted"));
      EXPECT_NEAR(got.gradients.value(), expected.gradients.value(), 1e-14);
      for (std::int64_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(got.gradients.at("w").value().at(i), expected.gradients.at("w").value().at(i),
                    1e-14);
      }
    }
  }
}

TEST(TrainingStep, BuffersGoFromPartToPartAndAreCommittedOnce) {
  const Batch whole = examples({});
  ParameterSet parameters;
  fill(parameters);
  TrainingStep step(parameters, squares);
  Sgd sgd({.rate = 0.1});
  PassContext context;
  const std::vector<Batch> parts = cut(whole, {2, 5, 12});
  (void)step.evaluate(parts, context);
  EXPECT_EQ(parameters.find_buffer("seen")->value().scalar_value(), 0) << "nothing is changed";
  step.run(sgd, parts, context);
  EXPECT_EQ(parameters.find_buffer("seen")->value().scalar_value(), (2 * 2 + 3) * 2 + 7);
}

TEST(TrainingStep, ABatchInWhichNothingCountsIsAnError) {
  std::vector<int> all;
  for (int i = 0; i < 12; ++i) all.push_back(i);
  const Batch nothing = examples(all);
  ParameterSet parameters;
  fill(parameters);
  Sgd sgd({.rate = 0.1});
  PassContext context;
  TrainingStep step(parameters, squares);
  for (const std::vector<Batch>& batches : {std::vector<Batch>{nothing}, cut(nothing, {4, 12})}) {
    const Error error = error_of([&] { step.run(sgd, batches, context); });
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    EXPECT_TRUE(holds(error.message(), "nothing in the batch counts")) << error.what();
  }
  EXPECT_EQ(error_of([&] { step.run(sgd, {}, context); }).kind(), ErrorKind::kValue);
  EXPECT_EQ(sgd.steps(), 0);
}

TEST(TrainingStep, RefusesOutcomesThatAreNone) {
  ParameterSet parameters;
  fill(parameters);
  Sgd sgd({.rate = 0.1});
  PassContext context;
  const Batch batch = examples({});
  const auto kind_of = [&](Model model) {
    return error_of([&] {
             TrainingStep(parameters, std::move(model)).run(sgd, std::span(&batch, 1), context);
           })
        .kind();
  };
  EXPECT_EQ(kind_of([](ParameterSet&, const Batch&) -> Outcome { return {}; }), ErrorKind::kValue);
  EXPECT_EQ(kind_of([](ParameterSet& p, const Batch&) -> Outcome { return {use(p.at("w"))}; }),
            ErrorKind::kShape);
  EXPECT_EQ(kind_of([](ParameterSet&, const Batch&) -> Outcome {
              return {Var(Tensor::scalar(std::int64_t{1}))};
            }),
            ErrorKind::kDType);
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_EQ(kind_of([bad](ParameterSet& p, const Batch&) -> Outcome {
                return {sum(use(p.at("w"))), bad};
              }),
              ErrorKind::kValue);
  }
}

// ------------------------------------------------------------ several evaluations of one step

/// A line search: halves the rate until the loss, with the same draws, is no larger than before.
int g_evaluations = 0;
void search(ClosureStep& step) {
  std::vector<ParameterStep> parameters = step.parameters();
  const Gradients first = step.evaluate();
  ++g_evaluations;
  double rate = parameters[0].options[0];
  for (int tries = 0; tries < 20; ++tries, rate /= 2) {
    std::vector<Tensor> points;
    for (ParameterStep& each : parameters) {
      const NoGrad off;
      points.push_back(
          (Var(each.parameter.value()) - first[each.parameter].value() * rate).value());
    }
    ++g_evaluations;
    if (step.evaluate_at(points).value() <= first.value()) break;
  }
  step.update(first, false);
}
void descend(ParameterStep& step) {
  const WriteGuard guard(step.parameter.mutable_value(), "descend");
  for (std::size_t i = 0; i < guard.span<double>().size(); ++i) {
    guard.span<double>()[i] -= step.options[0] * step.gradient.span<double>()[i];
  }
}
const std::vector<OptionDef>& rate_alone() {
  static const std::vector<OptionDef> list = {{"rate", "η", 4.0, kNotNegative}};
  return list;
}
const MethodDef kSearch = {.name = "halving_search",
                           .doc = {"halves", "θ", "none", "test"},
                           .options = rate_alone,
                           .update = descend,
                           .with_closure = search};

/// Squares after dropout: another mask gives another loss.
std::vector<double> g_losses;
Outcome noisy(ParameterSet& parameters, const Batch& batch) {
  const Var h = dropout(parameters, "drop", Var(batch.inputs) * use(parameters.at("w")), 0.5);
  const Var loss = mean(square(sum(h, {1}) - batch.targets));
  g_losses.push_back(loss.scalar_value());
  return {loss, static_cast<double>(batch.count())};
}

TEST(TrainingStep, EvaluationsOfOneStepDrawTheSameAndOneIsCommitted) {
  const Batch batch = examples({});
  ParameterSet parameters;
  fill(parameters);
  Optimizer optimizer(kSearch, {0.0});
  TrainingStep step(parameters, noisy);
  PassContext context;
  for (int k = 1; k <= 3; ++k) {
    g_losses.clear();
    g_evaluations = 0;
    const Totals totals = step.run(optimizer, std::span(&batch, 1), context);
    ASSERT_EQ(g_losses.size(), 2u);  // at rate 0 the first try is no worse
    EXPECT_EQ(g_losses[0], g_losses[1]) << "the same mask at the same point";
    EXPECT_EQ(totals.loss(), g_losses[0]);
    EXPECT_EQ(parameters.find_buffer("drop/counter")->value().item<std::int64_t>(), k);
  }
  EXPECT_EQ(optimizer.steps(), 3);
  optimizer.set_rate(1e3);
  g_evaluations = 0;
  step.run(optimizer, std::span(&batch, 1), context);
  EXPECT_GT(g_evaluations, 3) << "a rate that is too large is halved";
}

TEST(TrainingStep, TellsWhatPassesSaidOfItsFirstEvaluationAlone) {
  const Batch batch = examples({});
  ParameterSet parameters;
  fill(parameters);
  PassPipeline passes;
  passes.add(std::make_unique<FunctionPass>(PassStage::kGradients, [](Roots&, PassContext& said) {
    said.explain("counts", "all", "once");
    return false;
  }));
  Optimizer optimizer(kSearch, {1e3});
  TrainingStep step(parameters, noisy, &passes);
  PassContext context;
  g_evaluations = 0;
  step.run(optimizer, std::span(&batch, 1), context);
  EXPECT_GT(g_evaluations, 1);
  EXPECT_EQ(context.str(), "counts: all: once\n");
}

// ------------------------------------------------------------ stages

TEST(TrainingStep, NoiseIsOnWhatLayersUseAndGradientsReachTheWeights) {
  const Batch batch = examples({});
  const Model model = [](ParameterSet& parameters, const Batch& given) -> Outcome {
    return {mean(square(linear(parameters, "fc", given.inputs, 1))), 12};
  };
  ParameterSet parameters(3), plain(3);
  PassPipeline passes;
  passes.add<WeightNoise>({.stddev = 0.5}).add<L2Penalty>({.lambda = 2});
  TrainingStep step(parameters, model, &passes);
  PassContext context;
  const Totals still = TrainingStep(plain, model).measure(batch);
  EXPECT_EQ(step.measure(batch).loss(), still.loss()) << "no noise for inference";
  const auto first = step.evaluate(std::span(&batch, 1), context);
  EXPECT_TRUE(holds(context.str(), "weight_noise: fc/weight: adds noise of σ = 0.5"));
  EXPECT_FALSE(holds(context.str(), "fc/bias"));
  // The penalty, Σw², is that of the weights themselves.
  double squares_of_w = 0;
  for (const double w : parameters.at("fc/weight").value().to_vector<double>()) {
    squares_of_w += w * w;
  }
  EXPECT_NE(first.totals.loss(), still.loss() + squares_of_w);
  const auto again = step.evaluate(std::span(&batch, 1), context);
  EXPECT_EQ(first.totals.loss(), again.totals.loss()) << "nothing was committed: the same draw";
  EXPECT_EQ(first.gradients.at("fc/weight").shape(), (Shape{3, 1}));
  Sgd sgd({.rate = 1e-9});
  step.run(sgd, std::span(&batch, 1), context);
  const auto next = step.evaluate(std::span(&batch, 1), context);
  EXPECT_GT(std::fabs(next.totals.loss() - first.totals.loss()), 1e-6) << "the next draw";
}

TEST(TrainingStep, ParametersMadeForAPassCostNoDrawAndNoUpdate) {
  const Batch batch = examples({});
  const Model model = [](ParameterSet& parameters, const Batch& given) -> Outcome {
    Var h = dropout(parameters, "drop", linear(parameters, "fc", given.inputs, 4), 0.5);
    Buffer& seen = parameters.declare_buffer("seen", {}, DType::kFloat64);
    update(seen, use(seen) + 1.0);
    return {mean(square(h)), 12};
  };
  ParameterSet parameters(3);
  // Some parameters are there already, as after loading a part.
  parameters.add("other", Tensor::scalar(1.0));
  PassPipeline passes;
  passes.add<WeightNoise>({.stddev = 0.5});
  TrainingStep step(parameters, model, &passes);
  Sgd sgd({.rate = 1e-3});
  PassContext context;
  step.run(sgd, std::span(&batch, 1), context);
  EXPECT_TRUE(holds(context.str(), "fc/weight: adds noise")) << "in the first step too";
  EXPECT_EQ(parameters.find_buffer("drop/counter")->value().item<std::int64_t>(), 1);
  EXPECT_EQ(parameters.find_buffer("seen")->value().scalar_value(), 1);
}

TEST(TrainingStep, MeasuresForInferenceUnderAnyTapeAndTrainsUnderNoneForInference) {
  const Batch batch = examples({});
  ParameterSet parameters;
  fill(parameters);
  TrainingStep step(parameters, noisy);
  const double expected = step.measure(batch).loss();
  {
    const Tape tape;
    EXPECT_EQ(step.measure(batch).loss(), expected);
    EXPECT_EQ(current_mode(), Mode::kTraining);
  }
  const Tape tape(Mode::kInference);
  PassContext context;
  EXPECT_EQ(error_of([&] { (void)step.evaluate(std::span(&batch, 1), context); }).kind(),
            ErrorKind::kGraph);
}

TEST(TrainingStep, APartInWhichNothingCountsMayHoldAnything) {
  const Batch good = examples({});
  Batch bad = examples({});
  bad.inputs = Tensor::full({12, 3}, std::nan(""), DType::kFloat64);
  const Model model = [](ParameterSet& parameters, const Batch& given) -> Outcome {
    const bool counts = !std::isnan(given.inputs.at(0));
    Buffer& seen = parameters.declare_buffer("seen", {}, DType::kFloat64);
    update(seen, use(seen) + 1.0);
    return {mean(square(linear(parameters, "fc", given.inputs, 1))), counts ? 12.0 : 0.0};
  };
  ParameterSet one(5), two(5);
  Sgd sgd({.rate = 0.1}), same({.rate = 0.1});
  PassContext context;
  const std::vector<Batch> both = {good, bad};
  TrainingStep(one, model).run(sgd, std::span(&good, 1), context);
  TrainingStep(two, model).run(same, both, context);
  const auto w = one.at("fc/weight").value().to_vector<double>();
  for (std::size_t i = 0; i < w.size(); ++i) {
    EXPECT_NEAR(two.at("fc/weight").value().at(static_cast<std::int64_t>(i)), w[i], 1e-15);
  }
  EXPECT_EQ(two.find_buffer("seen")->value().scalar_value(), 2) << "its updates count all the same";
}

TEST(TrainingStep, RefusesMetricsThatCouldNotBeToldApart) {
  const Batch batch = examples({});
  ParameterSet parameters;
  fill(parameters);
  PassContext context;
  for (const std::vector<Metric>& metrics : {std::vector<Metric>{{"a", 1, 1}, {"a", 2, 1}},
                                             {{"loss", 1, 1}},
                                             {{"", 1, 1}},
                                             {{"two\nlines", 1, 1}}}) {
    TrainingStep step(parameters, [&](ParameterSet& p, const Batch&) -> Outcome {
      return {sum(use(p.at("w"))), 1, metrics};
    });
    EXPECT_EQ(error_of([&] { (void)step.evaluate(std::span(&batch, 1), context); }).kind(),
              ErrorKind::kValue);
  }
}

TEST(Classifier, WeighsExamplesByTheBatchsWeights) {
  Batch batch{Tensor::from({1.0, -1.0, 0.5, 2.0}, {4, 1}),
              Tensor::from<std::int64_t>({0, 1, 1, 0}, {4})};
  const Model model =
      classifier([](ParameterSet& p, const Var& x) { return linear(p, "fc", x, 2); });
  ParameterSet parameters(2);
  TrainingStep step(parameters, model);
  std::vector<double> alone;
  for (std::int64_t i = 0; i < 4; ++i) {
    alone.push_back(
        step.measure({batch.inputs.rows(i, i + 1), batch.targets.rows(i, i + 1)}).loss());
  }
  batch.weights = Tensor::from({0.5, 0.0, 2.0, 1.0}, {4});
  const Totals totals = step.measure(batch);
  EXPECT_EQ(totals.denominator(), 3.5);
  EXPECT_NEAR(totals.loss(), (0.5 * alone[0] + 2 * alone[2] + alone[3]) / 3.5, 1e-12);
}

TEST(RemoveDropout, LeavesWhatTheModelDoesForInference) {
  ParameterSet parameters(3);
  const Batch batch = examples({});
  const auto model = [&](bool dropping) {
    Var h = tanh(linear(parameters, "fc", batch.inputs, 4));
    if (dropping) h = dropout(parameters, "drop2", dropout(parameters, "drop", h, 0.5), 0.2);
    return linear(parameters, "out", h, 2);
  };
  CapturedGraph graph;
  {
    Tape tape;
    const Var roots[] = {model(true)};
    graph = CapturedGraph::capture(tape, roots);
  }
  PassPipeline passes;
  passes.add<RemoveDropout>({});
  PassContext context;
  const std::string before = graph.str();
  EXPECT_TRUE(run_on_capture(passes, graph, context));
  EXPECT_NE(graph.str(), before);
  EXPECT_EQ(graph.str().find("dropout"), std::string::npos) << graph.str();
  EXPECT_TRUE(holds(context.str(), "remove_dropout: drop2/dropout: passes its input on"));
  EXPECT_FALSE(run_on_capture(passes, graph, context)) << "there is none left";
  EXPECT_EQ(graph.run()[0].value().to_vector<double>(), model(false).value().to_vector<double>());
}

TEST(CapturePasses, AskForAGraph) {
  int seen = 0;
  for (const PassDef* def : registered_passes()) {
    if (def->stage != PassStage::kCapture) continue;
    ++seen;
    Roots roots;
    PassContext context;
    const Error error = error_of([&] { make_pass(def->name)->run(roots, context); });
    EXPECT_EQ(error.kind(), ErrorKind::kGraph) << def->name;
    EXPECT_EQ(error.fix(), "run it by run_on_capture") << def->name;
  }
  EXPECT_GE(seen, 2);
}

TEST(ScaleDropoutWeights, LeavesWhatTheModelDoesForInference) {
  ParameterSet parameters(3);
  const Batch batch = examples({});
  const auto model = [&](bool read_again) {
    const Var h = tanh(linear(parameters, "fc", batch.inputs, 4));
    const Var d = classic_dropout(parameters, "drop", h, 0.25);
    const Var y = linear(parameters, "out", d, 2);
    return read_again ? sum(y) + sum(d) : sum(y);
  };
  for (const Mode mode : {Mode::kTraining, Mode::kInference}) {
    for (const bool read_again : {false, true}) {
      CapturedGraph graph;
      {
        Tape tape(mode);
        const Var roots[] = {model(read_again)};
        graph = CapturedGraph::capture(tape, roots);
      }
      PassPipeline passes;
      passes.add<ScaleDropoutWeights>({});
      PassContext context;
      EXPECT_TRUE(run_on_capture(passes, graph, context));
      EXPECT_TRUE(holds(context.str(),
                        "scale_dropout_weights: drop/classic_dropout: out/weight times 0.75"))
          << context.str();
      EXPECT_EQ(graph.str().find("classic_dropout") == std::string::npos, !read_again);
      PassContext again;
      EXPECT_FALSE(run_on_capture(passes, graph, again)) << again.str();
      const double right = model(read_again).value().at(0);  // no tape: inference
      EXPECT_NEAR(graph.run()[0].value().at(0), right, 1e-12 * std::fabs(right));
      // The weights are still the model's.
      {
        Tensor& weight = parameters.at("out/weight").mutable_value();
        const WriteGuard writing(weight, "test");
        for (double& each : writing.span<double>()) each *= 1.5;
      }
      const double moved = model(read_again).value().at(0);
      EXPECT_NE(moved, right);
      EXPECT_NEAR(graph.run()[0].value().at(0), moved, 1e-12 * std::fabs(moved));
    }
  }
}

}  // namespace
}  // namespace wengert::optim
