#include "wengert/nn/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/nn/dropout.h"

namespace wengert {
namespace {

Tensor batch() { return Tensor::from({1., 4., 3., 0., 5., 8., 7., 4.}, {4, 2}); }

double value_of(const ParameterSet& parameters, const std::string& buffer, std::int64_t i) {
  return parameters.find_buffer(buffer)->value().at(i);
}

TEST(BatchNorm, KeepsRunningAveragesOfWhatItSaw) {
  // Channel 0: mean 4, variance 5 (20/3 unbiased); channel 1: 4 and 8 (32/3).
  for (const bool unbiased : {true, false}) {
    ParameterSet parameters;
    const BatchNormOptions options{
        .keep = 0.75,
        .running_variance = unbiased ? RunningVariance::kUnbiased : RunningVariance::kBiased};
    double mean = 0, variance = 1;
    for (int step = 0; step < 3; ++step) {
      const Tape tape;
      (void)batch_norm(parameters, "bn", batch(), options);
      EXPECT_DOUBLE_EQ(value_of(parameters, "bn/running_mean", 0), mean)
          << "before the step succeeds nothing moves";
      commit(tape);
      mean = 0.75 * mean + 0.25 * 4;
      variance = 0.75 * variance + 0.25 * (unbiased ? 20.0 / 3 : 5.0);
      EXPECT_DOUBLE_EQ(value_of(parameters, "bn/running_mean", 0), mean);
      EXPECT_NEAR(value_of(parameters, "bn/running_variance", 0), variance, 1e-14);
      EXPECT_NE(value_of(parameters, "bn/running_variance", 1), variance) << "one a channel";
    }
  }
}

TEST(BatchNorm, TakesTheRunningAveragesInInference) {
  ParameterSet parameters;
  {
    const Tape tape;
    const Var y = batch_norm(parameters, "bn", batch(), {.epsilon = 1e-6, .keep = 0});
    EXPECT_NEAR(y.value().at(0), (1 - 4) / std::sqrt(5 + 1e-6), 1e-12) << "the batch's own";
    commit(tape);
  }
  parameters.at("bn/gain").mutable_value() = Tensor::from({2., 3.}, {2});
  parameters.at("bn/bias").mutable_value() = Tensor::from({-1., 1.}, {2});
  for (const bool on_tape : {false, true}) {
    std::optional<Tape> tape;
    if (on_tape) tape.emplace(Mode::kInference);
    // A batch of one: nothing of it is averaged.
    const Var y = batch_norm(parameters, "bn", Tensor::from({1., 4.}, {1, 2}), {.epsilon = 1e-6});
    EXPECT_NEAR(y.value().at(0), 2 * (1 - 4) / std::sqrt(20.0 / 3 + 1e-6) - 1, 1e-12);
    EXPECT_NEAR(y.value().at(1), 1, 1e-12);
    if (on_tape) {
      EXPECT_TRUE(tape->updates().empty());
    }
  }
}

TEST(BatchNorm, NormalizesEveryChannelOfPictures) {
  ParameterSet parameters;
  const Tape tape;
  std::vector<double> x;
  for (int i = 0; i < 2 * 3 * 4 * 5; ++i) x.push_back(std::sin(i) * (1 + i % 7));
  const Tensor y = batch_norm(parameters, "bn", Tensor::from(x, {2, 3, 4, 5})).value();
  for (int c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    for (int i = 0; i < 2; ++i) {
      for (int k = 0; k < 20; ++k) {
        const double v = y.at((i * 3 + c) * 20 + k);
        sum += v / 40;
        squares += v * v / 40;
      }
    }
    EXPECT_NEAR(sum, 0, 1e-12);
    EXPECT_NEAR(squares, 1, 1e-4);
  }
  EXPECT_EQ(parameters.at("bn/gain").value().shape(), (Shape{3}));
}

TEST(BatchNorm, TheAveragesTakeNoGradientAndAreNoParameters) {
  ParameterSet parameters;
  const Tape tape;
  const Gradients gradients = backward(sum(square(batch_norm(parameters, "bn", batch()))));
  EXPECT_EQ(parameters.size(), 2u);
  for (const Parameter* parameter : parameters.all()) {
    EXPECT_NE(gradients.find(*parameter), nullptr) << parameter->name();
  }
  EXPECT_EQ(parameters.buffers().size(), 2u);
}

TEST(BatchNorm, RefusesABatchOfOneAndABadShare) {
  ParameterSet parameters;
  const Tape tape;
  const auto message = [&](const Tensor& x, const BatchNormOptions& options) {
    try {
      (void)batch_norm(parameters, "bn", x, options);
    } catch (const Error& error) {
      return error.message() + " in " + error.scope();
    }
    return std::string();
  };
  EXPECT_EQ(message(Tensor::zeros({1, 2}), {}),
            "1 element a channel in f32[1,2] have no variance in bn");
  for (const double keep : {1.0, -0.1, std::nan("")}) {
    EXPECT_NE(message(Tensor::zeros({4, 2}), {.keep = keep}).find("keep must lie in [0, 1)"),
              std::string::npos);
  }
  EXPECT_EQ(message(Tensor::zeros({4, 2}, DType::kInt64), {}), "the input is i64[4,2] in bn");
  EXPECT_TRUE(tape.updates().empty());
}

TEST(Norms, MakeTheirParametersAtFirstUse) {
  ParameterSet parameters;
  const Tensor x = Tensor::full({2, 4, 3}, 1, DType::kFloat64);
  (void)layer_norm(parameters, "layer", x, {.first_axis = 1});
  (void)rms_norm(parameters, "rms", x);
  (void)group_norm(parameters, "group", x, 2);
  (void)instance_norm(parameters, "instance", x);
  (void)layer_norm(parameters, "plain", x, {.affine = false});
  std::string made;
  for (const Parameter* p : parameters.all()) {
    made += p->name() + to_string(p->value().dtype(), p->value().shape()) + " ";
  }
  EXPECT_EQ(made,
            "layer/gainf64[4,3] layer/biasf64[4,3] rms/gainf64[3] group/gainf64[4] "
            "group/biasf64[4] instance/gainf64[4] instance/biasf64[4] ");
}

TEST(Norms, RefuseWhatTheOpsRefuse) {
  ParameterSet parameters;
  const Tensor x = Tensor::zeros({2, 4});
  EXPECT_THROW((void)layer_norm(parameters, "a", x, {.first_axis = 2}), Error);
  EXPECT_THROW((void)rms_norm(parameters, "b", x, {.epsilon = 0}), Error);
  EXPECT_THROW((void)group_norm(parameters, "c", x, 3), Error);
  EXPECT_THROW((void)instance_norm(parameters, "d", x), Error);
  EXPECT_THROW((void)layer_norm(parameters, "e", Tensor::zeros({}), {}), Error);
}

TEST(DropoutFamily, DrawsFromTheStreamOfItsName) {
  ParameterSet parameters(5);
  const Tensor ones = Tensor::full({40, 6}, 1);
  const auto all = [&] {
    const std::vector<Var> results = {classic_dropout(parameters, "classic", ones, 0.5),
                                      spatial_dropout(parameters, "spatial", ones, 0.5),
                                      stochastic_depth(parameters, "depth", ones, 0.5),
                                      alpha_dropout(parameters, "alpha", ones, 0.5),
                                      drop_connect(parameters, "connect", ones, 3, 0.5)};
    std::vector<std::vector<double>> values;
    for (const Var& y : results) values.push_back(y.value().to_vector<double>());
    return values;
  };
  std::vector<std::vector<double>> first, second, inference = all();
  for (auto* step : {&first, &second}) {
    const Tape tape;
    *step = all();
    commit(tape);
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_NE(first[i], second[i]) << i;
    EXPECT_NE(first[i], inference[i]) << i;
  }
  EXPECT_EQ(inference[1], ones.to_vector<double>());
  EXPECT_EQ(inference[0], std::vector<double>(240, 0.5));
}

TEST(DropoutFamily, HoldsAMaskForAnEpoch) {
  ParameterSet parameters(5);
  std::vector<std::vector<double>> masks;
  for (int step = 0; step < 4; ++step) {
    const Tape tape;
    const Tensor x = Tensor::full({step == 1 ? 3 : 2, 50}, 1);  // an unequal last mini-batch
    const Tensor y = held_dropout(parameters, "held", x, 0.5, 2).value();
    std::vector<double> all = y.to_vector<double>();
    masks.emplace_back(all.begin(), all.begin() + 50);
    EXPECT_TRUE(std::equal(all.begin(), all.begin() + 50, all.begin() + 50)) << "in every example";
    commit(tape);
  }
  EXPECT_EQ(masks[0], masks[1]);
  EXPECT_EQ(masks[2], masks[3]);
  EXPECT_NE(masks[1], masks[2]);
}

TEST(DropConnect, DropsWeightsAndNotUnits) {
  ParameterSet parameters(5);
  const Tape tape;
  const Tensor x = Tensor::full({4, 30}, 1, DType::kFloat64);
  const Tensor y = drop_connect(parameters, "fc", x, 20, 0.5, {.weight = nn::constant(1)}).value();
  int off = 0;
  for (int j = 0; j < 20; ++j) {
    EXPECT_EQ(y.at(j), y.at(20 + j)) << "one mask for the batch";
    EXPECT_EQ(std::fmod(y.at(j), 2), 0) << "what is kept counts double";
    off += y.at(j) != 30;
  }
  EXPECT_GT(off, 10);
  EXPECT_EQ(
      drop_connect(parameters, shared("fc"), x, 20, 0, {.weight = nn::constant(1)}).value().at(0),
      30);
}

}  // namespace
}  // namespace wengert
