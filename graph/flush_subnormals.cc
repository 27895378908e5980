#include "wengert/graph/flush_subnormals.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace wengert {

#ifdef __SSE2__

namespace {
constexpr std::uint32_t kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
constexpr std::uint32_t kBits = kFlushToZero | kDenormalsAreZero;
}  // namespace

FlushSubnormals::FlushSubnormals() : before_(_mm_getcsr()) {
  if ((before_ & kBits) != kBits) _mm_setcsr(before_ | kBits);
}

FlushSubnormals::~FlushSubnormals() {
  // Only these bits: rounding and exceptions are the program's.
  const std::uint32_t now = _mm_getcsr();
  if ((now & kBits) != (before_ & kBits)) _mm_setcsr((now & ~kBits) | (before_ & kBits));
}

#else

FlushSubnormals::FlushSubnormals() : before_(0) {}
FlushSubnormals::~FlushSubnormals() = default;

#endif

}  // namespace wengert
