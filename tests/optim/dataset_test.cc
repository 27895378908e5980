#include "wengert/optim/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/optim/training_models.h"

namespace wengert::optim {
namespace {

std::vector<std::int64_t> sorted(std::vector<std::int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}
std::vector<std::int64_t> all_of(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(Split, IsDisjointAndComplete) {
  for (const std::int64_t validation : {0, 1, 30, 99}) {
    const Split split = split_examples(100, validation, 5);
    EXPECT_EQ(split.validation.size(), static_cast<std::size_t>(validation));
    auto both = split.train;
    both.insert(both.end(), split.validation.begin(), split.validation.end());
    EXPECT_EQ(sorted(both), all_of(100));
  }
}

TEST(Split, DependsOnTheSeedAlone) {
  const Split a = split_examples(1000, 300, 5), b = split_examples(1000, 300, 5),
              c = split_examples(1000, 300, 6);
  EXPECT_EQ(a.train, b.train);
  EXPECT_EQ(a.validation, b.validation);
  EXPECT_NE(sorted(a.validation), sorted(c.validation));
  EXPECT_NE(sorted(a.validation), all_of(300)) << "not random";
}

TEST(Split, HoldsOutEachPartEqually) {
  // Of 10000, 5000 held out: about half of every tenth, four standard deviations wide.
  const Split split = split_examples(10000, 5000, 9);
  std::vector<int> counts(10);
  for (const std::int64_t i : split.validation) ++counts[static_cast<std::size_t>(i / 1000)];
  for (const int count : counts) EXPECT_NEAR(count, 500, 4 * 15);
}

TEST(Split, RefusesWhatCannotBeHeldOut) {
  for (const auto& [count, validation] :
       std::vector<std::pair<int, int>>{{10, 10}, {10, 11}, {10, -1}, {0, 0}}) {
    const int n = count, held = validation;
    EXPECT_EQ(error_of([&] { split_examples(n, held, 1); }).kind(), ErrorKind::kValue) << n;
  }
}

TEST(Shuffle, IsAPermutationOfItsOwnForEachEpoch) {
  const std::vector<std::int64_t> indices = {4, 8, 15, 16, 23, 42, 108, 109, 110, 111, 112, 113};
  std::set<std::vector<std::int64_t>> orders;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
      const auto order = shuffled(indices, seed, epoch);
      EXPECT_EQ(sorted(order), indices);
      EXPECT_EQ(order, shuffled(indices, seed, epoch));
      orders.insert(order);
    }
  }
  EXPECT_EQ(orders.size(), 9u);
  EXPECT_TRUE(shuffled({}, 1, 1).empty());
}

Examples examples_of_bytes() {
  std::vector<std::uint8_t> pixels(5 * 2 * 3);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{10});
  return {Tensor::from(pixels, {5, 2, 3}), Tensor::from<std::uint8_t>({0, 1, 2, 3, 4}, {5})};
}

TEST(GatherBatch, ScalesBytesAndFlattens) {
  const Batch batch = gather_batch(examples_of_bytes(), {3, 0, 4}, 1, 3);
  EXPECT_EQ(batch.inputs.shape(), (Shape{2, 6}));
  EXPECT_EQ(batch.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 4}));
  for (int i = 0; i < 6; ++i) {
    EXPECT_FLOAT_EQ(static_cast<float>(batch.inputs.at(i)), static_cast<float>(10 + i) / 255.0f);
    EXPECT_FLOAT_EQ(static_cast<float>(batch.inputs.at(6 + i)),
                    static_cast<float>(10 + 24 + i) / 255.0f);
  }
}

TEST(GatherBatch, CopiesFloatsAsTheyAre) {
  const Examples examples{Tensor::from({1.5f, -2.5f, 3.5f, 1e-38f}, {2, 2}),
                          Tensor::from<std::int64_t>({7, 9}, {2})};
  const Batch batch = gather_batch(examples, {1, 0, 1}, 0, 3);
  EXPECT_EQ(batch.inputs.to_vector<float>(),
            (std::vector<float>{3.5f, 1e-38f, 1.5f, -2.5f, 3.5f, 1e-38f}));
  EXPECT_EQ(batch.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{9, 7, 9}));
}

TEST(GatherBatch, AnUnequalLastBatchHoldsTheRest) {
  const Examples examples = examples_of_bytes();
  EXPECT_EQ(gather_batch(examples, all_of(5), 4, 5).inputs.shape(), (Shape{1, 6}));
  EXPECT_EQ(gather_batch(examples, all_of(5), 5, 5).inputs.shape(), (Shape{0, 6}));
}

TEST(GatherBatch, RefusesWhatDoesNotFit) {
  const Examples good = examples_of_bytes();
  const auto kind_of = [](const Examples& examples, const std::vector<std::int64_t>& indices,
                          std::int64_t begin, std::int64_t end) {
    return error_of([&] { gather_batch(examples, indices, begin, end); }).kind();
  };
  EXPECT_EQ(kind_of(good, {5}, 0, 1), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {-1}, 0, 1), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {0, 1}, 0, 3), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {0, 1}, -1, 1), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {0, 1}, 2, 1), ErrorKind::kIndex);
  const Tensor doubles = Tensor::zeros({5, 2}, DType::kFloat64);
  EXPECT_EQ(kind_of({doubles, good.labels}, {0}, 0, 1), ErrorKind::kDType);
  EXPECT_EQ(kind_of({good.inputs, Tensor::zeros({5}, DType::kFloat32)}, {0}, 0, 1),
            ErrorKind::kDType);
  EXPECT_EQ(kind_of({good.inputs, Tensor::zeros({4}, DType::kInt64)}, {0}, 0, 1),
            ErrorKind::kShape);
  EXPECT_EQ(kind_of({good.inputs, Tensor::zeros({5, 1}, DType::kInt64)}, {0}, 0, 1),
            ErrorKind::kShape);
  EXPECT_EQ(kind_of({Tensor::zeros({}, DType::kUint8), good.labels}, {0}, 0, 1), ErrorKind::kShape);
}

}  // namespace
}  // namespace wengert::optim
