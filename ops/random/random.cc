#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/text.h"
#include "wengert/ops/creation/checks.h"
#include "wengert/ops/kernels/philox.h"

namespace wengert {
namespace ops {
namespace {

/// The draw is part of the record: the same attributes give the same bits again.
struct RandomAttributes {
  std::int64_t key, counter;
  Shape shape;
  double first, second;  ///< low and high, mean and stddev, or p
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("key", self.key);
    v("counter", self.counter);
    v("shape", self.shape);
    v("first", self.first);
    v("second", self.second);
    v("dtype", self.dtype);
  }
  kernels::RandomDraw draw() const {
    return {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(counter)};
  }
};

void require_floating_result(const OpCall& call, DType dtype) {
  if (!is_floating(dtype)) {
    call.fail(ErrorKind::kDType,
              "the result must be float32 or float64, not " + std::string(name_of(dtype)));
  }
}

void infer_uniform(InferContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  require_floating_result(call, a.dtype);
  if (!std::isfinite(a.first) || !std::isfinite(a.second) || a.first > a.second) {
    call.fail(ErrorKind::kValue,
              "no interval [" + format_number(a.first) + ", " + format_number(a.second) + ")");
  }
  output_of_sizes(call, a.dtype, a.shape);
}

void infer_normal(InferContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  require_floating_result(call, a.dtype);
  if (!std::isfinite(a.first) || !std::isfinite(a.second) || a.second < 0) {
    call.fail(ErrorKind::kValue, "no normal distribution of mean " + format_number(a.first) +
                                     " and standard deviation " + format_number(a.second));
  }
  output_of_sizes(call, a.dtype, a.shape);
}

void infer_bernoulli(InferContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  if (!(a.first >= 0 && a.first <= 1)) {
    call.fail(ErrorKind::kValue, "p must lie in [0, 1], got " + format_number(a.first));
  }
  output_of_sizes(call, a.dtype, a.shape);
}

void infer_permutation(InferContext& call) {
  const Shape& shape = call.attributes<RandomAttributes>().shape;
  if (shape[0] < 0) {
    call.fail(ErrorKind::kShape, "negative count " + std::to_string(shape[0]));
  }
  output_of_sizes(call, DType::kInt64, shape);
}

void evaluate_uniform(EvalContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  const TensorView out = call.output();
  kernels::fill_uniform(out.dtype, out.data, out.count(), a.draw(), a.first, a.second);
}

void evaluate_normal(EvalContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  const TensorView out = call.output();
  kernels::fill_normal(out.dtype, out.data, out.count(), a.draw(), a.first, a.second);
}

void evaluate_bernoulli(EvalContext& call) {
  const auto& a = call.attributes<RandomAttributes>();
  const TensorView out = call.output();
  kernels::fill_bernoulli(out.dtype, out.data, out.count(), a.draw(), a.first);
}

void evaluate_permutation(EvalContext& call) {
  const TensorView out = call.output();
  kernels::fill_permutation(out.as<std::int64_t>(), out.count(),
                            call.attributes<RandomAttributes>().draw());
}

constexpr OpDef random_op(std::string_view name, const Documentation& doc,
                          void (*infer)(InferContext&), void (*evaluate)(EvalContext&)) {
  OpDef op;
  op.name = name;
  op.doc = doc;
  op.min_inputs = op.max_inputs = 0;
  op.infer = infer;
  op.evaluate = evaluate;
  op.attributes = &attribute_type<RandomAttributes>;
  return op;
}

/// The draw is taken only when the call succeeds: a rejected one leaves the stream as it was.
Var draw(const OpDef& op, RandomStream& stream, const Shape& shape, double first, double second,
         DType dtype, std::source_location where) {
  const RandomAttributes attributes = {static_cast<std::int64_t>(stream.key()),
                                       static_cast<std::int64_t>(stream.counter()),
                                       shape,
                                       first,
                                       second,
                                       dtype};
  Var result = apply(op, {}, attributes, where);
  stream.next();
  return result;
}

constexpr std::string_view kSource =
    "Philox4x32-10: J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011";

}  // namespace

constinit const OpDef random_uniform_op = random_op(
    "random_uniform",
    {.summary = "Random numbers, uniform in [low, high).",
     .formula = "y = low + u·(high − low), u of 24 (float32) or 53 (float64) random bits",
     .arguments = "stream: takes its next draw; shape; low ≤ high, finite (low alone when "
                  "they are equal); dtype: float32 or float64",
     .gradient = "none: there is no input",
     .source = kSource},
    infer_uniform, evaluate_uniform);

constinit const OpDef random_normal_op =
    random_op("random_normal",
              {.summary = "Random numbers, normal with a mean and a standard deviation.",
               .formula = "y = mean + stddev·Φ⁻¹(u), u of 52 random bits, never 0 or 1",
               .arguments = "stream: takes its next draw; shape; mean finite; stddev ≥ 0, finite; "
                            "dtype: float32 or float64",
               .gradient = "none: there is no input",
               .source = "quantile: M. Wichura, Algorithm AS 241, 1988; bits: Philox4x32-10"},
              infer_normal, evaluate_normal);

constinit const OpDef random_bernoulli_op = random_op(
    "random_bernoulli",
    {.summary = "1 with probability p, else 0.",
     .formula = "y = [u < p], u of 53 random bits",
     .arguments = "stream: takes its next draw; shape; 0 ≤ p ≤ 1, both ends exact; dtype: "
                  "any",
     .gradient = "none: there is no input",
     .source = kSource},
    infer_bernoulli, evaluate_bernoulli);

constinit const OpDef random_permutation_op =
    random_op("random_permutation",
              {.summary = "The numbers 0 … count − 1 in random order, int64.",
               .formula = "y = the order of count random 64-bit keys",
               .arguments = "stream: takes its next draw; count ≥ 0",
               .gradient = "none: there is no input",
               .source = kSource},
              infer_permutation, evaluate_permutation);

}  // namespace ops

