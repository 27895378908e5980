#include "wengert/optim/training/metrics.h"

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/options.h"

namespace wengert::optim {
namespace {

template <class T>
std::int64_t count_correct(const Tensor& logits, std::span<const std::int64_t> targets,
                           std::optional<std::int64_t> ignored) {
  const std::int64_t classes = logits.size(-1);
  const T* row = logits.span<T>().data();
  std::int64_t correct = 0;
  for (const std::int64_t target : targets) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (row[c] > row[best]) best = c;
    }
    correct += best == target && target != ignored;
    row += classes;
  }
  return correct;
}

}  // namespace

Metric accuracy(const Var& logits, const Tensor& targets, std::optional<std::int64_t> ignore_index,
                std::string name, std::source_location where) {
  const detail::CallSite site(where);
  const Tensor scores = logits.value().contiguous();
  const Shape& shape = scores.shape();
  bool fits = shape.size() == targets.rank() + 1 && shape[shape.size() - 1] > 0;
  for (int d = 0; fits && d < targets.rank(); ++d) fits = shape[d] == targets.shape()[d];
  if (!fits) {
    throw Error(ErrorKind::kShape, "accuracy",
                "logits are " + to_string(scores.dtype(), shape) + ", targets " +
                    to_string(targets.dtype(), targets.shape()),
                "logits have one axis more, of classes");
  }
  if (!is_floating(scores.dtype()) || is_floating(targets.dtype()) ||
      targets.dtype() == DType::kBool) {
    throw Error(ErrorKind::kDType, "accuracy",
                "logits are " + std::string(name_of(scores.dtype())) + ", targets " +
                    std::string(name_of(targets.dtype())),
                "logits are floating, targets integers");
  }
  const std::vector<std::int64_t> truth = targets.to_vector<std::int64_t>();
  const std::int64_t correct = scores.dtype() == DType::kFloat32
                                   ? count_correct<float>(scores, truth, ignore_index)
                                   : count_correct<double>(scores, truth, ignore_index);
  std::int64_t counted = 0;
  for (const std::int64_t target : truth) counted += target != ignore_index;
  return {std::move(name), static_cast<double>(correct), static_cast<double>(counted)};
}

Metric mean_of(std::string name, const Var& values, std::source_location where) {
  const detail::CallSite site(where);
  const NoGrad off;
  const double total = sum(cast(values.value(), DType::kFloat64)).scalar_value();
  return {std::move(name), total, static_cast<double>(values.value().element_count())};
}

// ---------------------------------------------------------------------------- totals

Totals::Totals(double loss, double denominator, std::span<const Metric> metrics)
    : loss_sum_(denominator == 0 ? 0 : loss * denominator),
      denominator_(denominator),
      metrics_(metrics.begin(), metrics.end()) {}

Totals Totals::of_sums(double loss_sum, double denominator, std::vector<Metric> metrics) {
  Totals totals;
  totals.loss_sum_ = loss_sum;
  totals.denominator_ = denominator;
  totals.metrics_ = std::move(metrics);
  return totals;
}

Totals& Totals::operator+=(const Totals& other) {
  loss_sum_ += other.loss_sum_;
  denominator_ += other.denominator_;
  for (const Metric& added : other.metrics_) {
    Metric* known = nullptr;
    for (Metric& metric : metrics_) {
      if (metric.name == added.name) known = &metric;
    }
    if (known == nullptr) {
      metrics_.push_back(added);
    } else {
      known->sum += added.sum;
      known->weight += added.weight;
    }
  }
  return *this;
}

double Totals::value(std::string_view name, std::source_location where) const {
  if (name == "loss") return loss();
  std::vector<std::string> names = {"loss"};
  for (const Metric& metric : metrics_) {
    if (metric.name == name) return metric.value();
    names.push_back(metric.name);
  }
  throw Error(ErrorKind::kValue, "Totals", "no metric '" + std::string(name) + "'",
              advice_on_name(name, names), where);
}

}  // namespace wengert::optim
