#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include "wengert/graph/api.h"

namespace wengert::optim {

/// Which examples go where.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
};

/// A random split of [0, count): `validation` of them held out, the rest for training; the same
/// seed gives the same split. Throws Error(kValue) unless 0 ≤ validation < count.
WENGERT_API Split split_examples(std::int64_t count, std::int64_t validation, std::uint64_t seed,
                                 std::source_location where = std::source_location::current());

/// 0, 1, …, count − 1. Throws Error(kValue) on a negative count.
WENGERT_API std::vector<std::int64_t> all_examples(
    std::int64_t count, std::source_location where = std::source_location::current());

/// The order of an epoch: `indices` shuffled by Philox, keyed by seed and epoch.
WENGERT_API std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& indices,
                                               std::uint64_t seed, std::int64_t epoch);

}  // namespace wengert::optim
