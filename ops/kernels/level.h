#pragma once

#include "wengert/ops/kernels/cpu.h"

namespace wengert::kernels {

/// The one of three tables that this CPU runs.
template <class Table>
const Table& choose(const Table* baseline, const Table* avx2, const Table* avx512) {
  switch (cpu_level()) {
    case CpuLevel::kAvx512:
      return *avx512;
    case CpuLevel::kAvx2:
      return *avx2;
    default:
      return *baseline;
  }
}

}  // namespace wengert::kernels

/// Declares `Table name` of every level and defines `const Table& active_name()`.
#if defined(__x86_64__)
#define WENGERT_LEVEL_TABLE(Table, name)                                              \
  namespace baseline {                                                                \
  extern const Table name;                                                            \
  }                                                                                   \
  namespace avx2 {                                                                    \
  extern const Table name;                                                            \
  }                                                                                   \
  namespace avx512 {                                                                  \
  extern const Table name;                                                            \
  }                                                                                   \
  static const Table& active_##name() {                                               \
    static const Table& chosen = choose(&baseline::name, &avx2::name, &avx512::name); \
    return chosen;                                                                    \
  }
#else
#define WENGERT_LEVEL_TABLE(Table, name) \
  namespace baseline {                   \
  extern const Table name;               \
  }                                      \
  static const Table& active_##name() { return baseline::name; }
#endif
