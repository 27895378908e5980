#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert {

class Buffer;

/// A named, seeded sequence of random draws. Each random op takes the next draw; what it gives
/// depends on seed, name, the draw's number and the element's position only: not on CPU level,
/// thread count or other streams. Not safe for use by threads at once, but see
/// ParameterSet::stream, whose counters are buffers.
class WENGERT_API RandomStream {
 public:
  /// A stream that counts for itself; checkpoints keep `counter()`.
  explicit RandomStream(std::uint64_t seed = 0, std::string_view name = {});
  /// A stream whose counter is a buffer, int64 and a scalar.
  RandomStream(std::uint64_t seed, std::string_view name, Buffer& counter);

  std::uint64_t seed() const { return seed_; }
  const std::string& name() const { return name_; }
  /// FNV-1a hash of the name, 64 bits.
  std::uint64_t name_hash() const { return name_hash_; }
  /// Seed and name mixed, and for a stream of a ParameterSet this thread's RandomLane: the key of
  /// the generator.
  std::uint64_t key() const;
  /// How many draws were taken; the number of the next one. On a tape, draws taken there count.
  std::uint64_t counter() const;
  /// Goes on from a draw, at once: restores a checkpoint.
  void set_counter(std::uint64_t counter);
  /// Takes a draw; gives its number. Where the counter is a buffer the draw is an update: on a tape
  /// it waits for the step, which a failed one draws again; without a tape it holds at once.
  std::uint64_t next();

 private:
  std::uint64_t seed_;
  std::uint64_t name_hash_;
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  std::string name_;
  Buffer* buffer_ = nullptr;
};

/// Threads that work on parts of one step share streams and their counters. Each opens a lane of
/// its own, by the number of its part, so that it draws other numbers: the lane is one more word
/// of every key. It is a number of the work, not of the thread, so that the same step has the same
/// bits however many threads run it. Lane 0 is what is without one; the innermost counts.
class WENGERT_API RandomLane {
 public:
  [[nodiscard]] explicit RandomLane(std::uint64_t lane);
  ~RandomLane();
  RandomLane(const RandomLane&) = delete;
  RandomLane& operator=(const RandomLane&) = delete;

 private:
  std::uint64_t outer_;
};

}  // namespace wengert
