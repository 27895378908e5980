#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <span>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/exact_number.h"
#include "wengert/optim/training/batch.h"
#include "wengert/optim/training/split.h"

namespace wengert::optim {

/// Where batches come from. A batch depends on its epoch and its place alone, so that training goes
/// on in the middle of an epoch as if it had never stopped.
class WENGERT_API Loader {
 public:
  virtual ~Loader() = default;
  virtual std::int64_t example_count() const = 0;
  /// Of each epoch.
  virtual std::int64_t batch_count() const = 0;
  /// Batch `index` of an epoch, from 0; epochs count from 1. Called by one thread at a time.
  virtual Batch batch(std::int64_t epoch, std::int64_t index) const = 0;
};

struct LoaderOptions {
  std::int64_t batch_size = 64;
  bool shuffle = true;  ///< anew in each epoch
  std::uint64_t seed = 1;
  bool drop_last = false;  ///< leaves out an unequal last batch
  /// Of `inputs`: they become float32, multiplied by this. 1: they stay what they are.
  double scale = 1;
};

/// Which examples make which batch.
class WENGERT_API Batching {
 public:
  /// Throws Error(kValue) on a batch size below 1, a scale that is not finite and positive, or no
  /// batch at all.
  Batching(std::vector<std::int64_t> indices, const LoaderOptions& options);
  std::int64_t example_count() const { return static_cast<std::int64_t>(indices_.size()); }
  std::int64_t batch_count() const;
  const LoaderOptions& options() const { return options_; }
  const std::vector<std::int64_t>& indices() const { return indices_; }
  /// Of one batch; they stand until another epoch is asked for. Throws Error(kIndex) beyond the
  /// batches and below epoch 1.
  std::span<const std::int64_t> examples(std::int64_t epoch, std::int64_t index) const;

 private:
  std::vector<std::int64_t> indices_;
  LoaderOptions options_;
  mutable std::int64_t epoch_ = 0;           ///< whose order is known; 0: none
  mutable std::vector<std::int64_t> order_;  ///< of that epoch
};

/// Examples in memory: row i of each tensor belongs to example i. Tables, images and arrays alike.
class WENGERT_API ArrayLoader : public Loader {
 public:
  /// All examples, or those of `indices`. Throws Error(kShape) unless the tensors have one length
  /// along axis 0, Error(kIndex) on an index beyond them, and what Batching throws.
  ArrayLoader(Batch data, LoaderOptions options = {},
              std::optional<std::vector<std::int64_t>> indices = {},
              std::source_location where = std::source_location::current());
  std::int64_t example_count() const override { return batching_.example_count(); }
  std::int64_t batch_count() const override { return batching_.batch_count(); }
  Batch batch(std::int64_t epoch, std::int64_t index) const override {
    return gather(batching_.examples(epoch, index));
  }
  /// All examples as one batch, in the order of the indices.
  Batch all() const { return gather(batching_.indices()); }

 private:
  Batch gather(std::span<const std::int64_t> rows) const;
  Batch data_;
  Batching batching_;
};

/// Sequences of different lengths, each [Tᵢ, …]: a batch is padded at the end to its longest,
/// [B, T, …], with their lengths. Targets are one for each sequence, row i of a tensor, or
/// sequences as long as the inputs, padded likewise.
class WENGERT_API SequenceLoader : public Loader {
 public:
  struct Sequences {
    std::vector<Tensor> inputs;
    std::vector<Tensor> target_sequences = {};  ///< or
    std::optional<Tensor> targets = {};
    ExactNumber input_padding = 0;
    ExactNumber target_padding = -1;  ///< a loss's ignore index, say
  };
  /// Throws Error(kShape, kDType) where sequences have not one dtype and inner shape or a target
  /// not its input's length, Error(kValue) unless there are targets of one kind, on a scale
  /// (sequences are not scaled), and what Batching throws.
  explicit SequenceLoader(Sequences data, LoaderOptions options = {},
                          std::source_location where = std::source_location::current());
  std::int64_t example_count() const override { return batching_.example_count(); }
  std::int64_t batch_count() const override { return batching_.batch_count(); }
  Batch batch(std::int64_t epoch, std::int64_t index) const override;

 private:
  Sequences data_;
  Batching batching_;
};

}  // namespace wengert::optim
