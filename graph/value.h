#pragma once

#include <cstddef>
#include <cstdint>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/storage.h"

namespace wengert::detail {

inline constexpr std::uint32_t kNoNode = 0xffffffffu;

/// A value as ops see it: a header with dtype and layout, followed in memory by `rank` sizes and,
/// when kStrided, `rank` strides (elements that lie row-major have none, whatever the strides of
/// axes of size 1). It is counted twice in one word: handles of any kind (Vars and
/// the node that made it) in the low half, and those of them that need the data (Vars and saves
/// for backward) in the high half. When the high half reaches 0 the data goes back at once; the
/// header stays while anybody holds it. Counts are plain: a value belongs to one thread.
struct Value {
  std::uint64_t counts;
  DType dtype;
  std::uint8_t rank;
  std::uint8_t flags;
  std::uint8_t block;     ///< size of this header in units of 16 bytes
  std::uint32_t version;  ///< of the storage when this value was made; 0 or kAbsent if kInline
  std::byte* data;        ///< first element; null when released or empty
  union {
    Storage* storage;     ///< unless kInline
    std::byte scalar[8];  ///< the elements themselves, when kInline
  };
  std::uint32_t id;      ///< node on the tape `serial`, or kNoNode
  std::uint32_t serial;  ///< 0: never recorded

  enum Flag : std::uint8_t {
    kRequiresGrad = 1,  ///< depends on a variable or parameter
    kInline = 2,        ///< at most 8 bytes, kept in the header
    kStrided = 4,       ///< strides follow the sizes
    kWeak = 8,          ///< a C++ number that takes the dtype of what it meets
    kLeaf = 16,         ///< has no history: may enter any tape
    kReleased = 32,     ///< its data was given back
    kDerivative = 64,   ///< computed from a derivative recorded under create_graph
    kPermuted = 128,    ///< kStrided, but without gaps: row-major once its axes are permuted
  };

  static constexpr std::uint32_t kAbsent = 0xffffffffu;

  static constexpr std::uint64_t kHeader = 1;
  static constexpr std::uint64_t kData = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kHandle = kHeader | kData;

  std::int64_t* sizes() { return reinterpret_cast<std::int64_t*>(this + 1); }
  const std::int64_t* sizes() const { return reinterpret_cast<const std::int64_t*>(this + 1); }
  std::int64_t* strides() { return (flags & kStrided) ? sizes() + rank : nullptr; }
  const std::int64_t* strides() const { return (flags & kStrided) ? sizes() + rank : nullptr; }
  bool has(Flag flag) const { return (flags & flag) != 0; }
  /// Whether this stands in the place of an operand that a call leaves out.
  bool is_absent() const { return version == kAbsent && has(kInline); }
  std::int64_t count() const {
    std::uint64_t n = 1;  // never wraps: element_count has passed these sizes
    for (int i = 0; i < rank; ++i) n *= static_cast<std::uint64_t>(sizes()[i]);
    return static_cast<std::int64_t>(n);
  }
};
static_assert(sizeof(Value) == 40);

/// same_places where one of the two is strided.
WENGERT_API bool same_places_strided(const Value* a, const Value* b) noexcept;

/// Whether two values of one shape fill their memory in one order, so that what works on the one's
/// elements in a row works on the other's.
[[gnu::always_inline]] inline bool same_places(const Value* a, const Value* b) {
  return ((a->flags | b->flags) & Value::kStrided) == 0 || same_places_strided(a, b);
}

/// Whether one handle alone holds this unrecorded value and its memory, which is ours: it may be
/// written into.
inline bool is_sole_owner(const Value* value) {
  return value->counts == Value::kHandle && value->serial == 0 &&
         (value->has(Value::kInline) ||
          (value->storage->refs.load(std::memory_order_acquire) == 1 && !value->storage->adopted));
}

/// Called when the data count or the handle count reached zero.
WENGERT_API void settle(Value* value) noexcept;

inline void hold(Value* value, std::uint64_t what = Value::kHandle) { value->counts += what; }
inline void drop(Value* value, std::uint64_t what = Value::kHandle) noexcept {
  value->counts -= what;
  if (value->counts < Value::kData) [[unlikely]]
    settle(value);
}

}  // namespace wengert::detail
