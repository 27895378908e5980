// What a gradient costs: backward beside numerical differentiation.
//
// Shown: both give the same gradient; a central difference evaluates the net twice a parameter,
// backward costs a few evaluations whatever the number of parameters. Source: the lecture
// notes' comparison; S. Linnainmaa 1976; A. Griewank and A. Walther 2008, ch. 4 (cheap gradients).
// Look at: the slope of 1 (times ten for ten times the parameters) beside the flat line, and the
// digits that differences lose.
#include <wengert/nn/linear.h>

#include <chrono>

#include "shared.h"

using namespace wengert;

Var loss_of(ParameterSet& parameters, const Tensor& x, const Tensor& t, std::int64_t width) {
  const Var h = tanh(linear(parameters, "hidden", x, width));
  return mean_squared_error(linear(parameters, "out", h, 1), t);
}

/// Seconds of one call, the least of some.
template <class Work>
double seconds(int times, Work&& work) {
  double least = 1e300;
  for (int i = 0; i < times; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    least = std::min(least, taken.count());
  }
  return least;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const Tensor x = Tensor::from(shared::normal(8, 1, "x"), {2, 4});
  const Tensor t = Tensor::from({0.5, -0.5}, {2, 1});
  plot::Curve by_differences{"differences"}, by_backward{"backward"}, by_forward{"one evaluation"};
  plot::Curve in_differences{"differences"}, in_backward{"backward"}, lost{"differences"};
  const int largest = run.quick ? 64 : 1024;
  for (std::int64_t width = 4; width <= largest; width *= 4) {
    ParameterSet parameters(1);
    (void)loss_of(parameters, x, t, width);
    const auto count = static_cast<double>(parameters.element_count());
    std::vector<double> exact, differences;
    const auto differentiate = [&] {
      Tape tape;
      const Gradients gradients = backward(loss_of(parameters, x, t, width));
      exact.clear();
      for (Parameter* parameter : parameters.all()) {
        const auto g = gradients[*parameter].value().to_vector<double>();
        exact.insert(exact.end(), g.begin(), g.end());
      }
    };
    std::int64_t evaluations = 0;
    const auto difference = [&] {
      differences.clear();
      evaluations = 0;
      constexpr double kStep = 1e-6;
      for (Parameter* parameter : parameters.all()) {
        for (std::int64_t i = 0; i < parameter->value().element_count(); ++i) {
          const double before = parameter->value().at(i);
          double y[2];
          for (const int side : {0, 1}) {
            WriteGuard(parameter->mutable_value(), "difference")
                .span<double>()[static_cast<std::size_t>(i)] =
                before + (side == 0 ? -kStep : kStep);
            y[side] = loss_of(parameters, x, t, width).item<double>();
            ++evaluations;
          }
          WriteGuard(parameter->mutable_value(), "difference")
              .span<double>()[static_cast<std::size_t>(i)] = before;
          differences.push_back((y[1] - y[0]) / (2 * kStep));
        }
      }
    };
    const double forward =
        seconds(20, [&] { (void)loss_of(parameters, x, t, width).item<double>(); });
    const double backwards = seconds(20, differentiate),
                 numeric = seconds(1 + static_cast<int>(2000 / count), difference);
    double error = 0, size = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      error = std::max(error, std::fabs(exact[i] - differences[i]));
      size = std::max(size, std::fabs(exact[i]));
    }
    const auto add = [count](plot::Curve& curve, double value) {
      curve.x.push_back(count);
      curve.y.push_back(value);
    };
    add(by_forward, forward * 1e3);
    add(by_backward, backwards * 1e3);
    add(by_differences, numeric * 1e3);
    add(in_differences, numeric / forward);
    add(in_backward, backwards / forward);
    add(lost, error / size);
    std::printf(
        "%4.0f parameters: %lld evaluations for differences, 1 and a sweep for backward; "
        "they differ by %.0e of the largest\n",
        count, static_cast<long long>(evaluations), error / size);
  }
  const plot::Axis parameters{.label = "parameters", .scale = plot::Scale::kLog};
  run.save(
      "chain_rule_cost",
      {.title = "What a gradient costs",
       .panels = {{.title = "In evaluations of the net",
                   .x = parameters,
                   .y = {.label = "time over that of one evaluation", .scale = plot::Scale::kLog},
                   .curves = {in_differences, in_backward}},
                  {.title = "Time on this machine",
                   .x = parameters,
                   .y = {.label = "time (ms)", .scale = plot::Scale::kLog},
                   .curves = {by_differences, by_backward, by_forward}},
                  {.title = "What differences lose",
                   .x = parameters,
                   .y = {.label = "error over the largest entry", .scale = plot::Scale::kLog},
                   .curves = {lost}}},
       .caption = "A net 4-n-1 in float64. The chain rule, backwards, reuses what all paths "
                  "share; a difference starts anew for each parameter."});
}
