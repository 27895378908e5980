#include "tests/conventions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"

// Each row of docs/conventions.md under "Training", by its name.
namespace wengert::optim {
namespace {

/// Where a parameter that starts at 0 stands after steps on these gradients.
template <class Method>
std::vector<double> path(Method method, const std::vector<double>& gradients,
                         const std::vector<double>& rates = {}) {
  ParameterSet parameters;
  parameters.add("w", Tensor::zeros({1, 1}, DType::kFloat64));
  std::vector<double> result;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!rates.empty()) method.set_rate(rates[i]);
    const Tape tape;
    method.step(parameters, backward(sum(gradients[i] * use(parameters.at("w")))));
    result.push_back(parameters.at("w").value().at(0));
  }
  return result;
}

/// What is left of a weight of 2 and a bias of 2 after a step without a gradient.
template <class Method>
std::vector<double> decayed(Method method) {
  ParameterSet parameters;
  parameters.add("weight", Tensor::full({1, 1}, 2, DType::kFloat64));
  parameters.add("bias", Tensor::full({1}, 2, DType::kFloat64));
  const Tape tape;
  method.step(parameters, backward(sum(0.0 * use(parameters.at("weight"))) +
                                   sum(0.0 * use(parameters.at("bias")))));
  return {parameters.at("weight").value().at(0), parameters.at("bias").value().at(0)};
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], 1e-12 * std::fabs(expected[i])) << i;
  }
}

/// The defaults of a method's options as people read them.
std::string defaults_of(const char* name) {
  const auto method = make_optimizer(name);
  return to_string(method->method().options(), method->option_values());
}
void expect_defaults(const char* name, const char* begin) {
  EXPECT_EQ(defaults_of(name).substr(0, std::string(begin).size()), begin);
}

struct Convention {
  const char* rule;
  void (*holds)();
};

