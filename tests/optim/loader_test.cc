#include "wengert/optim/training/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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

/// Five images of bytes with labels.
Batch examples_of_bytes() {
  std::vector<std::uint8_t> pixels(5 * 2 * 3);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{10});
  return {Tensor::from(pixels, {5, 2, 3}), Tensor::from<std::uint8_t>({0, 1, 2, 3, 4}, {5})};
}

/// The labels of one epoch, batch by batch.
std::vector<std::vector<std::int64_t>> epoch_of(const Loader& loader, std::int64_t epoch) {
  std::vector<std::vector<std::int64_t>> batches;
  for (std::int64_t i = 0; i < loader.batch_count(); ++i) {
    batches.push_back(loader.batch(epoch, i).targets.to_vector<std::int64_t>());
  }
  return batches;
}
std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(ArrayLoader, KeepsDtypesAndShapesOrScales) {
  const ArrayLoader plain(examples_of_bytes(), {.batch_size = 2, .shuffle = false});
  const ArrayLoader scaled(examples_of_bytes(),
                           {.batch_size = 2, .shuffle = false, .scale = 1.0 / 255}, {{3, 0, 4}});
  EXPECT_EQ(plain.batch(1, 0).inputs.shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(plain.batch(1, 0).inputs.dtype(), DType::kUint8);
  EXPECT_EQ(plain.batch(1, 1).targets.to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 3}));
  const Batch batch = scaled.batch(1, 0);
  EXPECT_EQ(batch.targets.to_vector<std::int64_t>(), (std::vector<std::int64_t>{3, 0}));
  for (int i = 0; i < 6; ++i) {
    EXPECT_FLOAT_EQ(static_cast<float>(batch.inputs.at(i)), static_cast<float>(10 + 18 + i) / 255);
    EXPECT_FLOAT_EQ(static_cast<float>(batch.inputs.at(6 + i)), static_cast<float>(10 + i) / 255);
  }
  EXPECT_EQ(scaled.all().targets.to_vector<std::int64_t>(), (std::vector<std::int64_t>{3, 0, 4}));
  EXPECT_EQ(scaled.batch(1, 1).inputs.shape(), (Shape{1, 2, 3})) << "the rest";
}

TEST(ArrayLoader, CarriesLengthsAndWeightsOfStridedMemory) {
  Tensor inputs = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {2, 3});
  const Tensor strided = transpose(inputs).value();
  Batch data{strided, Tensor::from<std::int64_t>({0, 1, 2}, {3})};
  data.lengths = Tensor::from<std::int64_t>({10, 11, 12}, {3});
  data.weights = Tensor::from({0.5, 1.5, 2.5}, {3});
  const ArrayLoader loader(data, {.batch_size = 2, .seed = 5});
  for (std::int64_t i = 0; i < 2; ++i) {
    const Batch batch = loader.batch(3, i);
    for (std::int64_t row = 0; row < batch.count(); ++row) {
      const double label = batch.targets.at(row);
      EXPECT_EQ(batch.inputs.at(2 * row), label + 1);
      EXPECT_EQ(batch.inputs.at(2 * row + 1), label + 4);
      EXPECT_EQ(batch.lengths->at(row), label + 10);
      EXPECT_EQ(batch.weights->at(row), label + 0.5);
    }
  }
}

TEST(ArrayLoader, ShufflesEachEpochAnewFromItsSeedAlone) {
  const Batch data{Tensor::zeros({100, 1}), Tensor::from(all_of(100), {100})};
  const ArrayLoader a(data, {.batch_size = 7, .seed = 1}), b(data, {.batch_size = 7, .seed = 1}),
      c(data, {.batch_size = 7, .seed = 2});
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 1; epoch <= 4; ++epoch) {
    const auto order = joined(epoch_of(a, epoch));
    EXPECT_EQ(sorted(order), all_of(100)) << "each example once";
    orders.insert(order);
    orders.insert(joined(epoch_of(c, epoch)));
  }
  EXPECT_EQ(orders.size(), 8u);
  // Any place of any epoch, in any order of asking.
  EXPECT_EQ(b.batch(4, 14).targets.to_vector<std::int64_t>(), epoch_of(a, 4)[14]);
  EXPECT_EQ(b.batch(2, 3).targets.to_vector<std::int64_t>(), epoch_of(a, 2)[3]);
  EXPECT_EQ(epoch_of(a, 1).back().size(), 2u);
  const ArrayLoader dropping(data, {.batch_size = 7, .drop_last = true});
  EXPECT_EQ(dropping.batch_count(), 14);
  EXPECT_EQ(joined(epoch_of(dropping, 1)).size(), 98u);
}

