#pragma once

#include <cstdint>

#include "wengert/graph/api.h"

namespace wengert {

/// While it lives, this thread and the tasks of its ops take numbers too small for the normal range
/// (below 1.2e-38 in float32, 2.2e-308 in float64) for 0, and give 0 for them: arithmetic on them
/// is slow, on some processors very slow, and gradients that vanish are full of them. A training
/// step opens one; ops by themselves, with a tape or without, compute as IEEE 754 says. On
/// processors other than x86-64 it does nothing.
class WENGERT_API FlushSubnormals {
 public:
  [[nodiscard]] FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  std::uint32_t before_;
};

}  // namespace wengert
