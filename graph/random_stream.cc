#include "wengert/graph/random_stream.h"

#include "wengert/graph/buffer.h"
#include "wengert/graph/scope_table.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"

namespace wengert {
namespace {

/// A bijection that spreads every bit over the word (the finalizer of SplitMix64).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : seed_(seed),
      name_hash_(detail::hash_text(detail::kEmptyTextHash, name)),
      key_(mix(mix(seed) ^ name_hash_)),
      name_(name) {}

RandomStream::RandomStream(std::uint64_t seed, std::string_view name, Buffer& counter)
    : RandomStream(seed, name) {
  buffer_ = &counter;
}

std::uint64_t RandomStream::key() const {
  const std::uint64_t lane = buffer_ != nullptr ? detail::t_state.random_lane : 0;
  return lane == 0 ? key_ : mix(key_ ^ mix(lane));
}

std::uint64_t RandomStream::counter() const {
  if (buffer_ == nullptr) return counter_;
  const Tape* tape = Tape::current();
  const Tensor& value = tape != nullptr ? tape->value_of(*buffer_) : buffer_->value();
  return static_cast<std::uint64_t>(value.item<std::int64_t>());
}

void RandomStream::set_counter(std::uint64_t counter) {
  if (buffer_ == nullptr) {
    counter_ = counter;
  } else {
    buffer_->set(Tensor::scalar(static_cast<std::int64_t>(counter)));
  }
}

std::uint64_t RandomStream::next() {
  const std::uint64_t draw = counter();
  Tape* tape = Tape::current();
  if (buffer_ == nullptr || tape == nullptr) {
    set_counter(draw + 1);
  } else {
    tape->add_update(*buffer_, Tensor::scalar(static_cast<std::int64_t>(draw + 1)));
  }
  return draw;
}

RandomLane::RandomLane(std::uint64_t lane) : outer_(detail::t_state.random_lane) {
  detail::t_state.random_lane = lane;
}
RandomLane::~RandomLane() { detail::t_state.random_lane = outer_; }

}  // namespace wengert
