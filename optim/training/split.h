#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include "wengert/graph/api.h"

namespace wengert::optim {

/// Which examples go where.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;  ///< for choices: of rates, sizes, when to stop
  std::vector<std::int64_t> test;        ///< seen once, after all choices
};

/// How many examples are held out; the rest is for training.
struct HeldOut {
  std::int64_t validation = 0;
  std::int64_t test = 0;
};

/// A random split of [0, count); the same seed gives the same split. Throws Error(kValue) where a
/// number is negative or nothing is left for training.
WENGERT_API Split split_examples(std::int64_t count, HeldOut held_out, std::uint64_t seed,
                                 std::source_location where = std::source_location::current());
/// The same with every label by its share of all: what is left for training and what is held out in
/// all to less than one example, validation and test to less than two. labels[i] is that of
/// example i.
WENGERT_API Split split_stratified(const std::vector<std::int64_t>& labels, HeldOut held_out,
                                   std::uint64_t seed,
                                   std::source_location where = std::source_location::current());

/// Splits for k-fold cross-validation: each example is held out for validation in one of them;
/// their sizes differ by one at most. Throws Error(kValue) on fewer than two folds or more than
/// examples.
WENGERT_API std::vector<Split> k_folds(
    std::int64_t count, std::int64_t folds, std::uint64_t seed,
    std::source_location where = std::source_location::current());
/// The same with every label in each fold: its counts differ by one at most.
WENGERT_API std::vector<Split> stratified_k_folds(
    const std::vector<std::int64_t>& labels, std::int64_t folds, std::uint64_t seed,
    std::source_location where = std::source_location::current());

/// 0, 1, …, count − 1. Throws Error(kValue) on a negative count.
WENGERT_API std::vector<std::int64_t> all_examples(
    std::int64_t count, std::source_location where = std::source_location::current());

/// The order of an epoch: `indices` shuffled by Philox, keyed by seed and epoch.
WENGERT_API std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& indices,
                                               std::uint64_t seed, std::int64_t epoch);

}  // namespace wengert::optim
