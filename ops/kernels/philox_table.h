#pragma once

// Private to the library.

#include <cstdint>

// What one CPU level provides for random numbers. Included by code compiled for one level: no
// inline functions here.
namespace wengert::kernels {

/// value = low + 2·(u·half_width), brought into [first, last].
struct UniformNumbers {
  double low, half_width;
  double first, last;  ///< of the filled dtype
};

/// Each fills elements [begin, begin + n) of draw `counter` under `key` to to[0 … n). `begin` is
/// even, since two elements share a block; `to` holds elements of the kernel's own size. Every
/// level gives the same bits: the four operations and the square root alone, in one order.
struct PhiloxTable {
  /// RandomDraw::bits.
  void (*bits)(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
               std::uint64_t* to);
  /// [0] float32, [1] float64.
  void (*uniform[2])(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
                     void* to, const UniformNumbers& numbers);
  void (*normal[2])(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
                    void* to, double mean, double stddev);
  /// `one` (the bits of a 1) where the element's 53 bits lie below `threshold`, else 0.
  /// Elements of 1, 4 and 8 bytes.
  void (*bernoulli[3])(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
                       void* to, std::int64_t threshold, std::uint64_t one);
  /// Bit i%8 of mask[i/8] of bytes[i], which are 0 or 1; the bits beyond n are 0.
  void (*pack)(const std::uint8_t* bytes, std::int64_t n, std::uint8_t* mask);
  /// y (+)= 0 where the mask's bit is 1, else x·scale. [0] float32, [1] float64.
  void (*masked[2])(const void* x, const std::uint8_t* mask, std::int64_t n, double scale, void* y,
                    bool accumulate);
};

/// Declared here too for the far tails, which come up once in 10¹¹ numbers.
double normal_quantile(double p);

// The rational functions of normal_quantile, constant terms first: |p − 1/2| ≤ 0.425; then
// r = √(−log p) up to 5; then above.
constexpr double kCenterAbove[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                    1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                    4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                    3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr double kCenterBelow[8] = {1.0,
                                    4.2313330701600911252e+1,
                                    6.8718700749205790830e+2,
                                    5.3941960214247511077e+3,
                                    2.1213794301586595867e+4,
                                    3.9307895800092710610e+4,
                                    2.8729085735721942674e+4,
                                    5.2264952788528545610e+3};
constexpr double kTailAbove[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                  5.76949722146069140550e0,  3.64784832476320460504e0,
                                  1.27045825245236838258e0,  2.41780725177450611770e-1,
                                  2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kTailBelow[8] = {1.0,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
constexpr double kFarAbove[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                 1.78482653991729133580e0,  2.96560571828504891230e-1,
                                 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kFarBelow[8] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};

}  // namespace wengert::kernels
