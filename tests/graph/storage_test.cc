#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "wengert/graph/tensor.h"

// Memory of tensors that go from one thread to another, and of sizes that are no longer used.
namespace wengert {
namespace {

std::int64_t system_calls() { return detail::storage_statistics().system_calls; }

TEST(Storage, BlocksThatAnotherThreadFreesServeAgain) {
  const std::int64_t before = detail::storage_statistics().live_bytes;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Tensor> queue;
  constexpr int kBatches = 400;
  std::int64_t after_first = 0;
  std::thread loader([&] {
    for (int i = 0; i < kBatches; ++i) {
      Tensor batch = Tensor::zeros({64 * 1024}, DType::kFloat32);
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return queue.size() < 2; });
      if (i == 10) after_first = system_calls();
      queue.push_back(std::move(batch));
      changed.notify_all();
    }
  });
  for (int i = 0; i < kBatches; ++i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !queue.empty(); });
    queue.pop_front();
    changed.notify_all();
  }
  loader.join();
  EXPECT_LE(system_calls() - after_first, 4);  // at most as many as are ever alive together
  EXPECT_EQ(detail::storage_statistics().live_bytes, before);
}

TEST(Storage, BlocksOfAThreadThatEndedAreCountedAndFreed) {
  const detail::StorageStatistics before = detail::storage_statistics();
  Tensor kept;
  std::thread([&] { kept = Tensor::zeros({1000}, DType::kFloat32); }).join();
  EXPECT_GE(detail::storage_statistics().live_bytes, before.live_bytes + 4000);
  kept = Tensor::zeros({1}, DType::kFloat32);
  std::thread([] { Tensor::zeros({1000}, DType::kFloat32); }).join();
  kept = Tensor();
  const detail::StorageStatistics after = detail::storage_statistics();
  EXPECT_LE(after.live_blocks, before.live_blocks + 1);
}

TEST(Storage, SizesThatAreNoLongerUsedDoNotPileUp) {
  // 40 sizes of 20 to 60 MB, one alive at a time: at most the largest and 64 MB beside it stay.
  detail::trim_storage();
  const std::int64_t calls = system_calls();
  for (int pass = 0; pass < 2; ++pass) {
    for (std::int64_t mega = 20; mega < 60; ++mega) {
      Tensor::empty({mega << 20}, DType::kUint8);
    }
  }
  // Kept without a bound, the second pass would find every size in the cache.
  EXPECT_GT(system_calls() - calls, 20);
  // A size that is used over and over stays in it.
  for (int i = 0; i < 2; ++i) Tensor::empty({std::int64_t{30} << 20}, DType::kUint8);
  const std::int64_t steady = system_calls();
  for (int i = 0; i < 100; ++i) Tensor::empty({std::int64_t{30} << 20}, DType::kUint8);
  EXPECT_EQ(system_calls(), steady);
  detail::trim_storage();
}

}  // namespace
}  // namespace wengert
