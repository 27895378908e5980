#include <algorithm>
#include <vector>

#include "tools/wengert/bench.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/random_stream.h"

// A million random numbers beside a plain fill of their memory.
namespace wengert::tools {

void bench_random(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("random", false)) return;
  constexpr std::int64_t kCount = 1 << 20;
  RandomStream stream(1, "bench");
  std::vector<float> memory(kCount);
  float value = 0;
  const auto fill = [&] { std::fill(memory.begin(), memory.end(), value += 1); };
  const auto add = [&](const std::string& name, const std::function<Var()>& draw) {
    if (!selection.wants(name)) return;
    BenchRow row = compare(
        name, "ns", kCount, 60, [&] { return draw(); }, fill);
    row.note = "an element of 2^20 float32; floor: filling them";
    rows.push_back(std::move(row));
  };
  add("random/uniform", [&] { return random_uniform(stream, {kCount}); });
  add("random/normal", [&] { return random_normal(stream, {kCount}); });
  add("random/bernoulli", [&] { return random_bernoulli(stream, {kCount}, 0.3); });
}

}  // namespace wengert::tools
