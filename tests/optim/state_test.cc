#include <gtest/gtest.h>

#include <limits>

#include "tests/optim/training_models.h"
#include "wengert/optim/optimizer.h"

// What an optimizer remembers can be saved and put back, and nothing else can.
namespace wengert::optim {
namespace {

constexpr const char* kMethods[] = {"sgd", "momentum", "nesterov", "adam"};

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

TEST(OptimizerState, ResumingGivesTheSameBits) {
  for (const char* method : kMethods) {
    ParameterSet straight, resumed;
    fill(straight);
    const auto optimizer = make_optimizer(method, 0.03);
    for (int i = 0; i < 17; ++i) optimizer->step(straight, gradients_of(straight));
    State saved = optimizer->state();
    for (const Parameter* parameter : straight.all()) {
      resumed.add(parameter->name(), parameter->value().clone());
    }
    optimizer->set_rate(0.02);
    for (int i = 0; i < 17; ++i) optimizer->step(straight, gradients_of(straight));

    const auto fresh = make_optimizer(method);
    fresh->restore(saved);
    EXPECT_EQ(fresh->steps(), 17);
    EXPECT_EQ(fresh->rate(), 0.03);
    // The restored optimizer keeps memory of its own.
    for (auto& entry : saved) entry.value = Tensor();
    fresh->set_rate(0.02);
    for (int i = 0; i < 17; ++i) fresh->step(resumed, gradients_of(resumed));
    EXPECT_EQ(bytes_of(resumed), bytes_of(straight)) << method;
  }
}

TEST(OptimizerState, WithoutItTheBitsDiffer) {
  for (const char* method : {"momentum", "nesterov", "adam"}) {
    ParameterSet straight, resumed;
    fill(straight);
    const auto optimizer = make_optimizer(method, 0.03);
    for (int i = 0; i < 5; ++i) optimizer->step(straight, gradients_of(straight));
    for (const Parameter* parameter : straight.all()) {
      resumed.add(parameter->name(), parameter->value().clone());
    }
    optimizer->step(straight, gradients_of(straight));
    make_optimizer(method, 0.03)->step(resumed, gradients_of(resumed));
    EXPECT_NE(bytes_of(resumed), bytes_of(straight)) << method;
  }
}

TEST(OptimizerState, HasItsNames) {
  ParameterSet parameters;
  fill(parameters);
  const auto adam = make_optimizer("adam");
  adam->step(parameters, gradients_of(parameters));
  std::vector<std::string> names;
  for (const auto& entry : adam->state()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"steps", "rate", "a/weight/first_moment",
                                             "a/weight/second_moment", "a/bias/first_moment",
                                             "a/bias/second_moment"}));
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
  expect_refused({}, ErrorKind::kParameter, "no step count");
  expect_refused({steps(-1)}, ErrorKind::kParameter, "no step count");
  expect_refused({{"steps", Tensor::scalar(1.0f)}}, ErrorKind::kParameter, "'steps' is f32[]");
  expect_refused({steps(1), {"rate", w}}, ErrorKind::kParameter, "'rate' is f32[2,2]");
  expect_refused({steps(1), {"rate", Tensor::scalar(-1.0)}}, ErrorKind::kValue, "rate -1");
  expect_refused({steps(1), {"a/weight/momentum", w}}, ErrorKind::kParameter,
                 "belongs to another optimizer");
  expect_refused({steps(1), {"nonsense", w}}, ErrorKind::kParameter,
                 "belongs to another optimizer");
  expect_refused({steps(1), {"a/weight/first_moment", w}}, ErrorKind::kParameter,
                 "no 'a/weight/second_moment'");
  expect_refused({steps(1), {"a/weight/first_moment", w}, {"a/weight/first_moment", w}},
                 ErrorKind::kParameter, "twice");
}

TEST(OptimizerState, OfOtherSizesIsFoundBeforeAnythingIsWritten) {
  for (const Tensor& wrong : {Tensor::from({1.0f}, {1}), Tensor::zeros(DType::kFloat64, {2, 2})}) {
    ParameterSet parameters;
    fill(parameters);
    const std::string before = bytes_of(parameters);
    const auto momentum = make_optimizer("momentum");
    momentum->restore({{"steps", Tensor::scalar(std::int64_t{3})}, {"a/weight/momentum", wrong}});
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
    nesterov->restore({{"steps", Tensor::scalar(std::int64_t{3})}, {"a/weight/momentum", wrong}});
    EXPECT_EQ(error_of([&] {
                nesterov->step(parameters, [&] { return gradients_of(parameters); });
              }).kind(),
              ErrorKind::kParameter);
    EXPECT_EQ(bytes_of(parameters), before);
  }
}

}  // namespace
}  // namespace wengert::optim
