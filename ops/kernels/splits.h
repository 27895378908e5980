#pragma once

// Private to the library.

#include <cstdint>

#include "wengert/graph/api.h"

// How kernels cut their work. Mistakes lie where a second part begins and where a last one is
// short; so each place that cuts an axis says how, and tests ask whether they have reached it. CPU
// levels include this: nothing here may become a symbol of theirs.

namespace wengert::kernels {

/// The axes that kernels cut (splits.def).
enum class Split : int {
#define SPLIT(name, text, op) k##name,
#define SHARED_SPLIT(name, text, op) k##name,
#include "wengert/ops/kernels/splits.def"
#undef SPLIT
#undef SHARED_SPLIT
  kCount
};

/// What was seen of an axis since reset_splits().
struct SplitCount {
  const char* text;      ///< the kernel and its axis
  const char* op;        ///< an op whose samples reach all of it
  bool shared;           ///< no other op need reach it
  std::int64_t cuts;     ///< how often the kernel ran
  std::int64_t largest;  ///< most whole parts in one run
  bool whole_and_rest;   ///< one run had two whole parts, and a shorter one
};

/// Whether cuts are counted from now on: not unless a test asks.
WENGERT_API void count_splits(bool counting);
/// Forgets what was seen.
WENGERT_API void reset_splits();
WENGERT_API SplitCount split_count(Split split);

extern bool splits_counted;
void note_split(Split split, std::int64_t size, std::int64_t part);

}  // namespace wengert::kernels

/// Says that `size` is cut into parts of `part`, the last of which may be shorter. Costs a test of
/// one byte; stands where a kernel begins, not in its loops.
#define WENGERT_SPLIT(name, size, part)                                                   \
  do {                                                                                    \
    if (::wengert::kernels::splits_counted) [[unlikely]]                                  \
      ::wengert::kernels::note_split(::wengert::kernels::Split::k##name, (size), (part)); \
  } while (false)
