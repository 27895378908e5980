#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstdint>

#include "wengert/graph/text.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/measure.h"
#include "wengert/ops/kernels/philox.h"

namespace wengert {
namespace ops {
namespace {

/// Beside y a bit for each element, hidden: whether it was dropped.
enum Result : int { kY, kMask };

/// The mask is draw `counter` under `key`: as part of the record it is the same one in every
/// derivative and when the node is computed again.
struct DropoutAttributes {
  std::int64_t key, counter;
  double p;
  Mode mode;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("key", self.key);
    v("counter", self.counter);
    v("p", self.p);
    v("mode", self.mode);
  }
  bool keeps_all() const { return mode == Mode::kInference || p == 0; }
  kernels::RandomDraw draw() const {
    return {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(counter)};
  }
};

void infer_dropout(InferContext& call) {
  const auto& a = call.attributes<DropoutAttributes>();
  call.require_floating(0);
  if (!(a.p >= 0 && a.p <= 1)) {
    call.fail(ErrorKind::kValue, "p must lie in [0, 1], got " + format_number(a.p),
              "p is the probability that an element is dropped");
  }
  const Shape shape = call.shape(0);
  if (a.keeps_all()) {
    call.output_view(0, shape, call.strides(0));
    call.output(DType::kUint8, {0});
  } else {
    call.output(call.dtype(0), shape);
    call.output(DType::kUint8, {kernels::mask_bytes(element_count(shape))});
  }
}

void evaluate_dropout(EvalContext& call) {
  const auto& a = call.attributes<DropoutAttributes>();
  if (a.keeps_all()) return;  // a view, and an empty mask
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  kernels::draw_dropout(out.dtype, x.view().data, out.data, out.count(), a.draw(), a.p,
                        call.output(kMask).as<std::uint8_t>());
}

Var apply_dropout(const Var& x, const DropoutAttributes& attributes, std::source_location where) {
  return apply(dropout_op, {&x}, attributes, where);
}

/// Linear in x: the cotangent takes the same way.
void dropout_vjp(VjpContext& c) {
  c.set(0, apply_dropout(c.cotangent(), c.attributes<DropoutAttributes>(),
                         std::source_location::current()));
}

void backward_dropout(BackwardContext& c) {
  const auto& a = c.attributes<DropoutAttributes>();
  const DenseInput g(c.cotangent());
  const auto to = c.gradient(0);
  const std::int64_t n = to.view.count();
  if (a.keeps_all()) {
    kernels::scaled(to.view.dtype, g.view().data, n, 1, to.view.data, to.accumulate);
    return;
  }
  kernels::apply_dropout(to.view.dtype, g.view().data, to.view.data, n,
                         c.output(kMask).as<std::uint8_t>(), a.p, to.accumulate);
}

}  // namespace

constinit const OpDef dropout_op = {
    .name = "dropout",
    .doc = {.summary = "Elements set to 0 at random in training, the others scaled up.",
            .formula = "training: y = x·[u ≥ p]/(1 − p), u of 53 random bits for each element; "
                       "inference: y = x",
            .arguments =
                "x: any floating dtype and shape; 0 ≤ p ≤ 1, both ends exact (0: x itself, "
                "1: zeros, also of NaN and infinity); stream: takes its next draw in "
                "training. The mode is that of the thread, kept in the node. A view where "
                "nothing is dropped",
            .gradient = "the cotangent under the same mask; exactly 0 where x was dropped",
            .source = "N. Srivastava et al., Dropout: a simple way to prevent neural networks from "
                      "overfitting, 2014; inverted scaling"},
    .differentiable = 1,
    .reads = {reads_output(kMask)},
    .linear = {1},
    .hidden_outputs = 1,
    .discrete_outputs = 1u << kMask,
    .infer = infer_dropout,
    .evaluate = evaluate_dropout,
    .vjp = dropout_vjp,
    .backward = backward_dropout,
    .attributes = &attribute_type<DropoutAttributes>,
    .identity_for_inference = true,
};

}  // namespace ops

