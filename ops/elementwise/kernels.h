#pragma once

#include <cstdint>
#include <utility>

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

// Formulas of two and three operands.

/// The operands before the i-th have their bits of `reads` in this order.
constexpr int kOperandBits[] = {kA, kB, kC};

template <class F, class... V>
inline auto call_value_of(const void* attrs, V... v) {
  using A = typename AttributesOf<F>::type;
  if constexpr (std::is_same_v<A, NoAttributes>) {
    return F::value(v...);
  } else {
    return F::value(v..., *static_cast<const A*>(attrs));
  }
}

/// What the partial by operand kI reads.
template <class F, int kI>
constexpr int reads_of_partial() {
  if constexpr (kI == 0) return F::reads_a;
  if constexpr (kI == 1) return F::reads_b;
  if constexpr (kI == 2) return F::reads_c;
}

/// ∂y/∂(operand kI); `v` are the operands and y, and the attributes if F has any.
template <class F, class T, int kI, class... V>
inline Lanes<T> partial_by(V... v) {
  if constexpr (kI == 0) return as_lanes<T>(F::partial_a(v...));
  if constexpr (kI == 1) return as_lanes<T>(F::partial_b(v...));
  if constexpr (kI == 2) return as_lanes<T>(F::partial_c(v...));
}

template <class F, class T, int kI, class... V>
inline Lanes<T> call_partial_by(const void* attrs, V... v) {
  using A = typename AttributesOf<F>::type;
  if constexpr (std::is_same_v<A, NoAttributes>) {
    return partial_by<F, T, kI>(v...);
  } else {
    return partial_by<F, T, kI>(v..., *static_cast<const A*>(attrs));
  }
}

template <class F, class T, int... kAll>
[[gnu::noinline]] void forward_run(const void* const* in, void* out, std::int64_t n,
                                   const void* attrs, std::integer_sequence<int, kAll...>) {
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    store<T>(call_value_of<F>(attrs, load<T>(in[kAll], i, m)...), out, i, m);
  });
}

template <class F, class T, int kInputs>
void forward(const void* const* in, void* out, std::int64_t n, const void* attrs) {
  constexpr auto kAll = std::make_integer_sequence<int, kInputs>{};
  if (n != 1) return forward_run<F, T>(in, out, n, attrs, kAll);
  [&]<int... kEach>(std::integer_sequence<int, kEach...>) {
    *static_cast<T*>(out) =
        call_value_of<F>(attrs, Lanes<T>::splat(*static_cast<const T*>(in[kEach]))...).v[0];
  }
  (kAll);
}

template <class F, class T, int kInputs, int kI>
void backward(const void* g, const void* const* in, const void* y, void* gx, std::int64_t n,
              const void* attrs, bool accumulate) {
  constexpr int kReads = reads_of_partial<F, kI>();
  constexpr bool kBothZeros = kI == 1 && partial_b_is_cotangent<F>();
  const auto run = [&](auto adding) {
    sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
      const auto operand = [&]<int kK>(std::integral_constant<int, kK>) {
        return (kReads & kOperandBits[kK]) ? load<T>(in[kK], i, m) : unread<T>();
      };
      const auto v = (kReads & kY) ? load<T>(y, i, m) : unread<T>();
      const auto partial = [&]<int... kEach>(std::integer_sequence<int, kEach...>) {
        return call_partial_by<F, T, kI>(attrs, operand(std::integral_constant<int, kEach>{})...,
                                         v);
      };
      finish<T, kBothZeros>(load<T>(g, i, m), partial(std::make_integer_sequence<int, kInputs>{}),
                            gx, i, m, decltype(adding)::value);
    });
  };
  accumulate ? run(std::true_type{}) : run(std::false_type{});
}

template <class F, class T, int kI>
inline T one_product(T g, const void* const* in, const void* y, const void* attrs) {
  constexpr int kReads = reads_of_partial<F, kI>();
  constexpr bool kBothZeros = kI == 1 && partial_b_is_cotangent<F>();
  const auto p =
      call_partial_by<F, T, kI>(attrs, one_read<T>(in[0], kReads & kA),
                                one_read<T>(in[1], kReads & kB), one_read<T>(y, kReads & kY));
  return product_of_one<T, kBothZeros>(g, p.v[0]);
}

template <class F, class T>
PartialProducts<T> binary_backward_one(T g, const void* const* in, const void* y, unsigned wanted,
                                       const void* attrs) {
  PartialProducts<T> products{};
  if ((wanted & 1) != 0) products.of[0] = one_product<F, T, 0>(g, in, y, attrs);
  if ((wanted & 2) != 0) products.of[1] = one_product<F, T, 1>(g, in, y, attrs);
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
  ((k.forward[index_of<T>()] = forward<F, Stored<T>, 2>), ...);
  if constexpr (requires { F::reads_a; }) {
    k.backward[0][0] = backward<F, float, 2, 0>;
    k.backward[0][1] = backward<F, double, 2, 0>;
    k.backward[1][0] = backward<F, float, 2, 1>;
    k.backward[1][1] = backward<F, double, 2, 1>;
    k.backward_one_f32 = binary_backward_one<F, float>;
    k.backward_one_f64 = binary_backward_one<F, double>;
  }
  return k;
}

template <class F, class... T>
constexpr ElementwiseKernels ternary_kernels(Dtypes<T...>) {
  ElementwiseKernels k;
  ((k.forward[index_of<T>()] = forward<F, Stored<T>, 3>), ...);
  if constexpr (requires { F::reads_a; }) {
    k.backward[0][0] = backward<F, float, 3, 0>;
    k.backward[0][1] = backward<F, double, 3, 0>;
    k.backward[1][0] = backward<F, float, 3, 1>;
    k.backward[1][1] = backward<F, double, 3, 1>;
    k.backward[2][0] = backward<F, float, 3, 2>;
    k.backward[2][1] = backward<F, double, 3, 2>;
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
#define WENGERT_TERNARY(name, Formula, dtypes) \
  WENGERT_KERNELS(name, ternary_kernels, Formula, dtypes)
#define WENGERT_PREDICATE1(name, Formula, dtypes) \
  WENGERT_KERNELS(name, predicate1_kernels, Formula, dtypes)
#define WENGERT_PREDICATE2(name, Formula, dtypes) \
  WENGERT_KERNELS(name, predicate2_kernels, Formula, dtypes)
#endif
