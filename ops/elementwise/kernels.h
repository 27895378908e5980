#pragma once

#include <cstdint>

#include "wengert/graph/elementwise_kernels.h"
#include "wengert/ops/elementwise/reads.h"
#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/sweep.h"

// Loops that make kernels of one CPU level from formulas.

namespace wengert::kernels::WENGERT_LEVEL {

struct NoAttributes {};

template <class F, class = void>
struct AttributesOf {
  using type = NoAttributes;
};
template <class F>
struct AttributesOf<F, std::void_t<typename F::Attributes>> {
  using type = typename F::Attributes;
};

template <class F, class T>
inline auto call_value(const void* attrs, T x) {
  using A = typename AttributesOf<F>::type;
  if constexpr (std::is_same_v<A, NoAttributes>) {
    return F::value(x);
  } else {
    return F::value(x, *static_cast<const A*>(attrs));
  }
}

/// Constant partials are written as plain numbers.
template <class T>
inline Lanes<T> as_lanes(double x) {
  return Lanes<T>::splat(static_cast<T>(x));
}
template <class T>
inline Lanes<T> as_lanes(Lanes<T> x) {
  return x;
}

template <class F, class T>
inline auto call_partial(const void* attrs, T x, T y) {
  using A = typename AttributesOf<F>::type;
  if constexpr (std::is_same_v<A, NoAttributes>) {
    return F::partial(x, y);
  } else {
    return F::partial(x, y, *static_cast<const A*>(attrs));
  }
}

template <class T>
inline void store_mask(Mask<T> mask, void* to, std::int64_t i, std::int64_t n) {
  auto* at = static_cast<unsigned char*>(to) + i;
  if (n == Lanes<T>::kCount) {
    typedef unsigned char Bytes __attribute__((vector_size(Lanes<T>::kCount)));
    const Bytes bytes = __builtin_convertvector(mask.v & 1, Bytes);
    __builtin_memcpy(at, &bytes, sizeof bytes);
  } else {
    for (std::int64_t k = 0; k < n; ++k) at[k] = mask.v[k] != 0;
  }
}

/// Whether an operand's partial is itself a cotangent (that of a recorded derivative), whose zeros
/// win over an infinite g just as g's own zeros do.
template <class F>
constexpr bool partial_b_is_cotangent() {
  if constexpr (requires { F::partial_b_is_cotangent; }) return F::partial_b_is_cotangent;
  return false;
}

/// Stands for what a partial does not name in its `reads`: where it looks at it after all, the
/// gradient is NaN and gradcheck fails, instead of being wrong unseen.
template <class T>
inline Lanes<T> unread() {
  return Lanes<T>::splat(static_cast<T>(__builtin_nan("")));
}

/// gx (+)= g·p, exactly 0 where g is 0 even if p is infinite or NaN.
template <class T, bool kBothZeros = false>
inline void finish(Lanes<T> g, Lanes<T> p, void* gx, std::int64_t i, std::int64_t n,
                   bool accumulate) {
  Lanes<T> r = where(equal(g, 0.0), 0.0, g * p);
  if constexpr (kBothZeros) r = where(equal(p, 0.0), 0.0, r);
  if (accumulate) r = load<T>(gx, i, n) + r;
  store<T>(r, gx, i, n);
}

/// g·p of one element by the same rule.
template <class T, bool kBothZeros = false>
inline T product_of_one(T g, T p) {
  return g == T(0) || (kBothZeros && p == T(0)) ? T(0) : g * p;
}

/// One element of what a partial reads.
template <class T>
inline Lanes<T> one_read(const void* from, bool read) {
  return read ? Lanes<T>::splat(*static_cast<const T*>(from)) : unread<T>();
}

// One element's value is computed by a small function of its own, which passes all else on: a
// loop's frame would cost it as much again.

template <class F, class T>
[[gnu::noinline]] void unary_forward_run(const void* const* in, void* out, std::int64_t n,
                                         const void* attrs) {
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    store<T>(call_value<F>(attrs, load<T>(in[0], i, m)), out, i, m);
  });
}

