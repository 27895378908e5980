#include "tests/conventions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/buffer.h"
#include "wengert/graph/flush_subnormals.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/norm.h"
#include "wengert/ops/ops.h"

// Each row of docs/conventions.md under "Numbers", by its name.
namespace wengert {
namespace {

using List = std::vector<double>;
using Function = std::function<Var(const Var&)>;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

Tensor vector_of(const List& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}
List list(const Var& v) { return v.value().to_vector<double>(); }

/// The gradient of the sum of f at x.
List gradient(const Function& f, const List& at) {
  const Tape tape;
  const Var x = variable(vector_of(at));
  return list(grad(sum(f(x)), x));
}

/// By element; NaN equals NaN.
void expect_same(const List& actual, const List& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(actual[i])) << i << ": " << actual[i];
    } else {
      EXPECT_EQ(actual[i], expected[i]) << i;
    }
  }
}

struct Convention {
  const char* rule;
  void (*holds)();
};

const Convention kConventions[] = {
    {"zero cotangent",
     [] {
       const Tensor mask = vector_of({1, 0});
       expect_same(gradient([&](const Var& x) { return cotangent_product(mask, log(x)); }, {2, 0}),
                   {0.5, 0});
       expect_same(
           gradient([&](const Var& x) { return where(Var(mask) > 0.5, log(x), 0.0); }, {2, -1}),
           {0.5, 0});
       const Tape tape;
       const Var a = variable(Tensor::from({1., 2.}, {2, 1}));
       const Var b = variable(Tensor::from({kInf, 1.}, {1, 2}));
       const Var zero = Tensor::zeros({2, 2}, DType::kFloat64);
       EXPECT_TRUE(std::isnan(list(grad({matmul(a, b)}, {a}, {zero})[0])[0]));
     }},
    {"NaN passes",
     [] {
       const Function functions[] = {
           [](const Var& x) { return relu(x); },
           [](const Var& x) { return clip(x, -1, 1); },
           [](const Var& x) { return max(x); },
           [](const Var& x) { return min(x); },
           [](const Var& x) { return maximum(x, 0.5); },
           [](const Var& x) { return minimum(x, 0.5); },
           [](const Var& x) { return abs(x); },
           [](const Var& x) { return leaky_relu(x); },
           [](const Var& x) { return prelu(x, 0.25); },
           [](const Var& x) { return relu6(x); },
           [](const Var& x) { return hard_tanh(x); },
           [](const Var& x) { return hard_sigmoid(x); },
           [](const Var& x) { return hard_swish(x); },
       };
       for (const Function& f : functions) {
         EXPECT_TRUE(std::isnan(gradient(f, {kNan, 1})[0]));
         EXPECT_FALSE(std::isnan(gradient(f, {kNan, 1})[1]));
       }
     }},
    {"ties",
     [] {
       expect_same(gradient([](const Var& x) { return max(x); }, {2, 1, 2}), {0.5, 0, 0.5});
       expect_same(gradient([](const Var& x) { return min(x); }, {1, 1, 2}), {0.5, 0.5, 0});
       expect_same(gradient([](const Var& x) { return maximum(x, 3.0); }, {3}), {0.5});
     }},
    {"first of equals",
     [] {
       EXPECT_EQ(argmax(vector_of({1, 2, 2})).value().at(0), 1);
       EXPECT_EQ(argmin(vector_of({1, 1, 2})).value().at(0), 0);
       EXPECT_EQ(argmax(vector_of({1, kNan, 2})).value().at(0), 1);
       for (const bool descending : {false, true}) {
         const auto [values, indices] = sort(vector_of({2, kNan, 2}), -1, descending);
         expect_same(list(values), {2, 2, kNan});
         expect_same(list(indices), {0, 2, 1});
       }
       expect_same(list(topk(vector_of({2, 3, 3}), 2)[1]), {1, 2});
     }},
    {"kinks",
     [] {
       expect_same(gradient([](const Var& x) { return relu(x); }, {0}), {0});
       expect_same(gradient([](const Var& x) { return abs(x); }, {0}), {0});
       expect_same(gradient([](const Var& x) { return clip(x, -1, 2); }, {-1, 2}), {1, 1});
       expect_same(gradient([](const Var& x) { return relu6(x); }, {0, 6}), {0, 0});
       expect_same(gradient([](const Var& x) { return hard_tanh(x); }, {-1, 1}), {0, 0});
       expect_same(gradient([](const Var& x) { return hard_sigmoid(x); }, {-3, 3}), {0, 0});
       expect_same(gradient([](const Var& x) { return leaky_relu(x, 0.25); }, {0}), {0.25});
       expect_same(gradient([](const Var& x) { return prelu(x, 0.25); }, {0}), {0.25});
       expect_same(gradient([](const Var& x) { return elu(x, 0.25); }, {0}), {0.25});
     }},
    {"activations",
     [] {
       const Tensor x = vector_of({-1, 2});
       EXPECT_NEAR(list(gelu(x))[0], -0.15865525393145705, 1e-15);
       EXPECT_NEAR(list(gelu_tanh(x))[0], -0.1588080093917233, 1e-15);
       expect_same(list(leaky_relu(x)), {-0.01, 2});
       EXPECT_NEAR(list(hard_sigmoid(x))[0], 1.0 / 3, 1e-15);
       EXPECT_NEAR(list(hard_sigmoid(x, 0.2, 0.5))[0], 0.3, 1e-15);
     }},
    {"learned slopes",
     [] {
       const Tensor x = Tensor::full({1, 2, 2}, -1, DType::kFloat64);
       const Tensor slopes = vector_of({1, 2});
       expect_same(list(prelu(x, 3.0)), {-3, -3, -3, -3});
       expect_same(list(prelu(x, slopes)), {-1, -2, -1, -2});
       expect_same(list(prelu(x, slopes, 1)), {-1, -1, -2, -2});
       const Tensor elements = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
       expect_same(list(prelu(x, elements)), {-1, -2, -3, -4});
     }},
    {"random slopes",
     [] {
       RandomStream stream(1);
       const Tensor x = vector_of({-1, 1});
       expect_same(list(rrelu(x, stream, 0.125, 0.5)), {-0.3125, 1});
       expect_same(list(rrelu(x, stream, 0.125, 0.5, MeanSlope::kHarmonic)), {-0.2, 1});
     }},
    {"domain ends",
     [] {
       expect_same(gradient([](const Var& x) { return asin(x); }, {1, -1}), {kInf, kInf});
       expect_same(gradient([](const Var& x) { return acos(x); }, {1}), {-kInf});
       expect_same(gradient([](const Var& x) { return sqrt(x); }, {0}), {kInf});
       expect_same(gradient([](const Var& x) { return acosh(x); }, {1}), {kInf});
     }},
    {"zero to a power",
     [] {
       const Tape tape;
       const Var a = variable(vector_of({0, 0})), b = variable(vector_of({0, -1}));
       const Var y = pow(a, b);
       expect_same(list(y), {1, kInf});
       expect_same(list(grad(sum(y), b, {.retain = true})), {0, -kInf});
       EXPECT_EQ(list(grad(sum(y), a))[0], 0);
       const Var at = variable(0.0), one = variable(1.0);
       const Var p = pow(at, one);
       const Var by_a = grad(p, at, {.create_graph = true}),
                 by_b = grad(p, one, {.create_graph = true});
       EXPECT_NE(grad(by_a, one, {.retain = true}).scalar_value(), grad(by_b, at).scalar_value());
     }},
    {"norm of zeros",
     [] {
       expect_same(gradient([](const Var& x) { return norm(x); }, {0, 0}), {0, 0});
       expect_same(gradient([](const Var& x) { return standard_deviation(x); }, {3, 3}), {0, 0});
     }},
    {"infinite logsumexp",
     [] {
       const Function f = [](const Var& x) { return logsumexp(x); };
       expect_same(gradient(f, {kInf, 1, kInf}), {0.5, 0, 0.5});
       expect_same(gradient(f, {-kInf, -kInf}), {0, 0});
     }},
    {"products",
     [] {
       const Tensor x = vector_of({1e200, 1e200, 0});
       EXPECT_EQ(prod(x).scalar_value(), 0);
       EXPECT_EQ(cumprod(x).value().at(2), 0);
     }},
    {"subnormals",
     [] {
       const Tensor tiny = vector_of({1e-310});
       for (const bool recorded : {false, true}) {
         std::optional<Tape> tape;
         if (recorded) tape.emplace();
         EXPECT_EQ(list(Var(tiny) * 0.5), List{5e-311});
       }
       const FlushSubnormals flush;
       EXPECT_EQ(list(Var(tiny) * 0.5), List{0});
     }},
    {"integers",
     [] {
       const Tensor large = Tensor::from<std::int32_t>({2147483647, 1}, {2});
       EXPECT_EQ(sum(large).dtype(), DType::kInt64);
       EXPECT_EQ(sum(large).scalar_value(), 2147483648.0);
       EXPECT_EQ((Var(large) + large).dtype(), DType::kInt32);
       EXPECT_EQ(prod(large).dtype(), DType::kInt64);
       EXPECT_EQ(cumsum(large).dtype(), DType::kInt64);
       const Tensor most = Tensor::from<std::int64_t>({9223372036854775807, 1}, {2});
       EXPECT_EQ(sum(most).value().item<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
     }},
    {"numbers",
     [] {
       EXPECT_EQ((Var(vector_of({1})) * 2).dtype(), DType::kFloat64);
       EXPECT_EQ((Var(Tensor::zeros({1}, DType::kFloat32)) * 0.1).dtype(), DType::kFloat32);
       EXPECT_EQ(Var(0.5).dtype(), DType::kFloat32);
       EXPECT_EQ(Var(5).dtype(), DType::kInt64);
     }},
    {"variance",
     [] {
       EXPECT_EQ(variance(vector_of({1, 3})).scalar_value(), 1);
       EXPECT_EQ(variance(vector_of({1, 3}), {}, false, 1).scalar_value(), 2);
     }},
    {"rounding",
     [] {
       expect_same(list(round(vector_of({0.5, 1.5, -2.5, 2.6}))), {0, 2, -2, 3});
     }},
    {"modulo",
     [] {
       expect_same(list(mod(vector_of({-3, 3}), vector_of({2, -2}))), {1, -1});
       expect_same(list(floor_divide(vector_of({-3, 3}), vector_of({2, -2}))), {-2, -2});
     }},
    {"negative indices",
     [] {
       const Tensor last = Tensor::from<std::int64_t>({-1}, {1});
       EXPECT_EQ(take(vector_of({1, 2, 3}), last).value().at(0), 3);
       EXPECT_THROW((void)one_hot(last, 3), Error);
       EXPECT_THROW((void)softmax_cross_entropy(Tensor::zeros({1, 3}), last), Error);
     }},
    {"axes",
     [] {
       const Tensor x = Tensor::from({3., 4., 0., 5.}, {2, 2});
       expect_same(list(norm(x, {1})), {5, 5});
       expect_same(list(sum(x, {1})), {7, 5});
       EXPECT_EQ(norm(x).scalar_value(), std::sqrt(50.0));
     }},
    {"weighted mean",
     [] {
       const Tensor y = vector_of({1, 3}), t = vector_of({0, 0}), w = vector_of({3, 1});
       EXPECT_EQ(mean_squared_error(y, t, Reduction::kMean, w).scalar_value(), 12.0 / 4);
       EXPECT_EQ(mean_squared_error(y, t, Reduction::kMeanOverAll, w).scalar_value(), 12.0 / 2);
       const Tensor scores = Tensor::from({0., 0., 0., 0.}, {2, 2});
       const Tensor classes = Tensor::from<std::int64_t>({0, 1}, {2});
       const ClassOptions weights = {.class_weights = vector_of({1, 3})};
       const double of_one = std::log(2.0);
       EXPECT_NEAR(softmax_cross_entropy(scores, classes, Reduction::kMean, weights).scalar_value(),
                   of_one * 4 / 4, 1e-15);
       EXPECT_NEAR(
           softmax_cross_entropy(scores, classes, Reduction::kMeanOverAll, weights).scalar_value(),
           of_one * 4 / 2, 1e-15);
     }},
    {"nothing counts",
     [] {
       const Tensor none = Tensor::zeros({0}, DType::kFloat64);
       EXPECT_TRUE(std::isnan(mean(none).scalar_value()));
       EXPECT_TRUE(std::isnan(mean_squared_error(none, none).scalar_value()));
     }},
    {"normalization",
     [] {
       const Tensor x = Tensor::from({1., 0., 3., 0.}, {2, 2});
       const auto [y, mean, variance] = batch_norm(x);
       expect_same(list(mean), {2, 0});
       expect_same(list(variance), {1, 0});
       EXPECT_DOUBLE_EQ(list(y)[2], 1 / std::sqrt(1 + 1e-5));
     }},
    {"running averages",
     [] {
       ParameterSet parameters;
       const Tape tape;
       (void)batch_norm(parameters, "bn", Tensor::from({1., 0., 3., 0.}, {2, 2}));
       commit(tape);
       const auto kept = [&](const char* name) {
         return parameters.find_buffer(name)->value().at(0);
       };
       EXPECT_DOUBLE_EQ(kept("bn/running_mean"), 0.1 * 2);
       EXPECT_DOUBLE_EQ(kept("bn/running_variance"), 0.9 * 1 + 0.1 * 2);
     }},
    {"what dropout is told",
     [] {
       RandomStream stream(1), classic(1);
       const Tensor ones = Tensor::full({4000}, 1, DType::kFloat64);
       expect_same(list(classic_dropout(vector_of({8}), 0.25, classic)), {6});
       const Tape tape;
       double kept = 0;
       for (const double v : list(dropout(ones, 0.2, stream))) {
         EXPECT_TRUE(v == 0 || v == 1 / 0.8);
         kept += v != 0;
       }
       EXPECT_NEAR(kept / 4000, 0.8, 0.03);
       for (const double v : list(classic_dropout(ones, 0.2, classic))) {
         EXPECT_TRUE(v == 0 || v == 1);
       }
     }},
};

class EachConvention : public ::testing::TestWithParam<Convention> {};

void PrintTo(const Convention& convention, std::ostream* out) { *out << convention.rule; }

TEST_P(EachConvention, Holds) { GetParam().holds(); }

INSTANTIATE_TEST_SUITE_P(, EachConvention, ::testing::ValuesIn(kConventions), [](const auto& info) {
  std::string name = info.param.rule;
  for (char& c : name) {
    if (c == ' ') c = '_';
  }
  return name;
});

TEST(Conventions, AreThoseOfThePage) {
  std::set<std::string> held;
  for (const Convention& convention : kConventions) held.insert(convention.rule);
  EXPECT_EQ(testing::conventions_under("## Numbers"), held);
}

}  // namespace
}  // namespace wengert
