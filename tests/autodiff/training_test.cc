#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "tests/autodiff/process.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// What many steps of training leave behind: the same bits on any number of threads, and no memory.
namespace wengert {
namespace {

/// A small network with weights of its own; `seed` tells models apart.
class Model {
 public:
  explicit Model(int seed)
      : x_(testing::spread({8, 5}, -1, 1, seed).to(DType::kFloat32)),
        y_(testing::spread({8, 2}, -1, 1, seed + 7).to(DType::kFloat32)) {
    add("w1", {5, 6}, seed + 1);
    add("b1", {6}, seed + 2);
    add("w2", {6, 2}, seed + 3);
    add("b2", {2}, seed + 4);
  }

  double step() {
    Tape tape;
    const Var h = tanh(matmul(x_, use(parameters_.at("w1"))) + use(parameters_.at("b1")));
    const Var out = matmul(h, use(parameters_.at("w2"))) + use(parameters_.at("b2"));
    const Var loss = sum(square(out - y_)) * 0.1;
    const Gradients gradients = backward(loss);
    for (const Gradients::Entry& entry : gradients.entries()) {
      const Tensor g = entry.gradient.dense().value().contiguous();
      WriteGuard guard(entry.parameter->mutable_value(), "step");
      for (std::size_t i = 0; i < guard.span<float>().size(); ++i) {
        guard.span<float>()[i] -= 0.1f * g.span<float>()[i];
      }
    }
    return loss.scalar_value();
  }

  /// The weights, bit by bit.
  std::vector<std::uint32_t> bits() const {
    std::vector<std::uint32_t> result;
    for (const Parameter* parameter : parameters_.all()) {
      for (const float value : parameter->value().span<float>()) {
        std::uint32_t word;
        std::memcpy(&word, &value, sizeof word);
        result.push_back(word);
      }
    }
    return result;
  }

 private:
  void add(const char* name, const Shape& shape, int seed) {
    parameters_.add(name, testing::spread(shape, -0.5, 0.5, seed).to(DType::kFloat32));
  }
  ParameterSet parameters_;
  Tensor x_, y_;
};

std::vector<std::uint32_t> train(int seed, int steps) {
  Model model(seed);
  double first = 0, last = 0;
  for (int i = 0; i < steps; ++i) {
    last = model.step();
    if (i == 0) first = last;
  }
  EXPECT_LT(last, 0.5 * first) << "it does not learn";
  return model.bits();
}

TEST(Threads, TenTrainingAtOnceGiveTheBitsOfOneAfterTheOther) {
  constexpr int kModels = 10, kSteps = kSanitized ? 60 : 300;
  std::vector<std::vector<std::uint32_t>> alone(kModels), together(kModels);
  for (int m = 0; m < kModels; ++m) alone[m] = train(100 * m, kSteps);
  std::vector<std::thread> threads;
  for (int m = 0; m < kModels; ++m) {
    threads.emplace_back([&, m] { together[m] = train(100 * m, kSteps); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int m = 0; m < kModels; ++m) EXPECT_EQ(alone[m], together[m]) << "model " << m;
  EXPECT_NE(alone[0], alone[1]);
}

TEST(Threads, ManyTapesMayReadOneParameterSet) {
  ParameterSet parameters;
  parameters.add("w", testing::spread({16}, -1, 1));
  const auto gradient = [&] {
    Tape tape;
    const Var w = use(parameters.at("w"));
    return backward(sum(exp(w) * w)).at("w").value().to_vector<double>();
  };
  const std::vector<double> expected = gradient();
  std::vector<std::thread> threads;
  std::vector<int> equal(8, 0);
  for (std::size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) equal[t] += gradient() == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(8, 50));
}

TEST(Threads, ValuesTravelAndOutliveTheirThread) {
  Tensor made;
  std::thread([&] {
    Tape tape;
    const Var x = variable(testing::spread({1000}, -1, 1));
    made = (x * x).value();
  }).join();
  EXPECT_EQ(made.element_count(), 1000);
  EXPECT_GE(made.at(500), 0);
}

TEST(Memory, ComesBackAfterEachStep) {
  Model model(1);
  for (int i = 0; i < 5; ++i) model.step();
  const detail::StorageStatistics before = detail::storage_statistics();
  for (int i = 0; i < 100; ++i) {
    model.step();
    const detail::StorageStatistics now = detail::storage_statistics();
    ASSERT_EQ(now.live_bytes, before.live_bytes) << "step " << i;
    ASSERT_EQ(now.live_blocks, before.live_blocks) << "step " << i;
    ASSERT_EQ(now.system_calls, before.system_calls) << "step " << i;
  }
}

TEST(Memory, ComesBackAfterAnError) {
  Model model(1);
  model.step();
  const detail::StorageStatistics before = detail::storage_statistics();
  for (int i = 0; i < 20; ++i) {
    try {
      Tape tape;
      const Var x = variable(testing::spread({100}, -1, 1));
      const Var y = exp(x) * x;
      (void)matmul(y, reshape(y, {10, 10}));
      ADD_FAILURE() << "accepted";
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(detail::storage_statistics().live_bytes, before.live_bytes);
  EXPECT_LT(model.step(), 10);
}

TEST(Memory, StaysFlatOverAHundredThousandSteps) {
  constexpr int kSteps = kSanitized ? 2'000 : 100'000;
  Tensor memory = Tensor::from({0.5, -0.5, 0.25}, {3});
  int seen = 0;
  const auto step = [&] {
    Tape tape;
    const Var x = variable(memory);
    const Var hidden = tanh(x * 1.5);
    tape.name(hidden, "hidden");
    on_gradient("hidden", [&seen](const Tensor&) { ++seen; });
    const Tensor g = backward(sum(hidden * hidden))[x].value();
    WriteGuard guard(memory, "step");
    for (std::size_t i = 0; i < 3; ++i) guard.span<double>()[i] -= 1e-3 * g.span<double>()[i];
  };
  for (int i = 0; i < 1000; ++i) step();
  const std::int64_t before = resident_bytes();
  const std::int64_t calls = detail::storage_statistics().system_calls;
  for (int i = 0; i < kSteps; ++i) step();
  EXPECT_EQ(seen, kSteps + 1000);
  EXPECT_EQ(detail::storage_statistics().system_calls, calls);
  if (!kSanitized) {
    // The kernel counts resident pages in batches of up to 64 pages a thread.
    EXPECT_LE(resident_bytes() - before, 512 << 10);
  }
}

TEST(Memory, UnsavedValuesGoBackAtOnce) {
  const std::int64_t before = detail::storage_statistics().live_bytes;
  Tape tape;
  const Var x = variable(testing::spread({1 << 16}, -1, 1));
  const std::int64_t one = detail::storage_statistics().live_bytes - before;
  // add reads nothing backward: of a chain only the last value stays.
  Var y = x;
  for (int i = 0; i < 50; ++i) y = y + x;
  EXPECT_LE(detail::storage_statistics().live_bytes - before, 2 * one + 1024);
  // exp keeps its result until backward has passed.
  Var z = x * 1e-3;
  for (int i = 0; i < 10; ++i) z = exp(z) * 1e-3;
  const std::int64_t kept = detail::storage_statistics().live_bytes - before;
  EXPECT_GE(kept, 10 * one);
  (void)backward(sum(z));
  EXPECT_LE(detail::storage_statistics().live_bytes - before, 4 * one + 4096);
}

}  // namespace
}  // namespace wengert