Var dropout(const Var& x, double p, RandomStream& stream, std::source_location where) {
  const Mode mode = current_mode();
  Var result = ops::apply_dropout(x,
                                  {static_cast<std::int64_t>(stream.key()),
                                   static_cast<std::int64_t>(stream.counter()), p, mode},
                                  where);
  // Only a call that succeeds takes the draw.
  if (mode == Mode::kTraining) stream.next();
  return result;
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <optional>

#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/random/random_tests.h"

namespace {

using namespace wengert;

/// Dropout in training with a mask that is held: the same draw in every call.
std::vector<Var> held(const Var& x, double p) {
  std::optional<Tape> tape;
  if (Tape::current() == nullptr) tape.emplace();
  RandomStream stream(7, "drop");
  stream.set_counter(5);
  return {dropout(x, p, stream)};
}

/// Textbook form: a number u for each element, kept where u ≥ p and divided by what share is kept.
std::vector<Tensor> masked(const Tensor& x, double p) {
  RandomStream stream(7, "drop");
  stream.set_counter(5);
  const Tensor dropped = random_bernoulli(stream, x.shape(), p, DType::kBool).value();
  std::vector<double> y;
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    y.push_back(dropped.at(i) != 0 ? 0 : x.at(i) / (1 - p));
  }
  return {Tensor::from(y, x.shape())};
}

/// What is dropped of 20,000 ones lies within 3.9 deviations of p, and the mean stays 1.
bool drops_its_share(double p) {
  RandomStream stream(2024, "test");
  const Tape tape;
  const Tensor y = dropout(Tensor::full({200, 100}, 1, DType::kFloat64), p, stream).value();
  double dropped = 0, sum = 0;
  for (const double v : y.to_vector<double>()) {
    dropped += v == 0;
    sum += v;
  }
  const double sigma = std::sqrt(p * (1 - p) / 20000);
  return std::fabs(dropped / 20000 - p) < 3.9 * sigma &&
         std::fabs(sum / 20000 - 1) < 3.9 * sigma / (1 - p) && stream.counter() == 1;
}

}  // namespace

WENGERT_OP_TESTS(dropout) {
  OpTests tests;
  for (const double p : {0.0, 0.3, 0.5, 0.9, 1.0}) {
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}}) {
      Sample sample;
      sample.name = "p = " + format_number(p) + " of " + to_string(DType::kFloat64, shape);
      sample.inputs = {spread(shape, -2, 2)};
      sample.call = [p](std::span<const Var> x) { return held(x[0], p); };
      sample.reference = [p](std::span<const Tensor> x) { return masked(x[0], p); };
      tests.samples.push_back(std::move(sample));
    }
  }
  // Beyond one task of the kernel, with an uneven rest.
  for (const Shape& shape : {Shape{70001}, Shape{23003, 3}}) {
    Sample sample;
    sample.name = "large " + to_string(DType::kFloat64, shape);
    sample.inputs = {spread(shape, -2, 2)};
    sample.call = [](std::span<const Var> x) { return held(x[0], 0.5); };
    sample.reference = [](std::span<const Tensor> x) { return masked(x[0], 0.5); };
    tests.samples.push_back(std::move(sample));
  }
  for (const double p : {0.1, 0.5, 0.8}) {
    tests.samples.push_back(
        holds_sample("drops " + std::to_string(p), [p] { return drops_its_share(p); }));
  }
  tests.samples.push_back(holds_sample("beyond one task of the kernel", [] {
    const Tensor x = spread({40000}, -2, 2);
    return same_elements(held(x, 0.5)[0].value(), masked(x, 0.5)[0]);
  }));
  tests.samples.push_back(holds_sample("p = 1 drops NaN and infinity", [] {
    return all_equal(held(Tensor::from({kNan, kInfinity, -kInfinity}, {3}), 1)[0].value(), 0);
  }));
  const auto bad = [](double p) {
    return [p] {
      RandomStream stream(1);
      (void)dropout(Tensor::zeros({2}, DType::kFloat32), p, stream);
    };
  };
  tests.rejected = {{"above 1", bad(1.5), ErrorKind::kValue, "p must lie in [0, 1], got 1.5"},
                    {"negative", bad(-0.5), ErrorKind::kValue, "p must lie in [0, 1], got -0.5"},
                    {"NaN", bad(kNan), ErrorKind::kValue, "p must lie in [0, 1], got nan"},
                    {"integers",
                     [] {
                       RandomStream stream(1);
                       (void)dropout(Tensor::zeros({2}, DType::kInt64), 0.5, stream);
                     },
                     ErrorKind::kDType, "needs float32 or float64, got i64[2]"},
                    {"empty Var",
                     [] {
                       RandomStream stream(1);
                       (void)dropout(Var(), 0.5, stream);
                     },
                     ErrorKind::kGraph, "input 0 is an empty Var"}};
  tests.linear = true;
  return tests;
}
#endif
