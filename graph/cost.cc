#include "wengert/graph/cost.h"

#include <algorithm>
#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/op.h"

namespace wengert {
namespace {

double bytes_of(const detail::Value* value) {
  return static_cast<double>(value->count()) * static_cast<double>(size_of(value->dtype));
}

}  // namespace

Cost cost_of(const Tape& tape, std::uint32_t id) {
  if (id >= tape.size()) {
    throw Error(ErrorKind::kGraph, "cost_of",
                "node " + std::to_string(id) + " of " + std::to_string(tape.size()));
  }
  const std::uint32_t first = id - tape.node(id).output;
  const detail::Node& node = tape.node(first);
  if (node.op->structural || node.op->evaluate == nullptr) return {};
  Cost cost;
  std::vector<detail::Value*> inputs;
  double most = 0;
  for (const std::uint32_t input : tape.inputs(first)) {
    inputs.push_back(tape.node(input).value);
    if (inputs.back()->is_absent()) continue;
    cost.bytes += bytes_of(inputs.back());
    most = std::max(most, static_cast<double>(inputs.back()->count()));
  }
  const auto outputs = static_cast<double>(node.value->count());
  for (std::uint32_t k = first; k < tape.size() && (k == first || tape.node(k).output > 0); ++k) {
    cost.bytes += bytes_of(tape.node(k).value);
  }
  if (node.op->flops == nullptr) {
    cost.flops = std::max(most, outputs);
  } else {
    const OpCall call(*node.op, inputs, node.attributes, node.where);
    cost.flops = outputs * node.op->flops(call);
  }
  return cost;
}

}  // namespace wengert
