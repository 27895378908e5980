#include <vector>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_floor.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/optimizer.h"

// A step of an optimizer beside a loop over the same memory.
namespace wengert::tools {
namespace {

/// Reads four arrays and writes three of them: the least traffic of a method with two slots.
WENGERT_WIDEST void read_four_write_three(float* __restrict w, const float* __restrict g,
                                          float* __restrict m, float* __restrict s,
                                          std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = m[i] * 0.5f + g[i];
    s[i] = s[i] * 0.25f + g[i];
    w[i] = w[i] - m[i];
  }
}

void bench_adam(const std::string& name, std::int64_t count, std::vector<BenchRow>& rows) {
  ParameterSet parameters;
  parameters.add("w", Tensor::full({count}, 0.5, DType::kFloat32));
  Gradients gradients;
  {
    const Tape tape;
    gradients = backward(sum(square(use(parameters.at("w")))));
  }
  optim::Adam adam({.rate = 1e-9});
  const auto floats = static_cast<std::size_t>(count);
  std::vector<float> w(floats), g(floats, 1.0f), m(floats), s(floats);
  BenchRow row = compare(
      name, "µs", 1000, count > 4000000 ? 30 : 200, [&] { adam.step(parameters, gradients); },
      [&] { read_four_write_three(w.data(), g.data(), m.data(), s.data(), count); });
  row.note = "floor: a loop that reads four arrays and writes three";
  rows.push_back(std::move(row));
}

}  // namespace

void bench_update(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (selection.wants("update/adam/266k")) bench_adam("update/adam/266k", 266610, rows);
  if (selection.wants("update/adam/1m")) bench_adam("update/adam/1m", 1 << 20, rows);
  if (selection.wants("update/adam/16m")) bench_adam("update/adam/16m", 1 << 24, rows);
}

}  // namespace wengert::tools
