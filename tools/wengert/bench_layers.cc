#include "tools/wengert/bench.h"
#include "wengert/graph/text.h"
#include "wengert/nn/linear.h"
#include "wengert/wengert.h"

// What a layer adds to its op: scope, names, parameters as leaves. The floor is the op alone, on
// variables that are leaves of the tape already.
namespace wengert::tools {
namespace {

constexpr int kLayers = 64;
constexpr int kRepeats = 400;

void bench_linear(std::vector<BenchRow>& rows) {
  ParameterSet parameters;
  std::vector<std::string> names;
  for (int i = 0; i < kLayers; ++i) names.push_back("fc" + std::to_string(i));
  const Tensor input = Tensor::full({1, 4}, 1, DType::kFloat32);
  const Tensor w = Tensor::full({4, 4}, 0.25, DType::kFloat32);
  const Tensor b = Tensor::zeros({4}, DType::kFloat32);
  std::vector<double> times, floors;
  for (int repeat = 0; repeat < kRepeats + 5; ++repeat) {
    double time = 0, floor = 0;
    {
      const Tape tape;
      Var y = variable(input);
      time = nanoseconds([&] {
        for (const std::string& name : names) y = linear(parameters, name, y, 4);
      });
    }
    {
      const Tape tape;
      Var y = variable(input);
      const Var weight = variable(w), bias = variable(b);
      y = linear(y, weight, bias);
      floor = nanoseconds([&] {
        for (int i = 0; i < kLayers; ++i) y = linear(y, weight, bias);
      });
    }
    if (repeat < 5) continue;
    times.push_back(time / kLayers);
    floors.push_back(floor / kLayers);
  }
  BenchRow row = summarize("layer/linear", "ns", std::move(times));
  row.floor = summarize("", "", std::move(floors)).median;
  row.floor_ratio = row.median / row.floor;
  row.note = fixed_number(row.median - row.floor, 0) + " ns beside the op";
  rows.push_back(std::move(row));
}

}  // namespace

void bench_layers(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (selection.wants_group("layer/linear", false)) bench_linear(rows);
}

}  // namespace wengert::tools
