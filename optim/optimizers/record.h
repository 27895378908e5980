#pragma once

// Private to the library.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "wengert/graph/parameter_filter.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/optimizers/update_kernels.h"
#include "wengert/optim/option_visitors.h"

// What the record of an optimizer is made with.
namespace wengert::optim {

/// The kernels of a formula by CPU level.
using UpdateLevels = const kernels::UpdateKernels* [3];

/// θ and the first slots of a parameter, dense, and the kernel of this CPU's level over them, or
/// over the rows that have a gradient; cut by size into tasks for the pool.
class RunUpdate {
 public:
  /// `decay`: λ of a coupled weight decay, g + λθ for g; formulas that measure take none.
  RunUpdate(const UpdateLevels& levels, ParameterStep& step, const char* writer, double decay = 0);
  /// By formula, the first `sums` of its kernels.
  using Sums = std::array<double, kernels::kMostSums>;
  /// Sums over the whole tensor, each piece's in float64, the pieces in order. Never fails for
  /// want of memory.
  Sums measure(const void* numbers) const;
  void update(const void* numbers) const;

 private:
  const kernels::UpdateKernels& kernels_;
  double decay_;
  int dtype_;
  std::int64_t count_, bytes_;
  std::int64_t width_;  ///< elements of a row
  std::byte* value_;
  std::byte* slots_[kernels::kMostSlots];
  const std::byte* gradient_;
  std::span<const std::int64_t> rows_;  ///< of a gradient of a few rows where these are
  bool has_rows_;
};

/// Runs a formula; `writer` names it where a saved value is found overwritten.
template <class Numbers>
void run_update(const UpdateLevels& levels, ParameterStep& step, const char* writer,
                const Numbers& numbers, double decay = 0) {
  RunUpdate(levels, step, writer, decay).update(&numbers);
}
/// The same for a formula with sums: complete(numbers, sums) puts them into the numbers.
template <class Numbers, class Complete>
requires std::is_invocable_v<Complete&, Numbers&, const RunUpdate::Sums&>
void run_update(const UpdateLevels& levels, ParameterStep& step, const char* writer,
                Numbers numbers, Complete&& complete) {
  const RunUpdate run(levels, step, writer);
  complete(numbers, run.measure(&numbers));
  run.update(&numbers);
}

/// The options of a weight decay that is added to the gradient, as the last of a method's.
template <class Options, class Option>
constexpr void visit_coupled_decay(Options& o, Option& option) {
  option("weight_decay", o.weight_decay, kNotNegative, "λ: adds λθ to the gradient");
  option("decays", o.decays, kDecays, "weights (matrices and higher), or all parameters");
}
/// Whether weight decay, coupled or not, works on a parameter.
template <class Options>
bool decays_here(const Options& o, const Parameter& parameter) {
  return o.decays == Decays::kAll || is_weight(parameter);
}
/// λ of a parameter, for run_update.
template <class Options>
double coupled_decay(const Options& o, const Parameter& parameter) {
  return decays_here(o, parameter) ? o.weight_decay : 0;
}

/// 1/(1 − βᵗ): what a running average that started at 0 is multiplied with.
inline double bias_correction(double beta, std::int64_t step) {
  return 1 / (1 - std::pow(beta, static_cast<double>(step)));
}

}  // namespace wengert::optim

#define WENGERT_UPDATES namespace wengert::optim::updates

#if defined(__x86_64__)
#define WENGERT_UPDATE_X86(kernels) &kernels
#else
#define WENGERT_UPDATE_X86(kernels) nullptr
#endif

/// Declares the kernels of a formula as `name_levels`.
#define WENGERT_UPDATE(name, ...)                                                          \
  namespace wengert::kernels {                                                             \
  namespace baseline {                                                                     \
  extern const UpdateKernels name##_update;                                                \
  }                                                                                        \
  namespace avx2 {                                                                         \
  extern const UpdateKernels name##_update;                                                \
  }                                                                                        \
  namespace avx512 {                                                                       \
  extern const UpdateKernels name##_update;                                                \
  }                                                                                        \
  }                                                                                        \
  namespace wengert::optim {                                                               \
  static constexpr UpdateLevels name##_levels = {                                          \
      &kernels::baseline::name##_update, WENGERT_UPDATE_X86(kernels::avx2::name##_update), \
      WENGERT_UPDATE_X86(kernels::avx512::name##_update)};                                 \
  }

/// Defines the members of a class of the table and opens its record.
#define WENGERT_METHOD(method, Class)                                                         \
  Class::Class(Options options, std::source_location where)                                   \
      : Optimizer(method##_method, values_of<Class>(options), where) {}                       \
  int Class::add_group(ParameterFilter filter, Options options, std::source_location where) { \
    return Optimizer::add_group(std::move(filter), values_of<Class>(options), where);         \
  }                                                                                           \
  Class::Options Class::options(int group) const {                                            \
    return options_as<Class>(option_values(group));                                           \
  }                                                                                           \
  constinit const MethodDef method##_method
