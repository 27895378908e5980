#include "wengert/optim/training/weight_average.h"

#include <algorithm>
#include <string>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/optim/count.h"
#include "wengert/optim/training/fit.h"

namespace wengert::optim {
namespace {

constexpr std::string_view kSteps = "steps", kWeights = "weights/";

}  // namespace

WeightAverage::WeightAverage(Options options, std::source_location where) : options_(options) {
  const detail::CallSite site(where);
  if (options.decay >= 0 && options.decay < 1) return;
  throw Error(ErrorKind::kValue, "WeightAverage", "a decay of " + format_number(options.decay),
              "it is what remains of the average: 0 or more, below 1");
}

void WeightAverage::after_step(Training& training, const StepRecord&) {
  if (steps_ == 0) {
    average_.take(training.parameters());
  } else {
    const auto t = static_cast<double>(steps_);
    const double decay =
        options_.warm_up ? std::min(options_.decay, (1 + t) / (10 + t)) : options_.decay;
    average_.average(training.parameters(), decay);
  }
  ++steps_;
}

std::vector<io::NamedTensor> WeightAverage::state() const {
  std::vector<io::NamedTensor> state = {{std::string(kSteps), Tensor::scalar(steps_)}};
  for (const io::NamedTensor& entry : average_.tensors()) {
    state.push_back({std::string(kWeights) + entry.name, entry.tensor});
  }
  return state;
}

void WeightAverage::restore(const std::vector<io::NamedTensor>& state) {
  std::int64_t steps = -1;
  std::vector<io::NamedTensor> weights;
  for (const io::NamedTensor& entry : state) {
    if (entry.name == kSteps && entry.tensor.dtype() == DType::kInt64 && entry.tensor.rank() == 0) {
      steps = entry.tensor.item<std::int64_t>();
    } else if (entry.name.starts_with(kWeights)) {
      weights.push_back({entry.name.substr(kWeights.size()), entry.tensor.clone()});
    } else {
      throw Error(ErrorKind::kParameter, "WeightAverage", "a state entry '" + entry.name + "'");
    }
  }
  if (!is_count(steps)) {
    throw Error(ErrorKind::kParameter, "WeightAverage", "no entry 'steps' that is a count");
  }
  if ((steps == 0) != weights.empty()) {
    throw Error(ErrorKind::kParameter, "WeightAverage",
                std::to_string(steps) + " steps and averages of " + std::to_string(weights.size()) +
                    " tensors");
  }
  average_.set_tensors(std::move(weights));
  steps_ = steps;
}

AverageSwap::AverageSwap(const WeightAverage& average, ParameterSet& parameters,
                         std::source_location where)
    : parameters_(parameters), own_(parameters) {
  average.average().restore(parameters, where);
}

AverageSwap::~AverageSwap() { own_.restore(parameters_); }

}  // namespace wengert::optim
