#include "wengert/autodiff/gradient_flow.h"

#include "wengert/graph/hash_map.h"
#include "wengert/graph/tape.h"

namespace wengert {
namespace {

/// Contributions to one node that backward has not yet reached.
struct Arriving {
  double norms = 0;  ///< Σ‖gᵢ‖₂
  int count = 0;
  bool finite = true;
};

/// Of rows as of the whole gradient, in which the others are zero.
TensorStatistics measured(const Gradient& gradient) {
  TensorStatistics result = statistics_of(gradient.stored().value());
  const std::int64_t others = element_count(gradient.shape()) - result.count;
  result.count += others;
  result.zeros += others;
  return result;
}

std::uint64_t key_of(std::uint32_t consumer, int input) {
  return std::uint64_t{consumer} << 32 | static_cast<std::uint32_t>(input);
}

}  // namespace

struct GradientFlow::Members {
  GradientRecord record;
  detail::HashMap<std::uint64_t, std::size_t> edges;  ///< by key_of, into record.edges
  detail::HashMap<std::uint32_t, std::size_t> nodes;  ///< by id, into record.nodes
  detail::HashMap<std::uint32_t, Arriving> arriving;
  std::uint32_t latest = 0;  ///< node reached last; within a pass ids fall

  void enter(const Tape& tape) {
    if (record.tape == tape.serial()) return;
    *this = {};
    record.tape = tape.serial();
  }
};

GradientFlow::GradientFlow() : members_(std::make_unique<Members>()) {}
GradientFlow::~GradientFlow() = default;

const GradientRecord& GradientFlow::record() const { return members_->record; }

void GradientFlow::clear() { *members_ = {}; }

const GradientRecord::Edge* GradientFlow::edge(std::uint32_t consumer, int input) const {
  const auto it = members_->edges.find(key_of(consumer, input));
  return it == members_->edges.end() ? nullptr : &members_->record.edges[it->second];
}

const GradientRecord::Node* GradientFlow::node(std::uint32_t id) const {
  const auto it = members_->nodes.find(id);
  return it == members_->nodes.end() ? nullptr : &members_->record.nodes[it->second];
}

void GradientFlow::on_edge(const Tape& tape, std::uint32_t consumer, int input,
                           const Gradient& cotangent) {
  members_->enter(tape);
  auto& edges = members_->record.edges;
  const TensorStatistics statistics = measured(cotangent);
  const std::size_t number = detail::number_in(members_->edges, key_of(consumer, input), edges);
  const GradientRecord::Edge& edge = edges[number] = {consumer, input, statistics};
  Arriving& arriving = members_->arriving[tape.inputs(consumer)[static_cast<std::size_t>(input)]];
  arriving.norms += edge.gradient.l2;
  arriving.finite &= edge.gradient.non_finite == 0;
  ++arriving.count;
}

void GradientFlow::on_node(const Tape& tape, std::uint32_t node, const Gradient& cotangent) {
  members_->enter(tape);
  if (node >= members_->latest)
    members_->arriving.clear();  // a new pass; the last one may have failed
  members_->latest = node;
  auto& nodes = members_->record.nodes;
  GradientRecord::Node reached{.id = node,
                               .gradient = measured(cotangent),
                               .gradient_rows = {},
                               .value = {},
                               .cancellation = {},
                               .saved_inputs = tape.node(node).saved_inputs(),
                               .saved_output = (tape.node(node).saved & detail::kSavedOutput) != 0};
  if (cotangent.is_rows()) reached.gradient_rows = cotangent.rows().shape()[0];
  if (is_floating(tape.dtype(node)) && tape.has_value(node)) {
    reached.value = statistics_of(tape.var(node).value());
  }
  if (const auto all = members_->arriving.find(node); all != members_->arriving.end()) {
    const Arriving& arriving = all->second;
    if (arriving.count > 1 && arriving.finite && arriving.norms > 0) {
      reached.cancellation = reached.gradient.l2 / arriving.norms;
    }
    members_->arriving.erase(all);
  }
  nodes[detail::number_in(members_->nodes, node, nodes)] = std::move(reached);
}

}  // namespace wengert