const Convention kConventions[] = {
    {"initial weights",
     [] {
       ParameterSet parameters(1);
       (void)linear(parameters, "fc", Tensor::zeros({1, 400}, DType::kFloat64), 300);
       const Tensor weight = parameters.at("fc/weight").value();
       EXPECT_EQ(weight.shape(), (Shape{400, 300}));
       const double n = static_cast<double>(weight.element_count());
       EXPECT_NEAR(sum(square(Var(weight))).value().at(0) / n, 2.0 / 400, 5e-5);
       EXPECT_EQ(sum(abs(Var(parameters.at("fc/bias").value()))).value().at(0), 0);
     }},
    {"PyTorch's weights",
     [] {
       ParameterSet parameters(1);
       (void)linear(parameters, "fc", Tensor::zeros({1, 400}, DType::kFloat64), 300,
                    {.weight = nn::he_uniform(std::sqrt(5.0))});
       const double most = max(abs(Var(parameters.at("fc/weight").value()))).value().at(0);
       EXPECT_LE(most, 0.05);
       EXPECT_GT(most, 0.0499);
     }},
    {"momentum",
     [] {
       // m = 1, then 0.9 + 1: the rate of now moves all of it.
       expect_near(path(Momentum({}), {1, 1}, {1, 0.5}), {-1, -1 - 0.5 * 1.9});
       // m = 1, then 0.9 + 0.5.
       expect_near(path(Momentum({.rate_place = RatePlace::kInside}), {1, 1}, {1, 0.5}),
                   {-1, -1 - 1.4});
     }},
    {"Nesterov",
     [] {
       // By gradients: m = 1, a move of 0.9 + 1; m = 1.9, a move of (1.71 + 1)/2.
       expect_near(path(Nesterov({}), {1, 1}, {1, 0.5}), {-1.9, -1.9 - 0.5 * 2.71});
       expect_near(path(Nesterov({.rate_place = RatePlace::kInside}), {1, 1}, {1, 0.5}),
                   {-1.9, -1.9 - (0.9 * 1.4 + 0.5)});
     }},
    {"AdaGrad",
     [] {
       expect_defaults("adagrad",
                       "rate = 0.01, initial = 0, epsilon = 1e-10, epsilon_place = outside");
       expect_near(path(AdaGrad({}), {1e-10}), {-0.01 / 2});  // √s and ε are alike
     }},
    {"RMSProp",
     [] {
       expect_defaults("rmsprop",
                       "rate = 0.01, alpha = 0.99, epsilon = 1e-08, epsilon_place = outside");
       expect_near(path(RmsProp({.alpha = 0, .momentum = 0.5}), {1, 1}, {1, 0.5}),
                   {-1 / (1 + 1e-8), -1 / (1 + 1e-8) - 0.5 * 1.5 / (1 + 1e-8)});
       expect_near(path(RmsProp({.alpha = 0, .momentum = 0.5, .rate_place = RatePlace::kInside}),
                        {1, 1}, {1, 0.5}),
                   {-1 / (1 + 1e-8), -2 / (1 + 1e-8)});
     }},
    {"Adam",
     [] {
       expect_defaults("adam", "rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-08");
       expect_near(path(Adam({}), {1e-8}), {-0.001 / 2});  // √ŝ and ε are alike
       // Keras: ε beside the root of the uncorrected average, √0.001·1e-8.
       const double root = std::sqrt(0.001) * 1e-8;
       expect_near(path(Adam({.epsilon_order = EpsilonOrder::kBefore}), {1e-8}),
                   {-0.001 * root / (root + 1e-8)});
       expect_near(path(Adam({.epsilon = 0, .bias_correction = false}), {1}),
                   {-0.001 * 0.1 / std::sqrt(0.001)});
     }},
    {"decoupled decay",
     [] {
       expect_near(decayed(AdamW({.rate = 0.5})), {2 * (1 - 0.5 * 0.01), 2});
       expect_near(decayed(AdamW({.rate = 0.5, .decays = Decays::kAll})),
                   {2 * (1 - 0.5 * 0.01), 2 * (1 - 0.5 * 0.01)});
     }},
    {"other methods",
     [] {
       expect_defaults("adadelta", "rate = 1, rho = 0.9, epsilon = 1e-06");
       expect_defaults("nadam",
                       "rate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-08, "
                       "momentum_decay = 0.004");
       expect_defaults("lion", "rate = 1e-04, beta1 = 0.9, beta2 = 0.99, weight_decay = 0.001");
       expect_defaults("lamb", "rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-06");
     }},
    {"L2",
     [] {
       const auto gradient = [](L2Form form) {
         ParameterSet parameters;
         parameters.add("weight", Tensor::full({1, 1}, 2, DType::kFloat64));
         const Tape tape;
         Roots roots;
         roots.parameters = &parameters;
         roots.add("loss", sum(0.0 * use(parameters.at("weight"))));
         PassPipeline passes;
         passes.add<L2Penalty>({.lambda = 0.25, .form = form});
         PassContext context;
         passes.run(PassStage::kLoss, roots, context);
         return backward(roots.at("loss")).at("weight").value().at(0);
       };
       EXPECT_EQ(gradient(L2Penalty::Options{}.form), 0.25 * 2);
       EXPECT_EQ(gradient(L2Form::kFull), 2 * 0.25 * 2);
     }},
    {"clipping by norm",
     [] {
       ParameterSet parameters;
       parameters.add("w", Tensor::zeros({2}, DType::kFloat64));
       const auto clipped = [&](double g) {
         const Tape tape;
         const Var w = use(parameters.at("w"));
         Gradients gradients = backward(sum(w * Var(Tensor::from({3 * g, 4 * g}, {2}))));
         PassPipeline passes;
         passes.add<ClipGlobalNorm>({.limit = 1});
         PassContext context;
         run_on_gradients(passes, gradients, context);
         Sgd({.rate = 1}).step(parameters, gradients);
         return gradients.at("w").value().to_vector<double>();
       };
       expect_near(clipped(1), {0.6, 0.8});
       EXPECT_EQ(clipped(0.1), (std::vector<double>{3 * 0.1, 4 * 0.1}));
       const double nan = std::numeric_limits<double>::quiet_NaN();
       EXPECT_EQ(error_of([&] { clipped(nan); }).kind(), ErrorKind::kNonFinite);
     }},
    {"a schedule's unit",
     [] {
       Schedule half = Exponential({.gamma = 0.5});
       EXPECT_EQ(half.factor({.step = 3, .steps_per_epoch = 5, .steps = 10}), 0.125);
       Schedule decade = DecadeDecay({.steps = 2});
       EXPECT_NEAR(decade.factor({.step = 2, .steps_per_epoch = 5, .steps = 10}), 0.1, 1e-15);
     }},
    {"early stopping",
     [] {
       // From 0.75 the first step reaches 0, the minimum, and later ones leave it: the rate grows.
       ParameterSet parameters;
       parameters.add("w", Tensor::full({1}, 0.75, DType::kFloat64));
       const Model bowl = [](ParameterSet& set, const Batch&) {
         return Outcome{.loss = sum(square(use(set.at("w"))))};
       };
       const ArrayLoader loader({Tensor::zeros({1, 1}), Tensor::zeros({1})}, {.batch_size = 1});
       Sgd sgd({.rate = 1.5});  // each step doubles the distance and turns it around
       EarlyStop stop({.patience = 2});
       const FitResult result = fit(parameters, sgd, loader, bowl,
                                    {.epochs = 50, .validation = &loader, .hooks = {&stop}});
       EXPECT_EQ(result.epochs.size(), 3u);
       EXPECT_EQ(parameters.at("w").value().at(0), -1.5) << "the best of 1.5, 3 and 6";
     }},
};

std::ostream& operator<<(std::ostream& to, const Convention& convention) {
  return to << convention.rule;
}

class TrainingConventions : public ::testing::TestWithParam<Convention> {};

TEST_P(TrainingConventions, Hold) { GetParam().holds(); }

INSTANTIATE_TEST_SUITE_P(Each, TrainingConventions, ::testing::ValuesIn(kConventions),
                         [](const auto& info) {
                           std::string name;
                           for (const char c : std::string(info.param.rule)) {
                             name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           }
                           return name;
                         });

TEST(TrainingConventions, AreThoseOfThePage) {
  std::set<std::string> held;
  for (const Convention& convention : kConventions) held.insert(convention.rule);
  EXPECT_EQ(testing::conventions_under("## Training"), held);
}

}  // namespace
}  // namespace wengert::optim