template <class F, class T>
void unary_forward(const void* const* in, void* out, std::int64_t n, const void* attrs) {
  if (n != 1) return unary_forward_run<F, T>(in, out, n, attrs);
  *static_cast<T*>(out) = call_value<F>(attrs, Lanes<T>::splat(*static_cast<const T*>(in[0]))).v[0];
}

template <class F, class T>
void unary_backward(const void* g, const void* const* in, const void* y, void* gx, std::int64_t n,
                    const void* attrs, bool accumulate) {
  const auto run = [&](auto adding) {
    sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
      const auto x = (F::reads & kX) ? load<T>(in[0], i, m) : unread<T>();
      const auto v = (F::reads & kY) ? load<T>(y, i, m) : unread<T>();
      finish<T>(load<T>(g, i, m), as_lanes<T>(call_partial<F>(attrs, x, v)), gx, i, m,
                decltype(adding)::value);
    });
  };
  accumulate ? run(std::true_type{}) : run(std::false_type{});
}

template <class F, class T>
PartialProducts<T> unary_backward_one(T g, const void* const* in, const void* y, unsigned,
                                      const void* attrs) {
  const auto p = as_lanes<T>(
      call_partial<F>(attrs, one_read<T>(in[0], F::reads & kX), one_read<T>(y, F::reads & kY)));
  return {product_of_one<T>(g, p.v[0]), T(0)};
}

template <class F, class T>
[[gnu::noinline]] void binary_forward_run(const void* const* in, void* out, std::int64_t n) {
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    store<T>(F::value(load<T>(in[0], i, m), load<T>(in[1], i, m)), out, i, m);
  });
}

template <class F, class T>
void binary_forward(const void* const* in, void* out, std::int64_t n, const void*) {
  if (n != 1) return binary_forward_run<F, T>(in, out, n);
  *static_cast<T*>(out) = F::value(Lanes<T>::splat(*static_cast<const T*>(in[0])),
                                   Lanes<T>::splat(*static_cast<const T*>(in[1])))
                              .v[0];
}

/// ∂y/∂a or ∂y/∂b.
template <class F, class T, bool kFirst>
inline Lanes<T> call_partial2(Lanes<T> a, Lanes<T> b, Lanes<T> y) {
  if constexpr (kFirst) {
    return as_lanes<T>(F::partial_a(a, b, y));
  } else {
    return as_lanes<T>(F::partial_b(a, b, y));
  }
}

template <class F, class T, bool kFirst>
void binary_backward(const void* g, const void* const* in, const void* y, void* gx, std::int64_t n,
                     const void*, bool accumulate) {
  constexpr int kReads = kFirst ? F::reads_a : F::reads_b;
  constexpr bool kBothZeros = !kFirst && partial_b_is_cotangent<F>();
  const auto run = [&](auto adding) {
    sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
      const auto a = (kReads & kA) ? load<T>(in[0], i, m) : unread<T>();
      const auto b = (kReads & kB) ? load<T>(in[1], i, m) : unread<T>();
      const auto v = (kReads & kY) ? load<T>(y, i, m) : unread<T>();
      finish<T, kBothZeros>(load<T>(g, i, m), call_partial2<F, T, kFirst>(a, b, v), gx, i, m,
                            decltype(adding)::value);
    });
  };
  accumulate ? run(std::true_type{}) : run(std::false_type{});
}

template <class F, class T, bool kFirst>
inline T one_product(T g, const void* const* in, const void* y) {
  constexpr int kReads = kFirst ? F::reads_a : F::reads_b;
  constexpr bool kBothZeros = !kFirst && partial_b_is_cotangent<F>();
  const auto p =
      call_partial2<F, T, kFirst>(one_read<T>(in[0], kReads & kA), one_read<T>(in[1], kReads & kB),
                                  one_read<T>(y, kReads & kY));
  return product_of_one<T, kBothZeros>(g, p.v[0]);
}

template <class F, class T>
PartialProducts<T> binary_backward_one(T g, const void* const* in, const void* y, unsigned wanted,
                                       const void*) {
  PartialProducts<T> products{};
  if ((wanted & 1) != 0) products.of[0] = one_product<F, T, true>(g, in, y);
  if ((wanted & 2) != 0) products.of[1] = one_product<F, T, false>(g, in, y);
  return products;
}

