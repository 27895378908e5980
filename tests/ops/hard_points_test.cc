#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/checker.h"

// Derivatives relative to their own size: a tolerance beside 1 cannot see that σ'(40) is 4e-18.
namespace wengert::testing {
namespace {

constexpr int kOrders = 4;
constexpr double kMostUlps = 64;

struct Point {
  double x;
  double at[kOrders];  ///< f and its derivatives, of 400 digits
};

/// tests/data/derivatives.txt by op.
std::map<std::string, std::vector<Point>> read_points() {
  std::ifstream file(WENGERT_TEST_DATA "/derivatives.txt");
  std::map<std::string, std::vector<Point>> points;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == '#') continue;
    std::istringstream words(line);
    std::string op, word;
    words >> op;
    double numbers[1 + kOrders];
    for (double& number : numbers) {
      words >> word;
      number = std::strtod(word.c_str(), nullptr);
    }
    Point point = {numbers[0], {}};
    std::copy(numbers + 1, numbers + 1 + kOrders, point.at);
    points[op].push_back(point);
  }
  return points;
}

/// Where a derivative may be further off, and why no better form is used.
struct Exception {
  const char* op;
  DType dtype;
  int first_order;
  double from;  ///< |x|
  const char* why;
};
constexpr const char* kOfValue =
    "is 1 − y² of the value alone, which is 1 to rounding: x would have to be kept and an "
    "exponential computed, which the first gradient would pay for";
constexpr const char* kUnderflow =
    "products on the way to a result near the smallest number are below it";
const Exception kExceptions[] = {
    {"tanh", DType::kFloat32, 1, 3, kOfValue},
    {"tanh", DType::kFloat64, 1, 3, kOfValue},
    {"sigmoid", DType::kFloat32, 2, 80, kUnderflow},
    {"sigmoid", DType::kFloat64, 2, 700, kUnderflow},
    {"log_sigmoid", DType::kFloat32, 3, 80, kUnderflow},
    {"log_sigmoid", DType::kFloat64, 3, 700, kUnderflow},
    {"softplus", DType::kFloat32, 3, 80, kUnderflow},
    {"softplus", DType::kFloat64, 3, 700, kUnderflow},
    {"silu", DType::kFloat32, 1, 90, kUnderflow},
    {"silu", DType::kFloat32, 2, 80, kUnderflow},
    {"silu", DType::kFloat64, 2, 700, kUnderflow},
    {"mish", DType::kFloat32, 1, 90, kUnderflow},
    {"mish", DType::kFloat32, 3, 80, kUnderflow},
    {"mish", DType::kFloat64, 3, 700, kUnderflow},
    {"gelu_tanh", DType::kFloat32, 3, 9, kUnderflow},
    {"atan", DType::kFloat32, 3, 1e8, kUnderflow},
    {"bce_with_logits(x,0)", DType::kFloat32, 3, 80, kUnderflow},
    {"bce_with_logits(x,0)", DType::kFloat64, 3, 700, kUnderflow},
    {"bce_with_logits(x,1)", DType::kFloat32, 3, 80, kUnderflow},
    {"bce_with_logits(x,1)", DType::kFloat64, 3, 700, kUnderflow},
    {"bce_with_logits(x,0.25)", DType::kFloat32, 3, 80, kUnderflow},
};

const Exception* exception_for(const std::string& op, DType dtype, int order, double x) {
  for (const Exception& e : kExceptions) {
    if (op == e.op && dtype == e.dtype && order >= e.first_order && std::fabs(x) >= e.from) {
      return &e;
    }
  }
  return nullptr;
}

class HardPoints : public ::testing::TestWithParam<DType> {};

/// The call that "sigmoid" or "pow(2,x)" is of.
Var call(const std::string& name, const Var& x) {
  const std::size_t open = name.find('(');
  const OpDef& op = *find_op(name.substr(0, open));
  if (open == std::string::npos) return apply(op, x, std::source_location::current());
  const std::size_t comma = name.find(',');
  const auto operand = [&](const std::string& text) {
    return text == "x" ? x : Var(Tensor::full(x.shape(), std::stod(text), x.dtype()));
  };
  const Var a = operand(name.substr(open + 1, comma - open - 1));
  const Var b = operand(name.substr(comma + 1, name.size() - comma - 2));
  const Var* operands[] = {&a, &b};
  if (op.attributes == nullptr) return apply(op, operands);
  Attributes attributes(op);  // of a loss
  attributes.set("reduction", "none");
  return apply(op, operands, attributes.get());
}

/// f and its first three derivatives at all points at once, by kernels of the CPU's level.
std::vector<std::vector<double>> derivatives(const std::string& op,
                                             const std::vector<Point>& points, DType dtype) {
  std::vector<double> xs;
  for (const Point& point : points) xs.push_back(point.x);
  Tape tape;
  const Var x = variable(Tensor::from(xs, {static_cast<std::int64_t>(xs.size())}).to(dtype));
  const Var ones = Tensor::full(x.shape(), 1, dtype);
  Var y = call(op, x);
  std::vector<std::vector<double>> all = {y.value().to_vector<double>()};
  for (int order = 1; order < kOrders; ++order) {
    if (!y.requires_grad()) {
      all.emplace_back(xs.size(), 0.0);
      continue;
    }
    const Var outputs[] = {y}, inputs[] = {x}, cotangents[] = {ones};
    y = grad(outputs, inputs, cotangents, {.create_graph = true})[0];
    all.push_back(y.value().to_vector<double>());
  }
  return all;
}

TEST_P(HardPoints, DerivativesAreRightRelativeToTheirSize) {
  const DType dtype = GetParam();
  const bool single = dtype == DType::kFloat32;
  const double least =
      single ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  const double most =
      single ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const auto table = read_points();
  EXPECT_GT(table.size(), 25u);
  int compared = 0;
  std::set<const Exception*> used;
  for (const auto& [name, points] : table) {
    const auto got = derivatives(name, points, dtype);
    for (std::size_t i = 0; i < points.size(); ++i) {
      for (int order = 0; order < kOrders; ++order) {
        const double right = points[i].at[order], actual = got[static_cast<std::size_t>(order)][i];
        if (std::fabs(right) > most || (right != 0 && std::fabs(right) < least)) continue;
        const double ulps = std::fabs(actual - right) / ulp_of(right, dtype);
        if (const Exception* exception = exception_for(name, dtype, order, points[i].x)) {
          used.insert(ulps > kMostUlps ? exception : nullptr);
          continue;
        }
        ++compared;
        EXPECT_LE(ulps, kMostUlps) << name << ", order " << order << " at " << points[i].x << ": "
                                   << actual << ", right " << right;
        EXPECT_FALSE(std::isnan(actual)) << name << ", order " << order << " at " << points[i].x;
      }
    }
  }
  EXPECT_GT(compared, 2000);
  for (const Exception& e : kExceptions) {
    if (e.dtype != dtype) continue;
    EXPECT_TRUE(used.contains(&e)) << e.op << " needs no exception: " << e.why;
  }
}

INSTANTIATE_TEST_SUITE_P(, HardPoints, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace wengert::testing
