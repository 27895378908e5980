#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_floor.h"
#include "wengert/optim/optimizer.h"
#include "wengert/wengert.h"

// A training step of a table of which few rows are looked up: beside a hand-written step, and
// beside the same with a gradient of the whole table.
namespace wengert::tools {
namespace {

constexpr std::int64_t kHeight = 100000, kWidth = 64, kLookups = 256, kBatches = 32;
constexpr double kRate = 1e-3;

/// Irregular rows; some of a batch more than once.
std::vector<Tensor> batches() {
  std::vector<Tensor> result;
  std::uint32_t state = 1;
  for (std::int64_t b = 0; b < kBatches; ++b) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < kLookups; ++i) {
      state = state * 1664525u + 1013904223u;
      rows.push_back(i % 16 == 15 ? rows[static_cast<std::size_t>(i) / 2] : (state >> 8) % kHeight);
    }
    result.push_back(Tensor::from(rows, {kLookups}));
  }
  return result;
}

struct TableWork {
  ParameterSet parameters{7};
  std::unique_ptr<optim::Optimizer> optimizer;
  std::vector<Tensor> lookups = batches();
  BackwardOptions options;  ///< under create_graph gradients are dense
  std::size_t next = 0;

  TableWork(const std::string& method, bool dense)
      : optimizer(optim::make_optimizer(method, kRate)), options{.create_graph = dense} {
    parameters.add("table", Tensor::full({kHeight, kWidth}, 0.5));
  }
  double step() {
    const Tape tape;
    const Var indices = lookups[next++ % kBatches];
    const Var loss = sum(square(embedding(use(parameters.at("table")), indices)));
    optimizer->step(parameters, backward(loss, options));
    return loss.scalar_value();
  }
};

/// w ← w − η·g of one row.
WENGERT_WIDEST void sgd_row(float* __restrict w, const float* __restrict g) {
  for (std::int64_t j = 0; j < kWidth; ++j) w[j] -= static_cast<float>(kRate) * g[j];
}

/// Adam's step of one row; the corrections are in `numbers`: η/(1 − β₁ᵗ), 1/(1 − β₂ᵗ).
WENGERT_WIDEST void adam_row(float* __restrict w, const float* __restrict g, float* __restrict m,
                             float* __restrict s, const float* numbers) {
  const float rate = numbers[0], correction = numbers[1];
  for (std::int64_t j = 0; j < kWidth; ++j) {
    m[j] = 0.9f * m[j] + 0.1f * g[j];
    s[j] = 0.999f * s[j] + 0.001f * g[j] * g[j];
    w[j] -= rate * m[j] / (__builtin_sqrtf(s[j] * correction) + 1e-8f);
  }
}

/// The least such a step can cost: rows are read where they lie, those of one index meet through a
/// table of where each row's sum is, and each row is updated once.
class TableFloor {
 public:
  explicit TableFloor(bool adam) : adam_(adam) {}
  double step() {
    ++t_;
    const std::int64_t* rows = lookups_[next_++ % kBatches].span<std::int64_t>().data();
    double loss = 0;
    touched_.clear();
    for (std::int64_t i = 0; i < kLookups; ++i) loss += gather(rows[i]);
    const auto t = static_cast<double>(t_);
    const float numbers[] = {static_cast<float>(kRate / (1 - std::pow(0.9, t))),
                             static_cast<float>(1 / (1 - std::pow(0.999, t)))};
    for (std::size_t k = 0; k < touched_.size(); ++k) {
      const auto at = static_cast<std::size_t>(touched_[k] * kWidth);
      const float* g = sums_.data() + k * kWidth;
      if (adam_) {
        adam_row(w_ + at, g, m_ + at, s_ + at, numbers);
      } else {
        sgd_row(w_ + at, g);
      }
      place_[static_cast<std::size_t>(touched_[k])] = -1;
    }
    return loss;
  }

 private:
  /// Adds the row's squares to the loss and its gradient to the row's sum.
  float gather(std::int64_t row) {
    std::int32_t& place = place_[static_cast<std::size_t>(row)];
    const bool fresh = place < 0;
    if (fresh) {
      place = static_cast<std::int32_t>(touched_.size());
      touched_.push_back(row);
    }
    return add_row(w_ + row * kWidth, sums_.data() + place * kWidth, fresh);
  }
  static float add_row(const float* w, float* g, bool fresh) {
    if (!fresh) return add_again(w, g);
    return add_first(w, g);
  }
  WENGERT_WIDEST static float add_first(const float* __restrict w, float* __restrict g) {
    float sums[16] = {};
    for (std::int64_t j = 0; j < kWidth; j += 16) {
      for (std::int64_t k = 0; k < 16; ++k) {
        sums[k] += w[j + k] * w[j + k];
        g[j + k] = 2 * w[j + k];
      }
    }
    return total_of(sums);
  }
  WENGERT_WIDEST static float add_again(const float* __restrict w, float* __restrict g) {
    float sums[16] = {};
    for (std::int64_t j = 0; j < kWidth; j += 16) {
      for (std::int64_t k = 0; k < 16; ++k) {
        sums[k] += w[j + k] * w[j + k];
        g[j + k] += 2 * w[j + k];
      }
    }
    return total_of(sums);
  }
  static float total_of(const float (&sums)[16]) {
    float total = 0;
    for (const float sum : sums) total += sum;
    return total;
  }

  bool adam_;
  std::int64_t t_ = 0;
  std::size_t next_ = 0;
  std::vector<Tensor> lookups_ = batches();
  // Memory of the same kind (huge pages, aligned) as the tensors of the step beside it.
  Tensor tensors_[3] = {Tensor::full({kHeight, kWidth}, 0.5), Tensor::zeros({kHeight, kWidth}),
                        Tensor::zeros({kHeight, kWidth})};
  float* w_ = WriteGuard(tensors_[0], "bench").span<float>().data();
  float* m_ = WriteGuard(tensors_[1], "bench").span<float>().data();
  float* s_ = WriteGuard(tensors_[2], "bench").span<float>().data();
  std::vector<float> sums_ = std::vector<float>(kLookups * kWidth);
  std::vector<std::int32_t> place_ = std::vector<std::int32_t>(kHeight, -1);
  std::vector<std::int64_t> touched_;
};

void bench_method(const BenchSelection& selection, const std::string& method,
                  std::vector<BenchRow>& rows) {
  const std::string name = "step/embedding-rows/" + method, whole = name + "/to-dense";
  if (selection.wants(name)) {
    TableWork work(method, false);
    TableFloor floor(method == "adam");
    double worst = 0;
    for (int i = 0; i < 100; ++i) {
      const double ours = work.step(), bare = floor.step();
      worst = std::fmax(worst, std::fabs(ours - bare) / bare);
    }
    if (!(worst < 1e-4)) {
      throw Error(ErrorKind::kInternal, "bench", "the step and its floor compute different losses");
    }
    rows.push_back(compare(
        name, "µs", 1000, 400, [&] { work.step(); }, [&] { floor.step(); }));
  }
  if (selection.wants(whole)) {
    TableWork work(method, false), dense(method, true);
    rows.push_back(compare(
        whole, "µs", 1000, 40, [&] { work.step(); }, [&] { dense.step(); }));
    rows.back().note = "floor: the same with a gradient of the whole table";
  }
}

}  // namespace

void bench_embedding(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  bench_method(selection, "sgd", rows);
  bench_method(selection, "adam", rows);
}

}  // namespace wengert::tools