Var random_uniform(RandomStream& stream, const Shape& shape, double low, double high, DType dtype,
                   std::source_location where) {
  return ops::draw(ops::random_uniform_op, stream, shape, low, high, dtype, where);
}

Var random_normal(RandomStream& stream, const Shape& shape, double mean, double stddev, DType dtype,
                  std::source_location where) {
  return ops::draw(ops::random_normal_op, stream, shape, mean, stddev, dtype, where);
}

Var random_bernoulli(RandomStream& stream, const Shape& shape, double p, DType dtype,
                     std::source_location where) {
  return ops::draw(ops::random_bernoulli_op, stream, shape, p, 0, dtype, where);
}

Var random_permutation(RandomStream& stream, std::int64_t count, std::source_location where) {
  return ops::draw(ops::random_permutation_op, stream, {count}, 0, 0, DType::kInt64, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <algorithm>
#include <numeric>

#include "wengert/graph/text.h"
#include "wengert/ops/random/random_tests.h"

WENGERT_OP_TESTS(random_uniform) {
  OpTests tests;
  for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
    tests.samples.push_back(distribution_sample(
        "uniform in [-2, 3) " + std::string(short_name(dtype)),
        [dtype](RandomStream& s, const Shape& shape) {
          return random_uniform(s, shape, -2, 3, dtype);
        },
        0.5, 25.0 / 12, [](double x) { return (x + 2) / 5; }, -2, std::nextafter(3.0, 0.0)));
  }
  tests.samples.push_back(holds_sample("no block is drawn twice", [] {
    RandomStream stream(1, "u");
    auto x = random_uniform(stream, {50001}, 0, 1, DType::kFloat64).value().to_vector<double>();
    std::sort(x.begin(), x.end());
    return std::adjacent_find(x.begin(), x.end()) == x.end();
  }));
  tests.samples.push_back(holds_sample("equal ends", [] {
    RandomStream stream(1, "u");
    return all_equal(random_uniform(stream, {50}, 2, 2).value(), 2);
  }));
  tests.samples.push_back(holds_sample("the upper end is left out", [] {
    RandomStream stream(1, "u");
    const float high = std::nextafter(1.0f, 2.0f);
    return all_equal(random_uniform(stream, {500}, 1, high).value(), 1);
  }));
  add_stream_samples(tests,
                     [](RandomStream& s, const Shape& shape) { return random_uniform(s, shape); });
  tests.rejected = random_rejected(
      [](const Shape& shape, DType dtype) {
        RandomStream stream(1);
        (void)random_uniform(stream, shape, 0, 1, dtype);
      },
      true);
  tests.rejected.push_back({"interval",
                            [] {
                              RandomStream stream(1);
                              (void)random_uniform(stream, {2}, 1, 0);
                            },
                            ErrorKind::kValue, "no interval [1, 0)"});
  tests.order = 0;
  tests.small_only = "has no inputs; its samples draw 50,000 numbers";
  return tests;
}

WENGERT_OP_TESTS(random_normal) {
  OpTests tests;
  for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
    tests.samples.push_back(distribution_sample(
        "normal of mean 1, deviation 2 " + std::string(short_name(dtype)),
        [dtype](RandomStream& s, const Shape& shape) {
          return random_normal(s, shape, 1, 2, dtype);
        },
        1, 4, [](double x) { return 0.5 * std::erfc(-(x - 1) / 2 / std::sqrt(2.0)); }, -20, 20));
  }
  add_stream_samples(tests,
                     [](RandomStream& s, const Shape& shape) { return random_normal(s, shape); });
  tests.rejected = random_rejected(
      [](const Shape& shape, DType dtype) {
        RandomStream stream(1);
        (void)random_normal(stream, shape, 0, 1, dtype);
      },
      true);
  tests.rejected.push_back({"negative deviation",
                            [] {
                              RandomStream stream(1);
                              (void)random_normal(stream, {2}, 0, -1);
                            },
                            ErrorKind::kValue,
                            "no normal distribution of mean 0 and standard deviation -1"});
  tests.order = 0;
  tests.small_only = "has no inputs; its samples draw 50,000 numbers";
  return tests;
}

