#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/storage.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/philox.h"
#include "wengert/ops/kernels/walk.h"

namespace wengert {
namespace ops {
namespace {

/// The slopes are draw `counter` under `key`: as part of the record they are the same ones in
/// every derivative and when the node is computed again.
struct RreluAttributes {
  std::int64_t key, counter;
  double low, high;
  Mode mode;
  MeanSlope inference;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("key", self.key);
    v("counter", self.counter);
    v("low", self.low);
    v("high", self.high);
    v("mode", self.mode);
    v("inference", self.inference);
  }
  double mean_slope() const {
    return inference == MeanSlope::kHarmonic ? 2 / (1 / low + 1 / high) : low / 2 + high / 2;
  }
};

/// The slopes of a call: in training one for each element in row-major order, in `memory` of that
/// many; in inference one for all.
class Slopes {
 public:
  Slopes(const RreluAttributes& a, DType dtype, std::span<const std::int64_t> shape,
         std::byte* memory) {
    if (a.mode == Mode::kTraining) {
      view_ = {dtype, static_cast<int>(shape.size()), shape.data(), nullptr, memory};
      kernels::fill_uniform(
          dtype, memory, view_.count(),
          {static_cast<std::uint64_t>(a.key), static_cast<std::uint64_t>(a.counter)}, a.low,
          a.high);
    } else {
      single_ = static_cast<float>(a.mean_slope());
      double_ = a.mean_slope();
      void* mean = dtype == DType::kFloat32 ? static_cast<void*>(&single_) : &double_;
      view_ = {dtype, 0, nullptr, nullptr, static_cast<std::byte*>(mean)};
    }
  }
  Slopes(const Slopes&) = delete;
  Slopes& operator=(const Slopes&) = delete;
  const TensorView& view() const { return view_; }

