#include <vector>

#include "tools/wengert/bench.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Elementwise ops over operands that are not dense of one shape, beside the same work on dense
// ones.
namespace wengert::tools {

void bench_layouts(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("layout", false)) return;
  const auto add = [&](const std::string& name, std::int64_t count, const std::string& note,
                       const std::function<Var()>& subject, const std::function<Var()>& dense) {
    if (!selection.wants(name)) return;
    BenchRow row = compare(
        name, "ns", static_cast<double>(count), 80, [&] { return subject(); },
        [&] { return dense(); });
    row.note = "an element of " + note;
    rows.push_back(std::move(row));
  };
  const auto ones = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Var(Tensor::full(shape, 1, dtype));
  };
  constexpr std::int64_t kMany = 1 << 20;
  const Var x = ones({kMany}), condition = ones({kMany}, DType::kBool);
  const auto sum_of_two = [&] { return x + x; };
  add("layout/dense", kMany, "x + x; floor: itself", sum_of_two, sum_of_two);
  add(
      "layout/number", kMany, "x * 1.5; floor: x + x", [&] { return x * 1.5; }, sum_of_two);
  add(
      "layout/where", kMany, "where(c, x, x); floor: x + x", [&] { return where(condition, x, x); },
      sum_of_two);
  const Var pairs = ones({kMany / 2, 2}), pair = ones({2});
  add(
      "layout/pairs", kMany, "[n,2] + [2]; floor: x + x", [&] { return pairs + pair; }, sum_of_two);
  const Var table = ones({1024, 1024}), column = ones({1024, 1}), bias = ones({1024});
  add(
      "layout/column", kMany, "[m,n] + [m,1]; floor: x + x", [&] { return table + column; },
      sum_of_two);
  add(
      "layout/row", kMany, "[m,n] + [n]; floor: x + x", [&] { return table + bias; }, sum_of_two);
  const Var small = ones({64, 512}), turned = transpose(ones({512, 64}));
  add(
      "layout/transposed", 64 * 512, "-transposed [64,512]; floor: dense", [&] { return -turned; },
      [&] { return -small; });
  add(
      "layout/copy", 64 * 512, "contiguous(transposed [64,512]); floor: negation of dense",
      [&] { return contiguous(turned); }, [&] { return -small; });
  const auto chain = [](const Var& x) {
    return [x] {
      Tape tape;
      const Var v = variable(x.value());
      const Var y = tanh(v);
      return grad(sum(y * y), v);
    };
  };
  add("layout/order", 64 * 512, "d(sum(tanh(x)²)), x transposed [64,512]; floor: x dense",
      chain(turned), chain(small));
  const Var tile = ones({8, 64}), turned_tile = transpose(ones({64, 8}));
  add("layout/small-order", 8 * 64, "d(sum(tanh(x)²)), x transposed [8,64]; floor: x dense",
      chain(turned_tile), chain(tile));
  const Var eights = ones({kMany / 8, 8}, DType::kFloat64);
  add(
      "layout/sum-pairs", kMany, "sums of rows of 2; floor: x + x", [&] { return sum(pairs, {1}); },
      sum_of_two);
  add(
      "layout/max-pairs", kMany, "maxima of rows of 2; floor: x + x",
      [&] { return max(pairs, {1}); }, sum_of_two);
  add(
      "layout/sum-eights", kMany, "sums of rows of 8 in f64; floor: x + x",
      [&] { return sum(eights, {1}); }, sum_of_two);
}

}  // namespace wengert::tools
