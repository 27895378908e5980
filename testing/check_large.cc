#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/testing/checker.h"

// Samples beyond one task, tile and block: what holds for every element is checked at once, since
// differences element by element would take minutes.
namespace wengert::testing {
namespace {

/// Central differences of sixth order: f' = Σ weight·(f(x + k·h) − f(x − k·h))/h, k = 1, 2, 3.
constexpr double kWeights[] = {45.0 / 60, -9.0 / 60, 1.0 / 60};

/// Largest |vᵀJu − numeric| over the sum of both sides' terms' magnitudes: what rounding and the
/// stencil (1e-18 of the seventh derivative) leave at regular points, with a margin of ten.
constexpr double kSmooth = 1e-9, kLinear = 1e-12;

constexpr int kThreads[] = {1, 2, 3};

/// One thread count while it lives, the default afterwards.
struct Threads {
  explicit Threads(int count) { kernels::set_thread_count(count); }
  ~Threads() { kernels::set_thread_count(0); }
};

/// Kernels say how they cut their work while this lives, if `counts`.
struct CountedSplits {
  explicit CountedSplits(bool counts) { kernels::count_splits(counts); }
  ~CountedSplits() { kernels::count_splits(false); }
};

/// Values and gradients of one call.
struct Outcome {
  std::vector<Tensor> values;
  std::vector<Tensor> gradients;
};

/// What to count cuts of while a sample runs.
struct Counting {
  bool forward, backward;
};

Outcome run(const Sample& sample, std::span<const Tensor> inputs,
            const std::vector<std::size_t>& wanted, std::vector<Tensor>& cotangents,
            Counting counting = {false, false}) {
  Outcome outcome;
  Tape tape;
  std::vector<Var> vars(inputs.begin(), inputs.end()), arguments, outputs, flowing;
  for (const std::size_t i : wanted) arguments.push_back(vars[i] = variable(inputs[i]));
  std::vector<Var> results;
  {
    const CountedSplits counted(counting.forward);
    results = sample.call(vars);
  }
  for (const Var& y : results) {
    outcome.values.push_back(y.value());
    if (!is_floating(y.dtype()) || !y.requires_grad()) continue;
    if (cotangents.size() == outputs.size()) {
      cotangents.push_back(
          cotangent_like(y, static_cast<int>(outputs.size()) + 1).to(DType::kFloat32));
    }
    flowing.push_back(cotangents[outputs.size()].to(y.dtype()));
    outputs.push_back(y);
  }
  if (outputs.empty()) return outcome;
  const CountedSplits counted(counting.backward);
  for (const Var& g : grad(outputs, arguments, flowing)) outcome.gradients.push_back(g.value());
  return outcome;
}

/// Calls and differentiates on operands of each layout, on several threads.
void look_at_memory(const Sample& sample, const std::vector<Tensor>& inputs,
                    const std::vector<std::size_t>& wanted, std::vector<Tensor>& cotangents,
                    Counting counting) {
  const Threads threads(kThreads[2]);
  (void)run(sample, inputs, wanted, cotangents, counting);
  for (const Layout layout : {Layout::kTransposed, Layout::kStrided}) {
    std::vector<Tensor> viewed;
    for (const Tensor& input : inputs) viewed.push_back(with_layout(input, layout));
    (void)run(sample, viewed, wanted, cotangents, {counting.forward, false});
  }
}

std::vector<double> numbers(const Tensor& tensor) { return tensor.to_vector<double>(); }

/// inputs + by·directions, where there is a direction.
std::vector<Var> moved(std::span<const Tensor> inputs, const std::vector<Tensor>& directions,
                       double by) {
  std::vector<Var> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (directions[i].element_count() == 0) {
      result.push_back(inputs[i]);
      continue;
    }
    std::vector<double> x = numbers(inputs[i]);
    const std::vector<double> u = numbers(directions[i]);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += by * u[k];
    result.push_back(Tensor::from(x, inputs[i].shape()));
  }
  return result;
}

/// Σ weight·v·y over the floating results of a call that gradients flow through, into each place.
void add_projected(const std::vector<Var>& results, const std::vector<Tensor>& cotangents,
                   double weight, std::vector<std::vector<double>>& terms) {
  std::size_t at = 0;
  for (const Var& y : results) {
    if (!is_floating(y.dtype()) || at == cotangents.size()) continue;
    const std::vector<double> values = numbers(y.value()), v = numbers(cotangents[at]);
    if (terms.size() == at) terms.emplace_back(values.size());
    for (std::size_t k = 0; k < values.size(); ++k) terms[at][k] += weight * v[k] * values[k];
    ++at;
  }
}

/// What is wrong with vᵀJu, a sentence or nothing.
std::string projection(const Sample& sample, std::span<const Tensor> inputs,
                       const std::vector<std::size_t>& wanted, const Outcome& outcome,
                       const std::vector<Tensor>& cotangents, bool linear) {
  std::vector<Tensor> directions(inputs.size(), Tensor::zeros({0}, DType::kFloat64));
  double analytic = 0, scale = 0;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const Tensor& u = directions[wanted[k]] =
        spread(inputs[wanted[k]].shape(), -1, 1, 70 + static_cast<int>(k));
    const std::vector<double> g = numbers(outcome.gradients[k]), along = numbers(u);
    for (std::size_t i = 0; i < g.size(); ++i) {
      analytic += g[i] * along[i];
      scale += std::fabs(g[i] * along[i]);
    }
  }
  const double step = linear ? 1 : sample.step;
  std::vector<std::vector<double>> terms;
  for (int k = 1; k <= 3; ++k) {
    for (const double sign : {1.0, -1.0}) {
      add_projected(sample.call(moved(inputs, directions, sign * k * step)), cotangents,
                    sign * kWeights[k - 1] / step, terms);
    }
  }
  double numeric = 0;
  for (const auto& output : terms) {
    for (const double term : output) {
      numeric += term;
      scale += std::fabs(term);
    }
  }
  const double tolerance = (linear ? kLinear : kSmooth) * scale;
  if (std::fabs(analytic - numeric) <= tolerance) return {};
  return "vᵀJu is " + format_number(analytic, 17) + ", differences give " +
         format_number(numeric, 17) + ", tolerance " + format_number(tolerance);
}

