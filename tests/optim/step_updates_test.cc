#include <gtest/gtest.h>

#include <limits>

#include "tests/optim/training_models.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/optimizer.h"

// What a step does to buffers: everything when it succeeds, nothing when it fails.
namespace wengert::optim {
namespace {

/// The state of the set: its parameters and its buffers.
std::string state_of(const ParameterSet& parameters) {
  std::string bytes = bytes_of(parameters);
  for (const Buffer* buffer : parameters.buffers()) bytes += buffer->value().str() + ";";
  return bytes;
}

Gradients gradients_of(ParameterSet& parameters, double scale = 1) {
  const Tape tape;
  const Var x = Tensor::full({8, 4}, 0.5, DType::kFloat64);
  const Var h = dropout(parameters, "drop", linear(parameters, "fc1", x, 32), 0.5);
  Buffer& mean = parameters.declare_buffer("mean", {}, DType::kFloat64);
  update(mean, use(mean) * 0.9 + wengert::mean(h) * 0.1);
  return backward(sum(square(linear(parameters, "fc2", h, 1))) * scale);
}

TEST(Step, CommitsWhatItsGradientsCarry) {
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  Buffer& mean = parameters.declare_buffer("mean", {}, DType::kFloat64);
  const Gradients gradients = gradients_of(parameters);
  Buffer& counter = *parameters.find_buffer("drop/counter");
  EXPECT_EQ(mean.value().scalar_value(), 0);
  sgd.step(parameters, gradients);
  EXPECT_NE(mean.value().scalar_value(), 0);
  EXPECT_EQ(counter.value().item<std::int64_t>(), 1);
  const Tensor after = mean.value();
  sgd.step(parameters, gradients);
  EXPECT_EQ(mean.value().scalar_value(), after.scalar_value()) << "once";
}

TEST(Step, ThatFailsChangesNothingAndDrawsTheSameAgain) {
  ParameterSet parameters(1), untroubled(1);
  Adam adam({}), calm({});
  for (int step = 0; step < 3; ++step) {
    adam.step(parameters, gradients_of(parameters));
    calm.step(untroubled, gradients_of(untroubled));
  }
  const std::string before = state_of(parameters);
  EXPECT_THROW(
      adam.step(parameters, gradients_of(parameters, std::numeric_limits<double>::infinity())),
      Error);
  EXPECT_THROW(adam.step(parameters,
                         [&]() -> Gradients {
                           (void)gradients_of(parameters);
                           throw Error(ErrorKind::kValue, "test", "fails in the middle");
                         }),
               Error);
  EXPECT_EQ(state_of(parameters), before);
  adam.step(parameters, gradients_of(parameters));
  calm.step(untroubled, gradients_of(untroubled));
  EXPECT_EQ(state_of(parameters), state_of(untroubled));
}

TEST(Step, WithALookAheadCommitsTheOneThatItTook) {
  ParameterSet parameters(1);
  Nesterov nesterov({.rate = 0.01});
  for (int step = 1; step <= 3; ++step) {
    nesterov.step(parameters, [&] { return gradients_of(parameters); });
    EXPECT_EQ(parameters.find_buffer("drop/counter")->value().item<std::int64_t>(), step);
  }
}

TEST(Step, OfPartsTakesTheUpdatesOfAll) {
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  Gradients sum;
  std::vector<double> masks[2];
  for (auto& mask : masks) {
    Tape tape;
    tape.start_after(sum.updates());
    const Var w =
        use(parameters.find("w") ? parameters.at("w") : parameters.add("w", Tensor::scalar(1.0)));
    const Var y = dropout(parameters, "drop", w * Tensor::full({50}, 1, DType::kFloat64), 0.5);
    mask = y.value().to_vector<double>();
    sum += backward(mean(y));
  }
  EXPECT_NE(masks[0], masks[1]);
  sgd.step(parameters, sum);
  EXPECT_EQ(parameters.find_buffer("drop/counter")->value().item<std::int64_t>(), 2);
}

}  // namespace
}  // namespace wengert::optim