TEST(ArrayLoader, RefusesWhatDoesNotFit) {
  const Batch good = examples_of_bytes();
  const auto kind_of = [](const Batch& data, const LoaderOptions& options,
                          std::optional<std::vector<std::int64_t>> indices = {}) {
    return error_of([&] { ArrayLoader loader(data, options, indices); }).kind();
  };
  EXPECT_EQ(kind_of(good, {}, {{5}}), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {}, {{-1}}), ErrorKind::kIndex);
  EXPECT_EQ(kind_of(good, {}, std::vector<std::int64_t>()), ErrorKind::kValue);
  EXPECT_EQ(kind_of(good, {.batch_size = 0}), ErrorKind::kValue);
  EXPECT_EQ(kind_of(good, {.batch_size = 6, .drop_last = true}), ErrorKind::kValue);
  for (const double bad : {0.0, -1.0, HUGE_VAL, std::nan("")}) {
    EXPECT_EQ(kind_of(good, {.scale = bad}), ErrorKind::kValue);
  }
  EXPECT_EQ(kind_of({good.inputs, Tensor::zeros({4}, DType::kInt64)}, {}), ErrorKind::kShape);
  EXPECT_EQ(kind_of({good.inputs, Tensor::zeros({}, DType::kInt64)}, {}), ErrorKind::kShape);
  EXPECT_EQ(kind_of({Tensor::zeros({}, DType::kUint8), good.targets}, {}), ErrorKind::kShape);
  Batch short_weights = good;
  short_weights.weights = Tensor::zeros({4});
  EXPECT_EQ(kind_of(short_weights, {}), ErrorKind::kShape);
  const ArrayLoader loader(good, {.batch_size = 2});
  for (const auto& [epoch, index] : std::vector<std::pair<int, int>>{{0, 0}, {1, -1}, {1, 3}}) {
    const int e = epoch, i = index;
    EXPECT_EQ(error_of([&] { (void)loader.batch(e, i); }).kind(), ErrorKind::kIndex) << e << i;
  }
}

Tensor sequence(std::int64_t first, std::int64_t length) {
  std::vector<double> values;
  for (std::int64_t t = 0; t < length; ++t) values.push_back(static_cast<double>(first + t));
  return Tensor::from(values, {length});
}

TEST(SequenceLoader, PadsToTheLongestOfItsBatch) {
  SequenceLoader::Sequences data;
  data.inputs = {sequence(10, 2), sequence(20, 3), sequence(30, 1)};
  data.target_sequences = {Tensor::from<std::int64_t>({1, 2}, {2}),
                           Tensor::from<std::int64_t>({3, 4, 5}, {3}),
                           Tensor::from<std::int64_t>({6}, {1})};
  const SequenceLoader loader(data, {.batch_size = 2, .shuffle = false});
  const Batch batch = loader.batch(1, 0);
  EXPECT_EQ(batch.inputs.shape(), (Shape{2, 3}));
  EXPECT_EQ(batch.inputs.to_vector<double>(), (std::vector<double>{10, 11, 0, 20, 21, 22}));
  EXPECT_EQ(batch.targets.to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{1, 2, -1, 3, 4, 5}));
  EXPECT_EQ(batch.lengths->to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(loader.batch(1, 1).inputs.shape(), (Shape{1, 1}));
  data.target_sequences.clear();
  data.targets = Tensor::from<std::int64_t>({7, 8, 9}, {3});
  const SequenceLoader labelled(data, {.batch_size = 3, .seed = 4});
  const Batch shuffled = labelled.batch(2, 0);
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(shuffled.inputs.at(3 * i), 10 * (shuffled.targets.at(i) - 6));
  }
}

TEST(SequenceLoader, RefusesWhatDoesNotFit) {
  const auto kind_of = [](SequenceLoader::Sequences data, const LoaderOptions& options = {}) {
    return error_of([&] { SequenceLoader loader(data, options); }).kind();
  };
  const Tensor labels = Tensor::from<std::int64_t>({1, 2}, {2});
  EXPECT_EQ(kind_of({.inputs = {}}), ErrorKind::kValue);
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2)}}), ErrorKind::kValue) << "no targets";
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2), Tensor::zeros({2, 2}, DType::kFloat64)},
                     .targets = labels}),
            ErrorKind::kShape);
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2), Tensor::zeros({2})}, .targets = labels}),
            ErrorKind::kDType);
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2)}, .targets = labels}), ErrorKind::kShape);
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2)}, .target_sequences = {sequence(1, 3)}}),
            ErrorKind::kShape);
  EXPECT_EQ(
      kind_of({.inputs = {sequence(1, 2)}, .target_sequences = {sequence(1, 2), sequence(1, 2)}}),
      ErrorKind::kShape);
  const Tensor bytes = Tensor::from<std::uint8_t>({1, 2}, {2});
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2)}, .target_sequences = {bytes}}), ErrorKind::kValue)
      << "bytes hold no −1";
  EXPECT_EQ(kind_of({.inputs = {sequence(1, 2), sequence(1, 2)}, .targets = labels}, {.scale = 2}),
            ErrorKind::kValue);
}

}  // namespace
}  // namespace wengert::optim
