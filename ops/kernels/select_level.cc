#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/select_table.h"

// Compiled once for each CPU level.
namespace wengert::kernels::WENGERT_LEVEL {
namespace {

template <class T, int kCount>
struct VectorOf {
  typedef T type __attribute__((vector_size(kCount * sizeof(T))));
};

/// Bytes as numbers of T's size, doubled step by step: what GCC 12 has instructions for.
template <class T>
inline typename Mask<T>::Vector widened(const std::uint8_t* bytes) {
  constexpr int kCount = Lanes<T>::kCount;
  typename VectorOf<std::uint8_t, kCount>::type narrow;
  __builtin_memcpy(&narrow, bytes, sizeof narrow);
  if constexpr (sizeof(T) == 1) {
    return reinterpret_cast<typename Mask<T>::Vector>(narrow);
  } else {
    const auto halves =
        __builtin_convertvector(narrow, typename VectorOf<std::uint16_t, kCount>::type);
    const auto words =
        __builtin_convertvector(halves, typename VectorOf<std::uint32_t, kCount>::type);
    return __builtin_convertvector(words, typename Mask<T>::Vector);
  }
}

template <class T>
void select(const std::uint8_t* condition, const void* a, const void* b, void* to, std::int64_t n) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  const auto *first = static_cast<const T*>(a), *second = static_cast<const T*>(b);
  auto* out = static_cast<T*>(to);
  std::int64_t i = 0;
  for (; i + kCount <= n; i += kCount) {
    const Mask<T> holds = {widened<T>(condition + i) != 0};
    where(holds, Lanes<T>::load(first + i), Lanes<T>::load(second + i)).store(out + i);
  }
  for (; i < n; ++i) out[i] = condition[i] != 0 ? first[i] : second[i];
}

}  // namespace

extern const SelectTable select_table;
constinit const SelectTable select_table = {
    {select<std::uint8_t>, select<std::int32_t>, select<std::int64_t>}};

}  // namespace wengert::kernels::WENGERT_LEVEL
