#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert::optim {

/// Examples with class labels: inputs [N, …] of uint8 (scaled to [0, 1] by 1/255) or float32, and
/// labels [N] of any integer dtype.
struct Examples {
  Tensor inputs;
  Tensor labels;
  std::int64_t count() const { return inputs.size(0); }
};

/// One mini-batch: inputs float32 [B, features], labels int64 [B].
struct Batch {
  Tensor inputs;
  Tensor labels;
};

/// Which examples go where.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
};

/// A random split of [0, count): `validation` of them held out, the rest for training; the same
/// seed gives the same split. Throws Error(kValue) unless 0 ≤ validation < count.
WENGERT_API Split split_examples(std::int64_t count, std::int64_t validation, std::uint64_t seed,
                                 std::source_location where = std::source_location::current());

/// The order of an epoch: `indices` shuffled by Philox, keyed by seed and epoch.
WENGERT_API std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& indices,
                                               std::uint64_t seed, std::int64_t epoch);

/// Gathers examples indices[begin, end) into a batch, features flattened.
/// Throws Error(kIndex, kDType, kShape) on indices, dtypes or shapes that do not fit.
WENGERT_API Batch gather_batch(const Examples& examples, const std::vector<std::int64_t>& indices,
                               std::int64_t begin, std::int64_t end,
                               std::source_location where = std::source_location::current());

}  // namespace wengert::optim