template <class F, class T>
void predicate1(const void* const* in, void* out, std::int64_t n, const void*) {
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    store_mask<T>(F::value(load<T>(in[0], i, m)), out, i, m);
  });
}

template <class F, class T>
void predicate2(const void* const* in, void* out, std::int64_t n, const void*) {
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    store_mask<T>(F::value(load<T>(in[0], i, m), load<T>(in[1], i, m)), out, i, m);
  });
}

// Which dtypes an op has kernels for; the order of DType.
template <class... T>
struct Dtypes {};
using Floats = Dtypes<float, double>;
using Integers = Dtypes<std::int32_t, std::int64_t, std::uint8_t>;
using Numbers = Dtypes<float, double, std::int32_t, std::int64_t, std::uint8_t>;
using Bools = Dtypes<bool>;
using Everything = Dtypes<float, double, std::int32_t, std::int64_t, std::uint8_t, bool>;

template <class T>
constexpr int index_of() {
  if constexpr (std::is_same_v<T, float>) return 0;
  if constexpr (std::is_same_v<T, double>) return 1;
  if constexpr (std::is_same_v<T, std::int32_t>) return 2;
  if constexpr (std::is_same_v<T, std::int64_t>) return 3;
  if constexpr (std::is_same_v<T, std::uint8_t>) return 4;
  return 5;
}

/// bool elements are bytes of 0 or 1.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

template <class F, class... T>
constexpr ElementwiseKernels unary_kernels(Dtypes<T...>) {
  ElementwiseKernels k;
  ((k.forward[index_of<T>()] = unary_forward<F, Stored<T>>), ...);
  if constexpr (requires { F::reads; }) {
    k.backward[0][0] = unary_backward<F, float>;
    k.backward[0][1] = unary_backward<F, double>;
    k.backward_one_f32 = unary_backward_one<F, float>;
    k.backward_one_f64 = unary_backward_one<F, double>;
  }
  return k;
}

template <class F, class... T>
constexpr ElementwiseKernels binary_kernels(Dtypes<T...>) {
  ElementwiseKernels k;
  ((k.forward[index_of<T>()] = binary_forward<F, Stored<T>>), ...);
  if constexpr (requires { F::reads_a; }) {
    k.backward[0][0] = binary_backward<F, float, true>;
    k.backward[0][1] = binary_backward<F, double, true>;
    k.backward[1][0] = binary_backward<F, float, false>;
    k.backward[1][1] = binary_backward<F, double, false>;
    k.backward_one_f32 = binary_backward_one<F, float>;
    k.backward_one_f64 = binary_backward_one<F, double>;
  }
  return k;
}

template <class F, class... T>
constexpr ElementwiseKernels predicate1_kernels(Dtypes<T...>) {
  ElementwiseKernels k;
  ((k.forward[index_of<T>()] = predicate1<F, Stored<T>>), ...);
  return k;
}

template <class F, class... T>
constexpr ElementwiseKernels predicate2_kernels(Dtypes<T...>) {
  ElementwiseKernels k;
  ((k.forward[index_of<T>()] = predicate2<F, Stored<T>>), ...);
  return k;
}

}  // namespace wengert::kernels::WENGERT_LEVEL

#ifndef WENGERT_USER_OP
#define WENGERT_FORMULAS namespace wengert::kernels::WENGERT_LEVEL

#define WENGERT_KERNELS(name, make, Formula, dtypes)                           \
  namespace wengert::kernels::WENGERT_LEVEL {                                  \
  extern const ElementwiseKernels name##_kernels;                              \
  constinit const ElementwiseKernels name##_kernels = make<Formula>(dtypes{}); \
  }
#define WENGERT_UNARY(name, Formula, dtypes) WENGERT_KERNELS(name, unary_kernels, Formula, dtypes)
#define WENGERT_BINARY(name, Formula, dtypes) WENGERT_KERNELS(name, binary_kernels, Formula, dtypes)
#define WENGERT_PREDICATE1(name, Formula, dtypes) \
  WENGERT_KERNELS(name, predicate1_kernels, Formula, dtypes)
#define WENGERT_PREDICATE2(name, Formula, dtypes) \
  WENGERT_KERNELS(name, predicate2_kernels, Formula, dtypes)
#endif
