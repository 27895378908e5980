#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"

// Means kept as numerator and denominator, so that batches, micro-batches and machines add up to
// what one batch of everything would have given, however uneven they are.
namespace wengert::optim {

/// A mean: `sum` over what counts, `weight` how much that was.
struct Metric {
  std::string name;
  double sum = 0;
  double weight = 0;
  /// NaN where nothing counted.
  double value() const { return sum / weight; }
};

/// The share of `logits` [..., C] whose largest entry (the first of equal ones) is at the target
/// [...], of any integer dtype; targets equal to `ignore_index` do not count. Two heads of a model
/// have two names.
/// Throws Error(kShape, kDType) on what does not fit.
WENGERT_API Metric accuracy(const Var& logits, const Tensor& targets,
                            std::optional<std::int64_t> ignore_index = {},
                            std::string name = "accuracy",
                            std::source_location where = std::source_location::current());
/// The mean of the elements of a floating value, such as squared errors.
WENGERT_API Metric mean_of(std::string name, const Var& values,
                           std::source_location where = std::source_location::current());

/// What many evaluations came to.
class WENGERT_API Totals {
 public:
  Totals() = default;
  /// A loss that is the mean over `denominator`, and metrics.
  Totals(double loss, double denominator, std::span<const Metric> metrics = {});

  /// Of numerator and denominator as they are.
  static Totals of_sums(double loss_sum, double denominator, std::vector<Metric> metrics);

  /// Adds numerators and denominators. Metrics of a name that is new are new.
  Totals& operator+=(const Totals& other);

  /// The mean over all; NaN where nothing counted.
  double loss() const { return loss_sum_ / denominator_; }
  double loss_sum() const { return loss_sum_; }
  double denominator() const { return denominator_; }
  const std::vector<Metric>& metrics() const { return metrics_; }
  /// The value of "loss" or of a metric. Throws Error(kValue) naming those that there are.
  double value(std::string_view name,
               std::source_location where = std::source_location::current()) const;

 private:
  double loss_sum_ = 0;
  double denominator_ = 0;
  std::vector<Metric> metrics_;
};

}  // namespace wengert::optim