WENGERT_OP_TESTS(random_bernoulli) {
  OpTests tests;
  tests.samples.push_back(distribution_sample(
      "p = 0.3",
      [](RandomStream& s, const Shape& shape) { return random_bernoulli(s, shape, 0.3); }, 0.3,
      0.21, nullptr, 0, 1));
  for (double p : {0.0, 1.0}) {
    for (DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64,
                        DType::kUint8, DType::kBool}) {
      tests.samples.push_back(holds_sample("p = " + format_number(p), [p, dtype] {
        RandomStream stream(3, "b");
        return all_equal(random_bernoulli(stream, {1000}, p, dtype).value(), p);
      }));
    }
  }
  add_stream_samples(
      tests, [](RandomStream& s, const Shape& shape) { return random_bernoulli(s, shape, 0.5); });
  const auto bad = [](double p) {
    return [p] {
      RandomStream stream(1);
      (void)random_bernoulli(stream, {2}, p);
    };
  };
  tests.rejected = random_rejected(
      [](const Shape& shape, DType dtype) {
        RandomStream stream(1);
        (void)random_bernoulli(stream, shape, 0.5, dtype);
      },
      false);
  tests.rejected.push_back({"p", bad(1.5), ErrorKind::kValue, "p must lie in [0, 1], got 1.5"});
  tests.rejected.push_back({"NaN", bad(kNan), ErrorKind::kValue, "p must lie in [0, 1], got nan"});
  tests.order = 0;
  tests.small_only = "has no inputs; its samples draw 50,000 numbers";
  return tests;
}

WENGERT_OP_TESTS(random_permutation) {
  OpTests tests;
  for (std::int64_t n : {0, 1, 2, 1000}) {
    tests.samples.push_back(holds_sample("of " + std::to_string(n), [n] {
      RandomStream stream(5, "p");
      auto values = random_permutation(stream, n).value().to_vector<std::int64_t>();
      const bool moved = n < 100 || !std::is_sorted(values.begin(), values.end());
      std::sort(values.begin(), values.end());
      std::vector<std::int64_t> all(static_cast<std::size_t>(n));
      std::iota(all.begin(), all.end(), 0);
      return moved && values == all;
    }));
  }
  tests.samples.push_back(holds_sample("all orders of 3 are equally frequent", [] {
    RandomStream stream(5, "p");
    std::vector<double> counts(27, 0.0);
    for (int i = 0; i < 6000; ++i) {
      const auto v = random_permutation(stream, 3).value().to_vector<std::int64_t>();
      ++counts[static_cast<std::size_t>(v[0] * 9 + v[1] * 3 + v[2])];
    }
    double chi = 0;
    int orders = 0;
    for (double c : counts) {
      if (c == 0) continue;
      ++orders;
      chi += (c - 1000) * (c - 1000) / 1000;
    }
    return orders == 6 && chi < 25.7;  // five degrees of freedom: exceeded once in 10⁴
  }));
  const auto bad = [](std::int64_t n) {
    return [n] {
      RandomStream stream(1);
      (void)random_permutation(stream, n);
    };
  };
  tests.rejected = {
      {"negative", bad(-1), ErrorKind::kShape, "negative count -1"},
      {"most negative", bad(INT64_MIN), ErrorKind::kShape, "negative count -9223372036854775808"}};
  tests.exempt = "its only argument is a count";
  tests.order = 0;
  tests.small_only = "has no inputs; its samples draw 50,000 numbers";
  return tests;
}
#endif
