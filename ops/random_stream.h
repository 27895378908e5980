#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert {

/// A named, seeded sequence of random draws. Each random op takes the next draw; what it gives
/// depends on seed, name, the draw's number and the element's position only: not on threads, CPU
/// level or other streams. Checkpoints keep `counter()`. Not safe for use by threads at once.
class WENGERT_API RandomStream {
 public:
  explicit RandomStream(std::uint64_t seed = 0, std::string_view name = {});

  std::uint64_t seed() const { return seed_; }
  const std::string& name() const { return name_; }
  /// FNV-1a hash of the name, 64 bits.
  std::uint64_t name_hash() const { return name_hash_; }
  /// Seed and name mixed: the key of the generator.
  std::uint64_t key() const { return key_; }
  /// How many draws were taken; the number of the next one.
  std::uint64_t counter() const { return counter_; }
  /// Goes on from a draw: restores a checkpoint.
  void set_counter(std::uint64_t counter) { counter_ = counter; }
  /// Takes a draw; gives its number.
  std::uint64_t next() { return counter_++; }

 private:
  std::uint64_t seed_;
  std::uint64_t name_hash_;
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  std::string name_;
};

/// Fills a dense float32 or float64 tensor, uniform in [low, high), as draw `counter` of the stream
/// (seed, name): the bits of random_uniform there.
/// Throws Error(kDType), Error(kValue): ends not finite or low > high, a strided view.
WENGERT_API void fill_uniform(Tensor& out, std::uint64_t seed, std::string_view name,
                              std::uint64_t counter, double low = 0, double high = 1,
                              std::source_location where = std::source_location::current());
/// The same, normal; also throws Error(kValue) on a mean or stddev that is not finite, stddev < 0.
WENGERT_API void fill_normal(Tensor& out, std::uint64_t seed, std::string_view name,
                             std::uint64_t counter, double mean = 0, double stddev = 1,
                             std::source_location where = std::source_location::current());

}  // namespace wengert