std::string bits_differ(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const std::string problem = bit_difference(actual[k], expected[k]);
    if (!problem.empty()) return std::to_string(k) + ": " + problem;
  }
  return {};
}

}  // namespace

bool OpChecker::has_large() const {
  for (const Sample& sample : tests_.samples) {
    if (sample.large()) return true;
  }
  return false;
}

void OpChecker::check_large(const Sample& sample) {
  const std::vector<std::size_t> wanted =
      sample.smooth ? arguments(sample) : std::vector<std::size_t>{};
  const std::vector<Tensor> single = in_dtype(sample.inputs, DType::kFloat32);
  const std::vector<Tensor> exact = in_dtype(single, DType::kFloat64);
  std::vector<Tensor> cotangents;
  if (options_.memory_alone) {
    for (const std::vector<Tensor>& inputs : {exact, single}) {
      const bool own = !op_.is_composite();
      look_at_memory(sample, inputs, wanted, cotangents, {own, own && op_.backward != nullptr});
    }
    return;
  }
  const std::vector<Tensor> expected = sample.reference(exact);
  Outcome first[2];
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const std::vector<Tensor>& inputs = dtype == DType::kFloat64 ? exact : single;
    Outcome& outcome = first[dtype == DType::kFloat32];
    const std::string name(name_of(dtype));
    for (const int count : kThreads) {
      const Threads threads(count);
      if (count == kThreads[0]) {
        // What a composite or a rule in ops consists of are kernels of those ops.
        const bool own = !op_.is_composite();
        outcome = run(sample, inputs, wanted, cotangents, {own, own && op_.backward != nullptr});
        continue;
      }
      const Outcome again = run(sample, inputs, wanted, cotangents);
      const std::string at = ", bits of " + name + " at " + std::to_string(count) + " threads";
      expect(sample, "value" + at, bits_differ(again.values, outcome.values));
      expect(sample, "gradient" + at, bits_differ(again.gradients, outcome.gradients));
    }
    expect(sample, name + " value", compare_all(outcome.values, expected, sample));
  }
  for (std::size_t k = 0; k < first[0].gradients.size(); ++k) {
    // Where a gradient is a sum over n results the rounding errors add up like √n.
    const Tensor& g = first[0].gradients[k];
    const double terms =
        static_cast<double>(cotangents[0].element_count()) / static_cast<double>(g.element_count());
    const double scale =
        std::fmax(std::fmax(std::sqrt(std::fmax(1, terms)), sample.scale), largest_magnitude(g));
    expect(sample, "float32 gradient of argument " + std::to_string(wanted[k]),
           difference(first[1].gradients[k], g,
                      {kGradientUlpsFactor * tests_.ulps32, scale, DType::kFloat32}));
  }
  if (!first[0].gradients.empty()) {
    expect(sample, "projected gradient",
           projection(sample, exact, wanted, first[0], cotangents, tests_.linear));
  }
  check_large_views(sample, exact, first[0].values, first[0].gradients, cotangents);
}

void OpChecker::check_large_views(const Sample& sample, std::span<const Tensor> inputs,
                                  const std::vector<Tensor>& values,
                                  const std::vector<Tensor>& gradients,
                                  std::vector<Tensor> cotangents) {
  const std::vector<std::size_t> wanted =
      gradients.empty() ? std::vector<std::size_t>{} : arguments(sample);
  struct Turn {
    Layout layout;
    std::size_t first;  ///< inputs before it stay as they are: two orders meet
  };
  for (const auto& [layout, first] :
       {Turn{Layout::kTransposed, 0}, Turn{Layout::kTransposed, 1}, Turn{Layout::kStrided, 0}}) {
    if (first >= inputs.size()) continue;
    std::vector<Tensor> viewed(inputs.begin(), inputs.end());
    for (std::size_t i = first; i < viewed.size(); ++i) viewed[i] = with_layout(viewed[i], layout);
    const Outcome outcome = run(sample, viewed, wanted, cotangents, {!op_.is_composite(), false});
    const std::string from =
        std::string(" from ") + name_of_layout(layout) + (first > 0 ? " beside one as it is" : "");
    expect(sample, "value" + from, compare_all(outcome.values, values, sample));
    for (std::size_t k = 0; k < outcome.gradients.size(); ++k) {
      const double scale = std::fmax(largest_magnitude(gradients[k]), sample.scale);
      expect(
          sample, "gradient of argument " + std::to_string(wanted[k]) + from,
          difference(outcome.gradients[k], gradients[k], {tests_.ulps64, scale, DType::kFloat64}));
    }
  }
}

}  // namespace wengert::testing
