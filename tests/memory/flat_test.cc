#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "wengert/graph/storage.h"
#include "wengert/tests/autodiff/process.h"
#include "wengert/tests/memory/faults.h"
#include "wengert/tests/memory/scratch.h"
#include "wengert/tests/memory/trainee.h"

// What a process has does not grow, however long it trains and differentiates.
namespace wengert {
namespace {

bool long_tests() { return std::getenv("WENGERT_LONG_TESTS") != nullptr; }

struct Belongings {
  std::int64_t storage_bytes = detail::storage_statistics().live_bytes;
  std::int64_t storage_blocks = detail::storage_statistics().live_blocks;
  std::int64_t blocks = faults::live_blocks();
  std::int64_t files = open_files();
  std::int64_t resident = resident_bytes();
};

/// Does `work`, which gives how many of `what` it has done, until that comes to `amount`; what the
/// process has must be after it what it was after the first half.
void expect_flat(const char* what, std::int64_t amount, const std::function<std::int64_t()>& work) {
  std::int64_t done = 0;
  const auto work_until = [&](std::int64_t end) {
    while (done < end) done += work();
  };
  work_until(amount / 2);
  const Belongings before;
  work_until(amount);
  const Belongings after;
  EXPECT_EQ(after.storage_bytes, before.storage_bytes);
  EXPECT_EQ(after.storage_blocks, before.storage_blocks);
  EXPECT_LE(after.blocks, before.blocks + 16);  // a worker that had no work before has its pools
  EXPECT_EQ(after.files, before.files);
  // What is lost is lost again by each piece of work; the rest is how pages are filled, and what a
  // worker takes that had no work before.
  constexpr std::int64_t kPages = 256 * 4096;
  if (!kSanitized) {
    EXPECT_LE(after.resident, before.resident + kPages);
  }
  ::testing::Test::RecordProperty(what, std::to_string(done));
  ::testing::Test::RecordProperty("resident_growth",
                                  std::to_string(after.resident - before.resident));
}

/// Trains in part, saves, loads into another and trains that to the end; gives the steps.
std::int64_t train_and_resume(const Features& features) {
  const std::string path = scratch_folder() + "/training";
  Trainee first(features, 3), second(features);
  (void)first.training().run();
  first.training().save(path);
  (void)second.training().load(path);
  (void)second.training().run();
  return second.optimizer().steps();
}

class Flat : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = kernels::thread_count();
    kernels::set_thread_count(2);
  }
  void TearDown() override {
    kernels::set_thread_count(before_);
    std::filesystem::remove_all(scratch_folder());
  }
  int before_ = 0;
};

TEST_F(Flat, TrainingsWithEveryFeature) {
  Features features = all_features();
  features.erase(Feature::kThreads);
  expect_flat("steps", long_tests() ? 100'000 : 1'000, [&] { return train_and_resume(features); });
}

TEST_F(Flat, TrainingsOnThreads) {
  expect_flat("steps", long_tests() ? 5'000 : 100, [] { return train_and_resume(all_features()); });
}

/// A step of one training after another, without an end.
TEST_F(Flat, StepsOfOneOptimizer) {
  ParameterSet parameters(7);
  optim::Adam adam({});
  const Tensor batch = Tensor::full({16, 8}, 0.5, DType::kFloat32);
  const Tensor labels = Tensor::zeros({16}, DType::kInt64);
  expect_flat("steps", long_tests() ? 100'000 : 1'000, [&] {
    const Tape tape;
    Var h = dropout(parameters, "drop", tanh(linear(parameters, "first", batch, 8)), 0.5);
    h = checkpoint([&](const Var& x) { return tanh(linear(parameters, "block", x, 8)); }, h);
    adam.step(parameters, backward(softmax_cross_entropy(linear(parameters, "out", h, 3), labels)));
    return 1;
  });
}

TEST_F(Flat, GradientsOnFreshTapes) {
  std::int64_t round = 0;
  expect_flat("gradients", long_tests() ? 1'000'000 : 10'000, [&] {
    const Tape tape;
    const Scope scope("fresh");
    // Of sizes that come and go.
    const Var x = variable(Tensor::full({2 + ++round % 5, 3}, 0.5));
    const Var y = sum(tanh(matmul(x, transpose(x)))) + sum(square(x));
    const Var dx = grad(y, x, {.create_graph = true});
    const Var ddx = grad(sum(square(dx)), x, {.retain = true});
    const Tape inner;
    const Var z = variable(0.5);
    (void)grad(exp(z) * z, z);
    return 3;
  });
}

}  // namespace
}  // namespace wengert
