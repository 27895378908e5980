#include "wengert/ops/kernels/splits.h"

#include <atomic>

namespace wengert::kernels {

bool splits_counted = false;

namespace {

struct Entry {
  const char* text;
  const char* op;
  bool shared;
};
constexpr Entry kTable[] = {
#define SPLIT(name, text, op) {text, #op, false},
#define SHARED_SPLIT(name, text, op) {text, #op, true},
#include "wengert/ops/kernels/splits.def"
#undef SPLIT
#undef SHARED_SPLIT
};

/// Tasks of several threads note at once.
struct Seen {
  std::atomic<std::int64_t> cuts, largest;
  std::atomic<bool> whole_and_rest;
} seen[static_cast<int>(Split::kCount)];

}  // namespace

void note_split(Split split, std::int64_t size, std::int64_t part) {
  Seen& at = seen[static_cast<int>(split)];
  at.cuts.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t whole = size / part;
  std::int64_t most = at.largest.load(std::memory_order_relaxed);
  while (whole > most && !at.largest.compare_exchange_weak(most, whole)) {
  }
  if (whole >= 2 && size % part != 0) at.whole_and_rest.store(true, std::memory_order_relaxed);
}

void count_splits(bool counting) { splits_counted = counting; }

void reset_splits() {
  for (Seen& at : seen) {
    at.cuts.store(0, std::memory_order_relaxed);
    at.largest.store(0, std::memory_order_relaxed);
    at.whole_and_rest.store(false, std::memory_order_relaxed);
  }
}

SplitCount split_count(Split split) {
  const Seen& at = seen[static_cast<int>(split)];
  const Entry& entry = kTable[static_cast<int>(split)];
  return {entry.text, entry.op, entry.shared, at.cuts, at.largest, at.whole_and_rest};
}

}  // namespace wengert::kernels
