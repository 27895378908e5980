#pragma once

#include <cstdint>
#include <type_traits>

// Vector arithmetic for one CPU level. Every file that includes this is compiled once for each
// level with WENGERT_LEVEL set to the level's name and WENGERT_LANE_BYTES to its vector width;
// all names below lie in a namespace of that level, so that no two levels share a symbol.
// No standard header with inline functions may be included here for the same reason.

namespace wengert::kernels::WENGERT_LEVEL {

template <int kBytes>
struct SignedOf;
template <>
struct SignedOf<1> {
  using type = signed char;
};
template <>
struct SignedOf<4> {
  using type = std::int32_t;
};
template <>
struct SignedOf<8> {
  using type = long;  // what GCC's vector comparisons of 8-byte lanes yield
};

// Our own, for <utility> may not be included here.
template <int... kPlaces>
struct Places {};
template <int kCount, int... kPlaces>
struct FirstPlaces : FirstPlaces<kCount - 1, kCount - 1, kPlaces...> {};
template <int... kPlaces>
struct FirstPlaces<0, kPlaces...> {
  using type = Places<kPlaces...>;
};
template <int (*kChoose)(int), class Vector, int... kPlaces>
inline Vector shuffle(Vector a, Vector b, Places<kPlaces...>) {
  return __builtin_shufflevector(a, b, kChoose(kPlaces)...);
}
/// Element kChoose(i) of a, or counted on from kCount of b, comes to place i.
template <int (*kChoose)(int), int kCount, class Vector>
inline Vector shuffle(Vector a, Vector b) {
  return shuffle<kChoose>(a, b, typename FirstPlaces<kCount>::type());
}

/// Truth values of a comparison of T's: all bits set or none in each lane.
template <class T>
struct Mask {
  using Element = typename SignedOf<sizeof(T)>::type;
  typedef Element Vector __attribute__((vector_size(WENGERT_LANE_BYTES)));
  Vector v;
  friend Mask operator&&(Mask a, Mask b) { return {a.v & b.v}; }
  friend Mask operator||(Mask a, Mask b) { return {a.v | b.v}; }
  friend Mask operator!(Mask a) { return {~a.v}; }
};

/// As many T's as fit a vector register of this level.
template <class T>
struct Lanes {
  using Element = T;
  static constexpr int kCount = WENGERT_LANE_BYTES / sizeof(T);
  typedef T Vector __attribute__((vector_size(WENGERT_LANE_BYTES)));
  typedef T Unaligned __attribute__((vector_size(WENGERT_LANE_BYTES), aligned(1), may_alias));
  Vector v;

  static Lanes load(const T* from) { return {*reinterpret_cast<const Unaligned*>(from)}; }
  /// The first n elements; the other lanes repeat the first, so that they raise no slow path.
  static Lanes load_some(const T* from, std::int64_t n) {
    Lanes r = splat(from[0]);
    for (std::int64_t i = 1; i < n; ++i) r.v[i] = from[i];
    return r;
  }
  /// x in every lane; x − 0 keeps the sign of a zero x, where x + 0 would lose it.
  static Lanes splat(T x) { return {x - Vector{}}; }
  void store(T* to) const { *reinterpret_cast<Unaligned*>(to) = v; }
  void store_some(T* to, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) to[i] = v[i];
  }