 private:
  TensorView view_;
  float single_ = 0;
  double double_ = 0;
};

void infer_rrelu(InferContext& call) {
  const auto& a = call.attributes<RreluAttributes>();
  call.require_floating(0);
  if (!std::isfinite(a.low) || !std::isfinite(a.high) || a.low > a.high) {
    call.fail(ErrorKind::kValue,
              "no interval [" + format_number(a.low) + ", " + format_number(a.high) + ")",
              "slopes are drawn from [low, high)");
  }
  if (a.inference == MeanSlope::kHarmonic && !(a.low > 0)) {
    call.fail(ErrorKind::kValue, "no harmonic mean of slopes from " + format_number(a.low),
              "low must be positive, or take MeanSlope::kArithmetic");
  }
  call.output(call.dtype(0), call.shape(0));
}

/// prelu with these slopes, by its kernels.
void evaluate_rrelu(EvalContext& call) {
  const TensorView out = call.output();
  const Slopes slopes(call.attributes<RreluAttributes>(), out.dtype, out.shape(), out.data);
  const auto bytes = static_cast<std::int64_t>(size_of(out.dtype));
  const auto kernel = prelu_op.elementwise->kernels->forward[static_cast<int>(out.dtype)];
  const TensorView operands[] = {call.input(0), slopes.view()};
  kernels::walk(out.shape(), operands,
                [&](const void* const* in, std::int64_t position, std::int64_t n) {
                  kernel(in, out.data + position * bytes, n, nullptr);
                });
}

Var apply_rrelu(const Var& x, const RreluAttributes& attributes, std::source_location where) {
  return apply(rrelu_op, {&x}, attributes, where);
}

/// The slopes as a value are what the same call makes of −1 everywhere, negated.
void rrelu_vjp(VjpContext& c) {
  const Var x = c.input(0);
  const Var slopes =
      -apply_rrelu(-ones_like(x), c.attributes<RreluAttributes>(), std::source_location::current());
  const Var one = Tensor::full({}, 1, x.dtype());
  c.set(0, cotangent_product(c.cotangent(), where(x > 0.0, one, where(x <= 0.0, slopes, x))));
}

void backward_rrelu(BackwardContext& c) {
  const auto& a = c.attributes<RreluAttributes>();
  const auto to = c.gradient(0);
  const DType dtype = to.view.dtype;
  const Tensor drawn =
      Tensor::empty(a.mode == Mode::kTraining ? Shape(to.view.shape()) : Shape{0}, dtype);
  const Slopes slopes(a, dtype, to.view.shape(), drawn.storage()->data);
  const auto bytes = static_cast<std::int64_t>(size_of(dtype));
  const auto kernel = prelu_op.elementwise->kernels->backward[0][static_cast<int>(dtype)];
  const TensorView operands[] = {c.cotangent(), c.input(0), slopes.view()};
  kernels::walk(
      to.view.shape(), operands, [&](const void* const* in, std::int64_t position, std::int64_t n) {
        kernel(in[0], in + 1, nullptr, to.view.data + position * bytes, n, nullptr, to.accumulate);
      });
}

}  // namespace

constinit const OpDef rrelu_op = {
    .name = "rrelu",
    .doc = {.summary = "Rectifier whose slope for negative x is random in training.",
            .formula = "y = x where x > 0, else slope·x; training: slope uniform in [low, high), "
                       "drawn for each element; inference: their mean",
            .arguments =
                "x: any floating dtype and shape; stream: takes its next draw in training; low ≤ "
                "high, finite; inference: \"arithmetic\" (low + high)/2 or \"harmonic\" "
                "2/(1/low + 1/high), for low > 0. The mode is that of the thread, kept in the "
                "node. NaN stays NaN",
            .gradient = "∂y/∂x = 1 where x > 0, else the same slope, at 0 too; NaN at NaN",
            .source = "B. Xu et al., Empirical evaluation of rectified activations in "
                      "convolutional network, 2015"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .infer = infer_rrelu,
    .evaluate = evaluate_rrelu,
    .vjp = rrelu_vjp,
    .backward = backward_rrelu,
    .attributes = &attribute_type<RreluAttributes>,
};

}  // namespace ops

Var rrelu(const Var& x, RandomStream& stream, double low, double high, MeanSlope inference,
          std::source_location where) {
  const Mode mode = current_mode();
  Var result =
      ops::apply_rrelu(x,
                       {static_cast<std::int64_t>(stream.key()),
                        static_cast<std::int64_t>(stream.counter()), low, high, mode, inference},
                       where);
  // Only a call that succeeds takes the draw.
  if (mode == Mode::kTraining) stream.next();
  return result;
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <optional>
#include <utility>

#include "wengert/graph/attributes.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/random/random_tests.h"

namespace {

using namespace wengert;

/// RReLU in training with slopes that are held: the same draw in every call.
std::vector<Var> held(const Var& x, double low, double high) {
  std::optional<Tape> tape;
  if (Tape::current() == nullptr) tape.emplace();
  RandomStream stream(7, "slopes");
  stream.set_counter(5);
  return {rrelu(x, stream, low, high)};
}

/// Textbook form: a slope for each element.
std::vector<Tensor> sloped(const Tensor& x, double low, double high) {
  RandomStream stream(7, "slopes");
  stream.set_counter(5);
  const Tensor slopes = random_uniform(stream, x.shape(), low, high, DType::kFloat64).value();
  std::vector<double> y;
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    y.push_back(std::fmax(x.at(i), 0) - slopes.at(i) * std::fmax(-x.at(i), 0));
  }
  return {Tensor::from(y, x.shape())};
}

/// What 20,000 slopes are: within [1/8, 1/3), their mean within 3.9 deviations of 11/48, no two
/// calls alike, one draw a call.
bool slopes_are_uniform() {
  RandomStream stream(2024, "test");
  const Tape tape;
  const Tensor x = Tensor::full({200, 100}, -1, DType::kFloat64);
  const Tensor y = rrelu(x, stream).value(), again = rrelu(x, stream).value();
  double sum = 0, least = 1, most = 0;
  for (const double v : y.to_vector<double>()) {
    sum -= v;
    least = std::fmin(least, -v);
    most = std::fmax(most, -v);
  }
  const double width = 1.0 / 3 - 1.0 / 8, deviation = width / std::sqrt(12.0 * 20000);
  return least >= 1.0 / 8 && least < 0.126 && most < 1.0 / 3 && most > 0.332 &&
         std::fabs(sum / 20000 - 11.0 / 48) < 3.9 * deviation && stream.counter() == 2 &&
         y.at(0) != again.at(0);
}

/// The form for inference, whatever the mode.
testing::Sample in_inference(MeanSlope mean, double slope) {
  testing::Sample sample;
  sample.name = "inference, " + std::string(name_of(mean));
  sample.inputs = {testing::spread({5, 7}, 0.1, 3)};
  sample.call = [mean](std::span<const Var> x) {
    Attributes attributes(*find_op("rrelu"));
    attributes.set("low", 0.125).set("high", 0.5);
    attributes.set("mode", "inference").set("inference", name_of(mean));
    const Var* inputs[] = {&x[0]};
    return std::vector<Var>{apply(*find_op("rrelu"), inputs, attributes.get())};
  };
  sample.reference = [slope](std::span<const Tensor> x) {
    const auto f = [slope](std::span<const double> v) { return v[0] > 0 ? v[0] : slope * v[0]; };
    return std::vector<Tensor>{testing::map(x, f)};
  };
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(rrelu) {
  OpTests tests;
  for (const auto& [low, high] : {std::pair{1.0 / 8, 1.0 / 3}, {0.25, 0.25}, {-0.5, 2.0}}) {
    for (const Shape& shape :
         {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}, kLongVector, kLongColumns}) {
      Sample sample;
      sample.name = "slopes from " + format_number(low) + " to " + format_number(high) + " of " +
                    to_string(DType::kFloat64, shape);
      sample.inputs = {spread(shape, 0.1, 3)};
      sample.call = [=](std::span<const Var> x) { return held(x[0], low, high); };
      sample.reference = [=](std::span<const Tensor> x) { return sloped(x[0], low, high); };
      sample.scale = 3;  // a float32 slope near 0 is rounded from other bits
      tests.samples.push_back(std::move(sample));
    }
  }
  tests.samples.push_back(in_inference(MeanSlope::kArithmetic, 0.3125));
  tests.samples.push_back(in_inference(MeanSlope::kHarmonic, 0.2));
  alternate_signs(tests);
  tests.samples.push_back(holds_sample("slopes are uniform", slopes_are_uniform));
  tests.samples.push_back(holds_sample("no draw in inference", [] {
    if (Tape::current() != nullptr) return true;  // which trains
    RandomStream stream(7, "slopes");
    const Var y = rrelu(Tensor::from({-48.0, 48.0}, {2}), stream);
    return stream.counter() == 0 && y.value().at(0) == -11 && y.value().at(1) == 48;
  }));
  tests.samples.push_back(holds_sample("NaN passes", [] {
    return std::isnan(held(Tensor::from({kNan}, {1}), 0.25, 0.5)[0].value().at(0));
  }));
  const auto bad = [](double low, double high, MeanSlope mean) {
    return [=] {
      RandomStream stream(1);
      (void)rrelu(Tensor::zeros({2}, DType::kFloat32), stream, low, high, mean);
    };
  };
  tests.rejected = {{"low above high", bad(0.5, 0.25, MeanSlope::kArithmetic), ErrorKind::kValue,
                     "no interval [0.5, 0.25)"},
                    {"NaN", bad(kNan, 0.25, MeanSlope::kArithmetic), ErrorKind::kValue,
                     "no interval [nan, 0.25)"},
                    {"infinite", bad(0, kInfinity, MeanSlope::kArithmetic), ErrorKind::kValue,
                     "no interval [0, inf)"},
                    {"harmonic mean with 0", bad(0, 1, MeanSlope::kHarmonic), ErrorKind::kValue,
                     "no harmonic mean of slopes from 0"},
                    {"integers",
                     [] {
                       RandomStream stream(1);
                       (void)rrelu(Tensor::zeros({2}, DType::kInt64), stream);
                     },
                     ErrorKind::kDType, "needs float32 or float64, got i64[2]"},
                    {"empty Var",
                     [] {
                       RandomStream stream(1);
                       (void)rrelu(Var(), stream);
                     },
                     ErrorKind::kGraph, "input 0 is an empty Var"}};
  return tests;
}
#endif
