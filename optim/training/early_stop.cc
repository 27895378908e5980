#include "wengert/optim/training/early_stop.h"

#include <cmath>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/optim/count.h"

namespace wengert::optim {
namespace {

constexpr const char* kNumbers = "best";
constexpr std::string_view kWeights = "weights/";

/// A count among the state's numbers. Numbers of a file may be any: what no int64 holds, or what
/// one more would take beyond it, is no count.
std::int64_t count_at(const Tensor& numbers, std::int64_t place) {
  const double count = numbers.at(place);
  const bool whole = std::fabs(count) <= 0x1p53 && std::trunc(count) == count;
  if (!whole || !is_count(static_cast<std::int64_t>(count))) {
    throw Error(ErrorKind::kParameter, "EarlyStop", format_number(count) + " is no count of epochs",
                "restore a state that EarlyStop::state gave");
  }
  return static_cast<std::int64_t>(count);
}

}  // namespace

EarlyStop::EarlyStop(Options options, std::source_location where) : options_(std::move(options)) {
  const detail::CallSite site(where);
  if (options_.patience < 0 || !(options_.least_change >= 0)) {
    throw Error(ErrorKind::kValue, "EarlyStop",
                "a patience of " + std::to_string(options_.patience) + " and a least change of " +
                    format_number(options_.least_change),
                "neither is negative");
  }
}

void EarlyStop::after_epoch(Training& training, const EpochRecord& record) {
  const double value = record.watched(options_.watched);
  const double gain = options_.larger_is_better ? value - best_ : best_ - value;
  const bool better = best_epoch_ == 0 ? !std::isnan(value) : gain > options_.least_change;
  if (!better) {
    ++waited_;
    return;
  }
  best_weights_.take(training.parameters());
  best_ = value;
  best_epoch_ = record.epoch;
  waited_ = 0;
}

bool EarlyStop::wants_stop() const { return options_.patience > 0 && waited_ >= options_.patience; }

void EarlyStop::after_training(Training& training) {
  // Where somebody else stopped it, it may go on from where it stands.
  const bool ended = wants_stop() || training.epoch() > training.options().epochs;
  if (ended && !best_weights_.empty()) best_weights_.restore(training.parameters());
}

std::vector<io::NamedTensor> EarlyStop::state() const {
  std::vector<io::NamedTensor> state = {
      {kNumbers,
       Tensor::from({best_, static_cast<double>(best_epoch_), static_cast<double>(waited_)}, {3})}};
  for (const io::NamedTensor& entry : best_weights_.tensors()) {
    state.push_back({std::string(kWeights) + entry.name, entry.tensor});
  }
  return state;
}

void EarlyStop::restore(const std::vector<io::NamedTensor>& state) {
  const Tensor* numbers = nullptr;
  std::vector<io::NamedTensor> weights;
  for (const io::NamedTensor& entry : state) {
    if (entry.name == kNumbers) {
      numbers = &entry.tensor;
    } else if (entry.name.starts_with(kWeights)) {
      weights.push_back({entry.name.substr(kWeights.size()), entry.tensor.clone()});
    } else {
      throw Error(ErrorKind::kParameter, "EarlyStop", "a state entry '" + entry.name + "'");
    }
  }
  if (numbers == nullptr || numbers->dtype() != DType::kFloat64 || numbers->shape() != Shape{3}) {
    throw Error(ErrorKind::kParameter, "EarlyStop", "no entry 'best' of three numbers");
  }
  const std::int64_t best_epoch = count_at(*numbers, 1), waited = count_at(*numbers, 2);
  const double best = numbers->at(0);
  best_weights_.set_tensors(std::move(weights));  // nothing fails after it
  best_ = best;
  best_epoch_ = best_epoch;
  waited_ = waited;
}

}  // namespace wengert::optim