  friend Lanes operator+(Lanes a, Lanes b) { return {a.v + b.v}; }
  friend Lanes operator-(Lanes a, Lanes b) { return {a.v - b.v}; }
  friend Lanes operator*(Lanes a, Lanes b) { return {a.v * b.v}; }
  friend Lanes operator/(Lanes a, Lanes b) { return {a.v / b.v}; }
  friend Lanes operator-(Lanes a) { return {-a.v}; }
  friend Lanes operator+(Lanes a, double b) { return a + splat(static_cast<T>(b)); }
  friend Lanes operator-(Lanes a, double b) { return a - splat(static_cast<T>(b)); }
  friend Lanes operator*(Lanes a, double b) { return a * splat(static_cast<T>(b)); }
  friend Lanes operator/(Lanes a, double b) { return a / splat(static_cast<T>(b)); }
  friend Lanes operator+(double a, Lanes b) { return splat(static_cast<T>(a)) + b; }
  friend Lanes operator-(double a, Lanes b) { return splat(static_cast<T>(a)) - b; }
  friend Lanes operator*(double a, Lanes b) { return splat(static_cast<T>(a)) * b; }
  friend Lanes operator/(double a, Lanes b) { return splat(static_cast<T>(a)) / b; }
  friend Mask<T> operator<(Lanes a, Lanes b) { return {a.v < b.v}; }
  friend Mask<T> operator>(Lanes a, Lanes b) { return {a.v > b.v}; }
  friend Mask<T> operator<=(Lanes a, Lanes b) { return {a.v <= b.v}; }
  friend Mask<T> operator>=(Lanes a, Lanes b) { return {a.v >= b.v}; }
  friend Mask<T> operator<(Lanes a, double b) { return a < splat(static_cast<T>(b)); }
  friend Mask<T> operator>(Lanes a, double b) { return a > splat(static_cast<T>(b)); }
  friend Mask<T> operator<=(Lanes a, double b) { return a <= splat(static_cast<T>(b)); }
  friend Mask<T> operator>=(Lanes a, double b) { return a >= splat(static_cast<T>(b)); }
  friend Mask<T> equal(Lanes a, Lanes b) { return {a.v == b.v}; }
  friend Mask<T> not_equal(Lanes a, Lanes b) { return {a.v != b.v}; }
  friend Mask<T> equal(Lanes a, double b) { return equal(a, splat(static_cast<T>(b))); }
  friend Mask<T> not_equal(Lanes a, double b) { return not_equal(a, splat(static_cast<T>(b))); }
  friend Mask<T> is_nan(Lanes a) { return {a.v != a.v}; }
  friend Mask<T> is_inf(Lanes a) { return equal(abs(a), __builtin_inf()); }
  friend Mask<T> is_finite(Lanes a) { return abs(a) < __builtin_inf(); }
  friend Lanes where(Mask<T> m, Lanes a, Lanes b) { return {m.v ? a.v : b.v}; }
  friend Lanes where(Mask<T> m, Lanes a, double b) { return where(m, a, splat(static_cast<T>(b))); }
  friend Lanes where(Mask<T> m, double a, Lanes b) { return where(m, splat(static_cast<T>(a)), b); }
  /// A constant of x's kind: in recorded formulas a scalar of its dtype.
  friend Lanes like(Lanes, double value) { return splat(static_cast<T>(value)); }
  friend Lanes square(Lanes a) { return a * a; }
};

static_assert(sizeof(Lanes<float>) == WENGERT_LANE_BYTES);

/// Applies a scalar function to every lane; the compiler turns builtins with a vector form
/// (sqrt, floor, rint, …) into it.
#define WENGERT_LANEWISE(name, float_builtin, double_builtin)                        \
  inline Lanes<float> name(Lanes<float> x) {                                         \
    Lanes<float> r;                                                                  \
    for (int i = 0; i < Lanes<float>::kCount; ++i) r.v[i] = float_builtin(x.v[i]);   \
    return r;                                                                        \
  }                                                                                  \
  inline Lanes<double> name(Lanes<double> x) {                                       \
    Lanes<double> r;                                                                 \
    for (int i = 0; i < Lanes<double>::kCount; ++i) r.v[i] = double_builtin(x.v[i]); \
    return r;                                                                        \
  }
WENGERT_LANEWISE(sqrt, __builtin_sqrtf, __builtin_sqrt)
WENGERT_LANEWISE(floor, __builtin_floorf, __builtin_floor)
WENGERT_LANEWISE(ceil, __builtin_ceilf, __builtin_ceil)
WENGERT_LANEWISE(trunc, __builtin_truncf, __builtin_trunc)
/// To the nearest integer, ties to even.
WENGERT_LANEWISE(round, __builtin_rintf, __builtin_rint)

