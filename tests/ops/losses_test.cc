#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// What losses hold at their edges, by the fused derivative and by the recorded one.
namespace wengert {
namespace {

const double kNan = std::nan(""), kInf = std::numeric_limits<double>::infinity();

Tensor classes(std::vector<std::int64_t> list) {
  const auto count = static_cast<std::int64_t>(list.size());
  return Tensor::from(list, {count});
}

/// The gradient by x in both forms.
template <class Loss>
std::vector<std::vector<double>> gradients(const Tensor& at, const Loss& loss,
                                           const Var& cotangent = 1.0) {
  std::vector<std::vector<double>> forms;
  for (const bool recorded : {false, true}) {
    const Tape tape;
    const Var x = variable(at);
    const std::vector<Var> y = {loss(x)};
    forms.push_back(
        grad(y, {x}, {cotangent}, {.create_graph = recorded})[0].value().to_vector<double>());
  }
  return forms;
}

TEST(Losses, LeaveOutWhatWeighsNothingWhateverItIs) {
  const Tensor x = Tensor::from({1., 2., kNan, kInf, 0.5, 0.25}, {3, 2});
  const Tensor none_of_it = Tensor::from({1., 0., 1.}, {3});
  for (const auto& g : gradients(x, [](const Var& v) {
         return softmax_cross_entropy(v, classes({0, -1, 1}), Reduction::kMean,
                                      {.ignore_index = -1});
       })) {
    EXPECT_EQ(g[2], 0);
    EXPECT_EQ(g[3], 0);
    EXPECT_NEAR(g[0] + g[1], 0, 1e-15);
  }
  for (const auto& g : gradients(x, [&](const Var& v) {
         return softmax_cross_entropy(v, classes({0, 1, 1}), Reduction::kSum,
                                      {.weights = none_of_it});
       })) {
    EXPECT_EQ(g[2], 0);
    EXPECT_EQ(g[3], 0);
  }
  const Tensor y = Tensor::from({1., kInf, 3.}, {3});
  for (const auto& g : gradients(y, [&](const Var& v) {
         return mean_squared_error(v, Tensor::zeros({3}, DType::kFloat64), Reduction::kMean,
                                   none_of_it);
       })) {
    EXPECT_EQ(g, (std::vector<double>{1, 0, 3}));
  }
}

TEST(Losses, OfNothingAreNaNAndAZeroCotangentStaysZero) {
  const Tensor x = Tensor::from({1., 2., 3., 4.}, {2, 2});
  const auto ignored = [](const Var& v) {
    return softmax_cross_entropy(v, classes({7, 7}), Reduction::kMean, {.ignore_index = 7});
  };
  EXPECT_TRUE(std::isnan(ignored(Var(x)).scalar_value()));
  const Tensor opposite = Tensor::from({1., -1., 1., -1.}, {2, 2});
  const auto weighed = [&](const Var& v) {
    return mean_squared_error(v, Tensor::zeros({2, 2}, DType::kFloat64), Reduction::kMean,
                              opposite);
  };
  const std::vector<double> zeros(4, 0);
  for (const auto& g : gradients(x, ignored, 0.0)) EXPECT_EQ(g, zeros);
  for (const auto& g : gradients(x, weighed, 0.0)) EXPECT_EQ(g, zeros);
}

TEST(Losses, RecordedDerivativesDependOnTheTargetsAsTheyAreOnTheTape) {
  const Tensor x = Tensor::from({1., 2., 0.5, -1., 0.25, 3.}, {2, 3});
  const ClassOptions every_way[] = {{},
                                    {.label_smoothing = 0.1},
                                    {.class_weights = Tensor::from({0.5, 2., 1.}, {3}),
                                     .ignore_index = 5,
                                     .label_smoothing = 0.1}};
  for (const ClassOptions& options : every_way) {
    const Tape tape;
    const Var v = variable(x), t = Var(classes({2, 0}));
    const Var loss = softmax_cross_entropy(v, t, Reduction::kMean, options);
    const Var g = grad(loss, v, {.create_graph = true});
    std::vector<bool> leads(tape.size());
    leads[tape.id_of(g, "test")] = true;
    for (std::uint32_t id = tape.size(); id-- > tape.id_of(loss, "test") + 1;) {
      for (const std::uint32_t input : tape.inputs(id)) leads[input] = leads[input] || leads[id];
    }
    EXPECT_TRUE(leads[tape.id_of(t, "test")]);
  }
}

TEST(Losses, AreFoundByGradcheckWithOperandsLeftOut) {
  OpDef broken = *find_op("softmax_cross_entropy");
  broken.name = "broken_loss";
  broken.vjp = [](VjpContext& c) { c.set(0, c.input(0) * 3.0); };
  broken.backward = nullptr;
  const Tensor weights = Tensor::from({0.5, 2.}, {2});
  const GradcheckResult result = gradcheck(
      [&](std::span<const Var> in) {
        const Var t = Var(classes({2, 0})), none, w = Var(weights);
        const Var* inputs[] = {&in[0], &t, &none, &w};
        return tanh(apply(broken, inputs));
      },
      std::vector<Tensor>{Tensor::from({1., 2., 0.5, -1., 0.25, 3.}, {2, 3})});
  EXPECT_FALSE(result.passed);
  EXPECT_NE(result.message.find("broken_loss"), std::string::npos) << result.message;
}

}  // namespace
}  // namespace wengert
