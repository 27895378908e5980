#include <gtest/gtest.h>

#include <limits>

#include "tests/optim/training_models.h"
#include "wengert/optim/optimizer.h"

// What an optimizer remembers can be saved and put back, and nothing else can.
namespace wengert::optim {
namespace {

void fill(ParameterSet& parameters) {
  parameters.add("a/weight", Tensor::from({0.5f, -1.25f, 2.0f, 0.1f}, {2, 2}));
  parameters.add("a/bias", Tensor::from({0.3, -0.7}, {2}));
}

Gradients gradients_of(ParameterSet& parameters) {
  const Tape tape;
  const Var w = use(parameters.at("a/weight")), b = use(parameters.at("a/bias"));
  return backward(sum(square(tanh(w))) + sum(cast(square(sin(b)), DType::kFloat32)));
}

using State = std::vector<Optimizer::StateTensor>;

TEST(OptimizerState, HasItsNames) {
  ParameterSet parameters;
  fill(parameters);
  const auto adam = make_optimizer("adam");
  adam->step(parameters, gradients_of(parameters));
  std::vector<std::string> names;
  for (const auto& entry : adam->state()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "steps", "rate", "options/0/rate", "options/0/beta1", "options/0/beta2",
                       "options/0/epsilon", "options/0/weight_decay", "options/0/decays",
                       "options/0/epsilon_place", "options/0/epsilon_order",
                       "options/0/bias_correction", "options/0/amsgrad", "steps/a/weight",
                       "slots/a/weight/first_moment", "slots/a/weight/second_moment",
                       "steps/a/bias", "slots/a/bias/first_moment", "slots/a/bias/second_moment"}));
}

/// A state that Adam refuses; what it had stays.
void expect_refused(const State& state, ErrorKind kind, const std::string& words) {
  ParameterSet parameters;
  fill(parameters);
  const auto adam = make_optimizer("adam", 0.25);
  adam->step(parameters, gradients_of(parameters));
  const std::size_t entries = adam->state().size();
  const Error error = error_of([&] { adam->restore(state); });
  EXPECT_EQ(error.kind(), kind) << error.what();
  EXPECT_TRUE(holds(error.what(), words)) << error.what();
  EXPECT_EQ(adam->rate(), 0.25);
  EXPECT_EQ(adam->steps(), 1);
  EXPECT_EQ(adam->state().size(), entries);
}

TEST(OptimizerState, RefusesWhatDoesNotBelong) {
  const auto steps = [](std::int64_t n) {
    return Optimizer::StateTensor{"steps", Tensor::scalar(n)};
  };
  const Tensor w = Tensor::from({1.0f, 1.0f, 1.0f, 1.0f}, {2, 2});
  const Optimizer::StateTensor rate = {"rate", Tensor::scalar(0.5)};
  const auto number = [](const char* name, double value) {
    return Optimizer::StateTensor{name, Tensor::scalar(value)};
  };
  expect_refused({}, ErrorKind::kParameter, "no step count");
  expect_refused({steps(1)}, ErrorKind::kParameter, "no rate");
  expect_refused({steps(-1), rate}, ErrorKind::kParameter, "no step count");
  expect_refused({{"steps", Tensor::scalar(1.0f)}}, ErrorKind::kParameter, "'steps' is f32[]");
  expect_refused({steps(1), {"rate", w}}, ErrorKind::kParameter, "'rate' is f32[2,2]");
  expect_refused({steps(1), number("rate", -1)}, ErrorKind::kValue, "rate -1");
  expect_refused({steps(1), rate, number("options/0/beta1", 2)}, ErrorKind::kValue, "beta1 2");
  for (const char* foreign : {"options/0/beta3", "options/1/beta1", "options/beta1", "nonsense",
                              "slots/a/weight/momentum", "slots/momentum"}) {
    expect_refused({steps(1), rate, number(foreign, 0.5)}, ErrorKind::kParameter,
                   "belongs to another optimizer");
  }
  const Optimizer::StateTensor first = {"slots/a/weight/first_moment", w};
  const Optimizer::StateTensor count = {"steps/a/weight", Tensor::scalar(std::int64_t{1})};
  expect_refused({steps(1), rate, count, first}, ErrorKind::kParameter,
                 "no 'a/weight/second_moment'");
  expect_refused({steps(1), rate, first}, ErrorKind::kParameter, "no step count of 'a/weight'");
  expect_refused({steps(1), rate, first, first}, ErrorKind::kParameter, "twice");
}

TEST(OptimizerState, HasTheOptionsOfEveryGroup) {
  ParameterSet parameters;
  fill(parameters);
  AdamW adam({.rate = 0.5});
  adam.add_group(named("*bias"), {.rate = 0.25, .weight_decay = 0});
  adam.set_rate(0.125);
  adam.step(parameters, gradients_of(parameters));
  AdamW resumed({}), other({});
  resumed.add_group(named("*bias"), {});
  resumed.restore(adam.state());
  EXPECT_EQ(resumed.rate(), 0.125);
  EXPECT_EQ(resumed.options(0).rate, 0.5);
  EXPECT_EQ(resumed.options(1).rate, 0.25);
  EXPECT_EQ(resumed.options(1).weight_decay, 0);
  EXPECT_EQ(error_of([&] { other.restore(adam.state()); }).kind(), ErrorKind::kParameter);
}

TEST(OptimizerState, OfOtherOptionsIsFoundBeforeAnythingIsWritten) {
  ParameterSet parameters;
  fill(parameters);
  RmsProp plain({});
  plain.step(parameters, gradients_of(parameters));
  auto state = plain.state();
  for (auto& entry : state) {
    if (entry.name == "options/0/centered") entry.value = Tensor::scalar(1.0);
  }
  RmsProp centered({});
  centered.restore(state);
  const Error error = error_of([&] { centered.step(parameters, gradients_of(parameters)); });
  EXPECT_EQ(error.message(),
            "the state of 'a/weight' has squares, these options need squares, mean");
}

TEST(OptimizerState, OfOtherSizesIsFoundBeforeAnythingIsWritten) {
  for (const Tensor& wrong : {Tensor::from({1.0f}, {1}), Tensor::zeros({2, 2}, DType::kFloat64)}) {
    ParameterSet parameters;
    fill(parameters);
    const std::string before = bytes_of(parameters);
    const auto momentum = make_optimizer("momentum");
    const State state = {{"steps", Tensor::scalar(std::int64_t{3})},
                         {"rate", Tensor::scalar(0.01)},
                         {"steps/a/weight", Tensor::scalar(std::int64_t{3})},
                         {"slots/a/weight/momentum", wrong}};
    momentum->restore(state);
    const Error error = error_of([&] { momentum->step(parameters, gradients_of(parameters)); });
    EXPECT_EQ(error.kind(), ErrorKind::kParameter) << error.what();
    EXPECT_TRUE(holds(error.what(), "the state of 'a/weight' is " +
                                        to_string(wrong.dtype(), wrong.shape()) +
                                        ", the parameter f32[2,2]"))
        << error.what();
    EXPECT_EQ(bytes_of(parameters), before);
    EXPECT_EQ(momentum->steps(), 3);
    // The look-ahead form reads the state before the first step.
    const auto nesterov = std::make_unique<Nesterov>(Nesterov::Options{});
    nesterov->restore(state);
    EXPECT_EQ(error_of([&] {
                nesterov->step(parameters, [&] { return gradients_of(parameters); });
              }).kind(),
              ErrorKind::kParameter);
    EXPECT_EQ(bytes_of(parameters), before);
  }
}

}  // namespace
}  // namespace wengert::optim
