#include "wengert/optim/training/snapshot.h"

#include <cstring>
#include <map>
#include <string_view>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::optim {
namespace {

/// The values of a set by name, shared.
std::vector<io::NamedTensor> values_of(const ParameterSet& parameters) {
  std::vector<io::NamedTensor> values;
  for (const Parameter* parameter : parameters.all()) {
    values.push_back({parameter->name(), parameter->value()});
  }
  for (const Buffer* buffer : parameters.buffers()) {
    values.push_back({buffer->name(), buffer->value()});
  }
  return values;
}

template <class T>
void blend(Tensor& into, const Tensor& value, double decay) {
  const WriteGuard guard(into, "Snapshot");
  const std::span<T> to = guard.span<T>();
  const std::span<const T> from = value.span<T>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<T>(decay * to[i] + (1 - decay) * from[i]);
  }
}

bool alike(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape();
}

}  // namespace

void Snapshot::take(const ParameterSet& parameters) {
  std::vector<io::NamedTensor> taken = values_of(parameters);
  for (io::NamedTensor& entry : taken) entry.tensor = entry.tensor.clone();
  tensors_ = std::move(taken);
}

void Snapshot::set_tensors(std::vector<io::NamedTensor> tensors) {
  for (io::NamedTensor& entry : tensors) entry.tensor = entry.tensor.contiguous();
  tensors_ = std::move(tensors);
}

void Snapshot::restore(ParameterSet& parameters, std::source_location where) const {
  const detail::CallSite site(where);
  for (const io::NamedTensor& entry : tensors_) {
    const Parameter* parameter = parameters.find(entry.name);
    const Buffer* buffer = parameters.find_buffer(entry.name);
    const Tensor* known = parameter != nullptr ? &parameter->value()
                          : buffer != nullptr  ? &buffer->value()
                                               : nullptr;
    if (known != nullptr && alike(*known, entry.tensor)) continue;
    throw Error(ErrorKind::kParameter, "Snapshot",
                "'" + entry.name + "' was " +
                    to_string(entry.tensor.dtype(), entry.tensor.shape()) + ", the set has " +
                    (known == nullptr ? "no such" : to_string(known->dtype(), known->shape())),
                "restore it into the set that it was taken of");
  }
  for (const io::NamedTensor& entry : tensors_) {
    Parameter* parameter = parameters.find(entry.name);
    if (parameter == nullptr) {
      parameters.find_buffer(entry.name)->set(entry.tensor);
      continue;
    }
    const WriteGuard guard(parameter->mutable_value(), "Snapshot");
    const auto count = static_cast<std::size_t>(entry.tensor.element_count());
    if (count > 0) {
      std::memcpy(guard.data(), entry.tensor.data(), count * size_of(entry.tensor.dtype()));
    }
  }
}

void Snapshot::average(const ParameterSet& parameters, double decay, std::source_location where) {
  const detail::CallSite site(where);
  if (!(decay >= 0 && decay <= 1)) {
    throw Error(ErrorKind::kValue, "Snapshot", "a decay of " + format_number(decay),
                "it is what remains of the average: 0 to 1");
  }
  std::map<std::string_view, const Tensor*> known;
  for (const io::NamedTensor& entry : tensors_) known.emplace(entry.name, &entry.tensor);
  std::vector<io::NamedTensor> averaged = values_of(parameters);
  for (io::NamedTensor& entry : averaged) {
    const auto before = known.find(entry.name);
    const bool floating = is_floating(entry.tensor.dtype());
    if (!floating || before == known.end() || !alike(*before->second, entry.tensor)) {
      entry.tensor = entry.tensor.clone();
      continue;
    }
    Tensor value = before->second->clone();
    const Tensor now = entry.tensor.contiguous();
    if (now.dtype() == DType::kFloat32) {
      blend<float>(value, now, decay);
    } else {
      blend<double>(value, now, decay);
    }
    entry.tensor = std::move(value);
  }
  tensors_ = std::move(averaged);
}

}  // namespace wengert::optim