template <class T>
inline Lanes<T> abs(Lanes<T> x) {
  if constexpr (std::is_floating_point_v<T>) {
    using Bits = typename Mask<T>::Vector;
    constexpr auto kSign =
        static_cast<typename Mask<T>::Element>(typename Mask<T>::Element(1) << (sizeof(T) * 8 - 1));
    return {reinterpret_cast<typename Lanes<T>::Vector>(reinterpret_cast<Bits>(x.v) &
                                                        ~(Bits{} + kSign))};
  } else if constexpr (std::is_signed_v<T>) {
    return where(x < 0.0, -x, x);
  } else {
    return x;
  }
}

/// −1, 0 or 1; zeros keep their sign and NaN stays NaN.
template <class T>
inline Lanes<T> sign(Lanes<T> x) {
  if constexpr (std::is_signed_v<T>) {
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x));
  } else {
    return where(x > 0.0, 1.0, x);
  }
}

/// The magnitude of `magnitude` under the sign bit of `sign`.
template <class T>
inline Lanes<T> copysign(Lanes<T> magnitude, Lanes<T> sign) {
  using Bits = typename Mask<T>::Vector;
  using Vector = typename Lanes<T>::Vector;
  constexpr auto kSign =
      static_cast<typename Mask<T>::Element>(typename Mask<T>::Element(1) << (sizeof(T) * 8 - 1));
  const Bits mask = Bits{} + kSign;
  return {reinterpret_cast<Vector>((reinterpret_cast<Bits>(magnitude.v) & ~mask) |
                                   (reinterpret_cast<Bits>(sign.v) & mask))};
}

/// g·p, and 0 where g is 0 even if p is infinite or NaN.
template <class T>
inline Lanes<T> cotangent_product(Lanes<T> g, Lanes<T> p) {
  return where(equal(g, 0.0), 0.0, g * p);
}

/// The exact remainder of a/b with the sign of a.
template <class T>
inline Lanes<T> fmod(Lanes<T> a, Lanes<T> b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kCount; ++i) {
    if constexpr (sizeof(T) == 4) {
      r.v[i] = __builtin_fmodf(a.v[i], b.v[i]);
    } else {
      r.v[i] = __builtin_fmod(a.v[i], b.v[i]);
    }
  }
  return r;
}

// Elementary functions: the C library's vector forms (libmvec, at most 4 ULP).
#if defined(__x86_64__)
#define WENGERT_PASTE2(a, b, c, d) a##b##c##d
#define WENGERT_PASTE(a, b, c, d) WENGERT_PASTE2(a, b, c, d)
#if WENGERT_LANE_BYTES == 64
#define WENGERT_MVEC_F _ZGVeN16v
#define WENGERT_MVEC_D _ZGVeN8v
#elif WENGERT_LANE_BYTES == 32
#define WENGERT_MVEC_F _ZGVdN8v
#define WENGERT_MVEC_D _ZGVdN4v
#else
#define WENGERT_MVEC_F _ZGVbN4v
#define WENGERT_MVEC_D _ZGVbN2v
#endif
#define WENGERT_ELEMENTARY(name, mvec)                                                    \
  extern "C" Lanes<float>::Vector WENGERT_PASTE(WENGERT_MVEC_F, _, mvec,                  \
                                                f)(Lanes<float>::Vector) noexcept;        \
  extern "C" Lanes<double>::Vector WENGERT_PASTE(WENGERT_MVEC_D, _,                       \
                                                 mvec, )(Lanes<double>::Vector) noexcept; \
  inline Lanes<float> name(Lanes<float> x) {                                              \
    return {WENGERT_PASTE(WENGERT_MVEC_F, _, mvec, f)(x.v)};                              \
  }                                                                                       \
  inline Lanes<double> name(Lanes<double> x) {                                            \
    return {WENGERT_PASTE(WENGERT_MVEC_D, _, mvec, )(x.v)};                               \
  }
