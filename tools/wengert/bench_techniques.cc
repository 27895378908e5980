#include <cmath>
#include <source_location>
#include <string>
#include <vector>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_technique_floors.h"
#include "wengert/graph/op.h"
#include "wengert/ops/kernels/philox.h"
#include "wengert/wengert.h"

// Each loss, norm and dropout alone, with its gradient, beside one fused loop.
namespace wengert::tools {
namespace {

/// Numbers in [low, high) that differ.
std::vector<float> numbers(std::int64_t n, double low, double high, std::uint32_t state = 1) {
  std::vector<float> result(static_cast<std::size_t>(n));
  for (float& each : result) {
    state = state * 1664525u + 1013904223u;
    each = static_cast<float>(low + (high - low) * (state >> 8) * (1.0 / 16777216.0));
  }
  return result;
}

void require(bool holds, const std::string& name) {
  if (!holds) throw Error(ErrorKind::kInternal, "bench", name + " and its floor differ");
}

bool alike(const Tensor& ours, const std::vector<float>& floor, double tolerance) {
  const std::vector<float> all = ours.to_vector<float>();
  double scale = 0;
  for (const float each : floor) scale = std::fmax(scale, std::fabs(each));
  for (std::size_t i = 0; i < floor.size(); ++i) {
    if (!(std::fabs(all[i] - floor[i]) <= tolerance * scale)) return false;
  }
  return true;
}

/// Loss and gradient of a call beside `floor(x, gradient)`.
template <class Call, class Floor>
void loss_row(const std::string& name, const Tensor& x, const Call& call, const Floor& floor,
              std::vector<BenchRow>& rows) {
  std::vector<float> gradient(static_cast<std::size_t>(x.element_count()));
  const auto ours = [&] {
    const Tape tape;
    const Var leaf = variable(x);
    const Var loss = call(leaf);
    const Var slope = grad(loss, leaf);
    return std::pair(loss.value(), slope.value());
  };
  const double bare = floor(x.span<float>().data(), gradient.data());
  const auto [loss, slope] = ours();
  require(std::fabs(loss.at(0) - bare) <= 1e-4 * std::fabs(bare) && alike(slope, gradient, 1e-4),
          name);
  const int repeats = x.element_count() > 500000 ? 60 : 300;
  rows.push_back(compare(
      name, "µs", 1000, repeats, [&] { (void)ours(); },
      [&] { floor(x.span<float>().data(), gradient.data()); }));
}

/// A loss by its op's name, with its default options.
Var loss_of(const char* op, const Var& x, const Var& target) {
  const Var* operands[] = {&x, &target};
  return apply(*find_op(op), operands, nullptr, std::source_location::current());
}

void bench_losses(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  for (const auto& [size, n] : {std::pair("64k", std::int64_t{65536}), {"1m", 1 << 20}}) {
    for (const NamedLossFloor& floor : loss_floors()) {
      const std::string name = std::string("loss/") + floor.name + "/" + size;
      if (!selection.wants(name)) continue;
      // In (0, 1) both: probabilities too.
      const std::vector<float> x = numbers(n, 0.02, 0.98), t = numbers(n, 0.02, 0.98, 7);
      const Tensor target = Tensor::from(t, {n});
      loss_row(
          name, Tensor::from(x, {n}),
          [&](const Var& leaf) { return loss_of(floor.name, leaf, target); },
          [&](const float* from, float* to) { return floor.run(from, t.data(), to, n); }, rows);
    }
  }
  for (const auto& [batch, classes] :
       {std::pair<std::int64_t, std::int64_t>{64, 10}, {512, 1000}}) {
    for (const NamedClassLossFloor& floor : class_loss_floors()) {
      const std::string name = std::string("loss/") + floor.name + "/" + std::to_string(batch) +
                               "x" + std::to_string(classes);
      if (!selection.wants(name)) continue;
      std::vector<std::int64_t> t(static_cast<std::size_t>(batch));
      for (std::size_t i = 0; i < t.size(); ++i) {
        t[i] = static_cast<std::int64_t>(i * 7) % classes;
      }
      const Tensor target = Tensor::from(t, {batch});
      loss_row(
          name, Tensor::from(numbers(batch * classes, 0.02, 0.98), {batch, classes}),
          [&](const Var& leaf) { return loss_of(floor.name, leaf, target); },
          [&, b = batch, c = classes](const float* from, float* to) {
            return floor.run(from, t.data(), to, b, c);
          },
          rows);
    }
  }
}

struct NormCall {
  const char* name;
  Var (*call)(const Var& x, const Var& gain, const Var& bias);
  void (*floor)(const NormFloor& of);
};
constexpr NormCall kNorms[] = {
    {"batch_norm",
     [](const Var& x, const Var& gain, const Var& bias) { return batch_norm(x, gain, bias)[0]; },
     batch_norm_floor},
    {"layer_norm",
     [](const Var& x, const Var& gain, const Var& bias) { return layer_norm(x, gain, bias); },
     layer_norm_floor},
};

void bench_norms(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  for (const NormCall& norm : kNorms) {
    for (const auto& [m, n] :
         {std::pair<std::int64_t, std::int64_t>{64, 300}, {256, 1024}, {4096, 512}}) {
      const std::string name =
          std::string("norm/") + norm.name + "/" + std::to_string(m) + "x" + std::to_string(n);
      if (!selection.wants(name)) continue;
      const std::vector<float> x = numbers(m * n, -1, 2), g = numbers(m * n, -1, 1, 5),
                               gain = numbers(n, 0.5, 1.5), bias = numbers(n, -1, 1, 3);
      std::vector<float> y(x.size()), gx(x.size()), gains(gain), biases(gain);
      std::vector<std::vector<float>> scratch(
          4, std::vector<float>(static_cast<std::size_t>(std::max(m, n))));
      const NormFloor floor = {m,
                               n,
                               x.data(),
                               gain.data(),
                               bias.data(),
                               g.data(),
                               y.data(),
                               gx.data(),
                               gains.data(),
                               biases.data(),
                               scratch[0].data(),
                               scratch[1].data(),
                               scratch[2].data(),
                               scratch[3].data()};
      const Tensor tx = Tensor::from(x, {m, n}), tg = Tensor::from(g, {m, n}),
                   tgain = Tensor::from(gain, {n}), tbias = Tensor::from(bias, {n});
      const auto ours = [&] {
        const Tape tape;
        const Var vx = variable(tx), vgain = variable(tgain), vbias = variable(tbias);
        const Var result = norm.call(vx, vgain, vbias);
        return grad({result}, {vx, vgain, vbias}, {tg});
      };
      norm.floor(floor);
      const auto slopes = ours();
      require(alike(slopes[0].value(), gx, 1e-4) && alike(slopes[1].value(), gains, 1e-4) &&
                  alike(slopes[2].value(), biases, 1e-4),
              name);
      rows.push_back(compare(
          name, "µs", 1000, m * n > 500000 ? 60 : 300, [&] { (void)ours(); },
          [&] { norm.floor(floor); }));
    }
  }
}

void bench_dropout(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  for (const auto& [size, n] : {std::pair("64k", std::int64_t{65536}), {"1m", 1 << 20}}) {
    const std::string name = std::string("dropout/") + size;
    if (!selection.wants(name)) continue;
    const std::vector<float> x = numbers(n, -1, 1), g = numbers(n, -1, 1, 5);
    std::vector<float> y(x.size()), gx(x.size());
    std::vector<std::uint8_t> dropped(x.size());
    const Tensor tx = Tensor::from(x, {n}), tg = Tensor::from(g, {n});
    RandomStream stream(1, "bench");
    const auto floor = [&](std::uint64_t counter) {
      kernels::fill_bernoulli(DType::kUint8, reinterpret_cast<std::byte*>(dropped.data()), n,
                              {stream.key(), counter}, 0.2);
      dropout_floor(x.data(), g.data(), dropped.data(), 1.25f, n, y.data(), gx.data());
    };
    const auto ours = [&] {
      const Tape tape;
      const Var leaf = variable(tx);
      return grad({dropout(leaf, 0.2, stream)}, {leaf}, {tg});
    };
    floor(stream.counter());
    require(alike(ours()[0].value(), gx, 1e-6), name);
    BenchRow row = compare(
        name, "µs", 1000, n > 500000 ? 60 : 300, [&] { (void)ours(); },
        [&] { floor(stream.counter()); });
    row.note = "floor: draws the mask once and keeps it";
    rows.push_back(std::move(row));
  }
}

}  // namespace

void bench_techniques(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (selection.wants_group("loss", false)) bench_losses(selection, rows);
  if (selection.wants_group("norm", false)) bench_norms(selection, rows);
  if (selection.wants_group("dropout", false)) bench_dropout(selection, rows);
}

}  // namespace wengert::tools
