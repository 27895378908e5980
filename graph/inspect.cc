#include <cmath>

#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

// What a tape says about single nodes: for messages and anomaly reports.
namespace wengert {
namespace {

struct Range {
  double low = 0, high = 0;
  std::int64_t not_finite = 0, finite = 0;
};

Range range_of(const Tensor& tensor) {
  Range range;
  for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
    const double x = tensor.at(i);
    if (!std::isfinite(x)) {
      ++range.not_finite;
      continue;
    }
    if (range.finite++ == 0) range.low = range.high = x;
    range.low = std::fmin(range.low, x);
    range.high = std::fmax(range.high, x);
  }
  return range;
}

std::string range_text(const Tensor& tensor) {
  const Range range = range_of(tensor);
  std::string text = to_string(tensor.dtype(), tensor.shape());
  if (range.finite > 0) {
    text += " in [" + format_number(range.low) + ", " + format_number(range.high) + "]";
  }
  if (range.not_finite > 0) text += " with " + std::to_string(range.not_finite) + " not finite";
  return text;
}

}  // namespace

void Tape::inspect(std::uint32_t id) {
  if (observer_ != nullptr) observer_->on_record(*this, id);
  if (!detect_non_finite_ || first_non_finite_ != detail::kNoNode || !is_floating(dtype(id)))
    return;
  if (!has_value(id)) return;
  if (range_of(Var::share(node(id).value).value()).not_finite > 0) first_non_finite_ = id;
}

std::string Tape::describe(std::uint32_t id) const {
  if (id >= size_) return "no node";
  const detail::Node& described = node(id);
  std::string text(described.op->name);
  if (!name(id).empty()) text += " '" + std::string(name(id)) + "'";
  text += " " + to_string(dtype(id), shape(id));
  if (described.scope != 0) text += " in scope " + scope(id);
  text += " at " + std::string(base_name(described.where.file_name())) + ":" +
          std::to_string(described.where.line());
  for (int i = 0; i < described.input_count; ++i) {
    const std::uint32_t input = described.inputs()[i];
    text += i == 0 ? "; inputs " : ", ";
    text += has_value(input) ? range_text(Var::share(node(input).value).value())
                             : to_string(dtype(input), shape(input)) + " (given back)";
  }
  return text;
}

}  // namespace wengert