#define WENGERT_ELEMENTARY2(name, mvec)                                       \
  extern "C" Lanes<float>::Vector WENGERT_PASTE(WENGERT_MVEC_F, v_, mvec, f)( \
      Lanes<float>::Vector, Lanes<float>::Vector) noexcept;                   \
  extern "C" Lanes<double>::Vector WENGERT_PASTE(WENGERT_MVEC_D, v_, mvec, )( \
      Lanes<double>::Vector, Lanes<double>::Vector) noexcept;                 \
  inline Lanes<float> name(Lanes<float> x, Lanes<float> y) {                  \
    return {WENGERT_PASTE(WENGERT_MVEC_F, v_, mvec, f)(x.v, y.v)};            \
  }                                                                           \
  inline Lanes<double> name(Lanes<double> x, Lanes<double> y) {               \
    return {WENGERT_PASTE(WENGERT_MVEC_D, v_, mvec, )(x.v, y.v)};             \
  }
#else
#define WENGERT_ELEMENTARY(name, mvec) WENGERT_LANEWISE(name, __builtin_##mvec##f, __builtin_##mvec)
#define WENGERT_ELEMENTARY2(name, mvec)                          \
  template <class T>                                             \
  inline Lanes<T> name(Lanes<T> x, Lanes<T> y) {                 \
    Lanes<T> r;                                                  \
    for (int i = 0; i < Lanes<T>::kCount; ++i) {                 \
      r.v[i] = static_cast<T>(__builtin_##mvec(x.v[i], y.v[i])); \
    }                                                            \
    return r;                                                    \
  }
#endif
WENGERT_ELEMENTARY(exp, exp)
WENGERT_ELEMENTARY(exp2, exp2)
WENGERT_ELEMENTARY(expm1, expm1)
WENGERT_ELEMENTARY(log, log)
WENGERT_ELEMENTARY(log1p, log1p)
WENGERT_ELEMENTARY(log2, log2)
WENGERT_ELEMENTARY(log10, log10)
WENGERT_ELEMENTARY(sin, sin)
WENGERT_ELEMENTARY(cos, cos)
WENGERT_ELEMENTARY(tan, tan)
WENGERT_ELEMENTARY(asin, asin)
WENGERT_ELEMENTARY(acos, acos)
WENGERT_ELEMENTARY(atan, atan)
WENGERT_ELEMENTARY(sinh, sinh)
WENGERT_ELEMENTARY(cosh, cosh)
WENGERT_ELEMENTARY(tanh, tanh)
WENGERT_ELEMENTARY(asinh, asinh)
WENGERT_ELEMENTARY(acosh, acosh)
WENGERT_ELEMENTARY(atanh, atanh)
WENGERT_ELEMENTARY(erf, erf)
WENGERT_ELEMENTARY(erfc, erfc)
WENGERT_ELEMENTARY(cbrt, cbrt)
WENGERT_ELEMENTARY2(pow, pow)
WENGERT_ELEMENTARY2(atan2, atan2)
WENGERT_ELEMENTARY2(hypot, hypot)

/// 1/(1 + e⁻ˣ): right in both tails, since e⁻ˣ = ∞ gives 0.
template <class T>
inline Lanes<T> sigmoid(Lanes<T> x) {
  return 1.0 / (1.0 + exp(-x));
}

/// σ(x) − t, right where that is small, as (1 − t)·σ(x) − t·σ(−x).
template <class T>
inline Lanes<T> sigmoid_less(Lanes<T> x, Lanes<T> t) {
  const Lanes<T> e = exp(-abs(x)), larger = 1.0 / (1.0 + e), smaller = e * larger;
  const auto positive = x > 0.0;
  return (1.0 - t) * where(positive, larger, smaller) - t * where(positive, smaller, larger);
}

/// 1 − x², right near ±1 too.
template <class T>
inline Lanes<T> one_minus_square(Lanes<T> x) {
  return (1.0 - x) * (1.0 + x);
}

/// a/y for y = √(a² + b²).
template <class T>
inline Lanes<T> share_of_length(Lanes<T> a, Lanes<T>, Lanes<T> y) {
  return a / y;
}

/// The derivative of sigmoid, e⁻ˣ/(1 + e⁻ˣ)², right in both tails; of y alone, as y·(1 − y), the
/// upper one is lost.
template <class T>
inline Lanes<T> sigmoid_slope(Lanes<T> x) {
  const Lanes<T> e = exp(-abs(x)), whole = 1.0 + e;
  return e / (whole * whole);
}

}  // namespace wengert::kernels::WENGERT_LEVEL
