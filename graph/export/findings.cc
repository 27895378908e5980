#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "wengert/graph/error.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/export/view_builder.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/text.h"

// The health check: where NaNs begin, which parameters get no gradient, and whether gradients
// vanish or explode on their way to the first layer.
namespace wengert::detail {
namespace {

constexpr double kVanishingDecades = 5, kExplodingDecades = 3;
constexpr std::size_t kReportedParameters = 5;

/// Ops that belong together.
struct Layer {
  std::uint32_t first = 0;  ///< its first consumer of a parameter
  std::string name;
  std::vector<double> rms;         ///< of the gradients that arrive at its ops
  std::vector<double> parameters;  ///< and at its parameters
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

std::string decades_text(double from, double to) {
  if (to == 0) return "to 0";
  return format_number(std::fabs(std::log10(to) - std::log10(from)), 2) + " decades";
}

class Search {
 public:
  Search(const Tape& tape, std::uint32_t root, const GradientIndex& gradients,
         const std::vector<int>& view_node_of, GraphView& view)
      : tape_(tape), root_(root), gradients_(gradients), view_node_of_(view_node_of), view_(view) {}

  void run() {
    if (!find_non_finite_value()) find_non_finite_gradient();
    if (gradients_.nodes.empty()) return;
    find_parameters_without_gradient();
    find_trend();
  }

 private:
  enum class State { kUnknown, kFinite, kNonFinite };

  State state_of(std::uint32_t id) const {
    if (!is_floating(tape_.dtype(id))) return State::kFinite;
    const auto* record = gradients_.node(id);
    TensorStatistics known;
    if (tape_.has_value(id)) {
      known = statistics_of(tape_.var(id).value());
    } else if (record != nullptr && record->value) {
      known = *record->value;
    } else {
      return id == tape_.first_non_finite() ? State::kNonFinite : State::kUnknown;
    }
    return known.non_finite > 0 ? State::kNonFinite : State::kFinite;
  }

  std::uint32_t head(std::uint32_t id) const { return id - tape_.node(id).output; }

  /// How a message names a node: its id in the view, else op and scope.
  std::string named(std::uint32_t id) const {
    const int n = view_node_of_[id];
    std::string text;
    if (n >= 0 && view_.nodes[static_cast<std::size_t>(n)].kind != ViewNode::Kind::kCollapsed) {
      text = view_.nodes[static_cast<std::size_t>(n)].id;
    } else {
      const std::string scope = tape_.scope(id);
      text = (scope.empty() ? "" : scope + "/") + std::string(tape_.node(id).op->name);
    }
    const std::string source = source_of(tape_, id);
    return source.empty() ? text : text + " (" + source + ")";
  }

  void report(Finding::Kind kind, std::uint32_t id, std::string what, std::string fix) {
    const int n = view_node_of_[id];
    view_.findings.push_back({kind, std::move(what),
                              n < 0 ? "" : view_.nodes[static_cast<std::size_t>(n)].id,
                              source_of(tape_, id), std::move(fix)});
  }

  void mark_origin(std::uint32_t id) {
    if (view_node_of_[id] < 0) return;
    view_.nodes[static_cast<std::size_t>(view_node_of_[id])].non_finite_origin = true;
  }

  bool find_non_finite_value();
  void find_non_finite_gradient();
  void find_parameters_without_gradient();
  void explain_missing(std::uint32_t parameter);
  std::vector<char> data_dependent() const;
  std::map<std::string, Layer> layers_by_scope(const std::vector<char>& data,
                                               std::vector<std::uint32_t>& users) const;
  std::vector<Layer> collect_layers(std::vector<double>& at_loss) const;
  void find_trend();
  std::string dead_units() const;
  void report_trend(const std::vector<Layer>& layers, double reference, bool vanishing);

  const Tape& tape_;
  std::uint32_t root_;
  const GradientIndex& gradients_;
  const std::vector<int>& view_node_of_;
  GraphView& view_;
};

bool Search::find_non_finite_value() {
  if (state_of(root_) != State::kNonFinite) return false;
  // Back from the root along whatever may have carried it; an infinity that never reached the
  // root (a mask's, say) is nobody's fault.
  std::vector<char> carries(static_cast<std::size_t>(root_) + 1, 0);
  carries[root_] = 1;
  std::uint32_t origin = root_;
  bool exact = true;
  for (std::uint32_t id = root_ + 1; id-- > 0;) {
    if (!carries[id]) continue;
    const State state = state_of(id);
    if (state == State::kFinite) continue;
    bool known = true;
    for (std::uint32_t input : tape_.inputs(head(id))) {
      const State before = state_of(input);
      known &= before != State::kUnknown;
      if (before != State::kFinite) carries[input] = 1;
    }
    if (state == State::kNonFinite && view_node_of_[id] >= 0) {
      origin = head(id);
      exact = known || head(id) == tape_.first_non_finite();
    }
  }
  mark_origin(origin);
  std::string what = std::string(exact ? "begins at " : "begins at or before ") + named(origin);
  what += ", " + wengert::to_string(tape_.dtype(origin), tape_.shape(origin));
  for (std::uint32_t input : tape_.inputs(origin)) {
    if (state_of(input) == State::kNonFinite) what += "; one of its inputs is not finite already";
  }
  report(Finding::Kind::kNonFinite, origin, std::move(what),
         !exact ? "turn Tape::detect_non_finite on to see the first one"
         : tape_.node(origin).op->structural
             ? "check the data for missing values, or lower the rate of the optimizer that wrote it"
             : "keep its inputs inside its domain (an epsilon, a clamp), or lower the rate");
  return true;
}

void Search::find_non_finite_gradient() {
  const GradientRecord::Edge* first = nullptr;  // backward runs down the tape
  for (const auto& [key, edge] : gradients_.edges) {
    if (edge->gradient.non_finite == 0) continue;
    bool received_finite = true;
    for (std::uint32_t k = edge->consumer;
         k == edge->consumer || (k <= root_ && tape_.node(k).output > 0); ++k) {
      const auto* node = gradients_.node(k);
      received_finite &= node == nullptr || node->gradient.non_finite == 0;
    }
    if (!received_finite) continue;
    if (first == nullptr || edge->consumer > first->consumer ||
        (edge->consumer == first->consumer && edge->input < first->input)) {
      first = edge;
    }
  }
  if (first == nullptr) return;
  mark_origin(first->consumer);
  report(Finding::Kind::kNonFinite, first->consumer,
         "gradients begin at " + named(first->consumer) + ": it sends " +
             std::to_string(first->gradient.non_finite) + " of " +
             std::to_string(first->gradient.count) + " elements not finite back to input " +
             std::to_string(first->input),
         "its derivative is not finite there: keep that input away from the edge of the domain");
}

void Search::find_parameters_without_gradient() {
  std::vector<std::uint32_t> missing;
  for (std::uint32_t id = 0; id <= root_; ++id) {
    const Node& node = tape_.node(id);
    if (node.op != &parameter_op || !node.value->has(Value::kRequiresGrad)) continue;
    if (gradients_.node(id) == nullptr) missing.push_back(id);
  }
  for (std::size_t i = 0; i < missing.size() && i < kReportedParameters; ++i) {
    explain_missing(missing[i]);
  }
  if (missing.size() <= kReportedParameters) return;
  view_.findings.back().what +=
      " (and " + std::to_string(missing.size() - kReportedParameters) + " more parameters)";
}

void Search::explain_missing(std::uint32_t parameter) {
  std::vector<char> reached(static_cast<std::size_t>(root_) + 1, 0);
  reached[parameter] = 1;
  std::uint32_t last = parameter;
  for (std::uint32_t id = parameter + 1; id <= root_; ++id) {
    const Node& node = tape_.node(id);
    if (node.output > 0) {
      reached[id] = reached[head(id)];
      continue;
    }
    for (int i = 0; i < node.input_count; ++i) {
      if (!reached[node.inputs()[i]]) continue;
      const bool passes = node.op->is_differentiable(i) &&
                          (node.op->vjp != nullptr || node.op->backward != nullptr);
      if (!passes) {
        report(Finding::Kind::kNoGradient, id,
               "parameter " + std::string(tape_.name(parameter)) + " is cut off by " + named(id) +
                   ", which has no derivative for input " + std::to_string(i),
               "use a differentiable op there, or set_trainable(false) if this is meant");
        return;
      }
      reached[id] = 1;
      last = id;
      break;
    }
  }
  std::string what = "parameter " + std::string(tape_.name(parameter));
  what += last == parameter ? " is used by nothing that was recorded"
                            : " leads to " + named(last) + " and no further towards the loss";
  report(Finding::Kind::kNoGradient, last, std::move(what),
         "look for value() or NoGrad after that line, or for a result that is not used");
}

/// Which nodes depend on data: on a leaf of rank 1 or more that is no parameter. A penalty on
/// parameters does not, and is no layer. Where nothing does, everything counts.
std::vector<char> Search::data_dependent() const {
  std::vector<char> depends(root_ + std::size_t{1}, 0);
  bool any = false;
  for (std::uint32_t id = 0; id <= root_; ++id) {
    const auto inputs = tape_.inputs(head(id));
    if (inputs.empty()) {
      depends[id] = tape_.node(id).op != &parameter_op && tape_.shape(id).size() > 0;
    }
    for (std::uint32_t input : inputs) depends[id] |= depends[input];
    any |= depends[id] != 0;
  }
  if (!any) std::fill(depends.begin(), depends.end(), 1);
  return depends;
}

/// The first use of a parameter in each scope; `users` gets all uses.
std::map<std::string, Layer> Search::layers_by_scope(const std::vector<char>& data,
                                                     std::vector<std::uint32_t>& users) const {
  std::map<std::string, Layer> layers;
  for (std::uint32_t id = 0; id <= root_; ++id) {
    if (data[id] == 0) continue;
    for (std::uint32_t input : tape_.inputs(id)) {
      if (tape_.node(input).op != &parameter_op) continue;
      if (users.empty() || users.back() != id) users.push_back(id);
      layers.try_emplace(tape_.scope(id), Layer{id, tape_.scope(id), {}, {}});
    }
  }
  return layers;
}

/// Layers are the scopes that use parameters; where fewer than two do, each use is a layer. A
/// layer's gradients are those that arrive at its ops; what arrives after the last layer is `at
/// the loss`.
std::vector<Layer> Search::collect_layers(std::vector<double>& at_loss) const {
  std::vector<std::uint32_t> users;
  const std::vector<char> data = data_dependent();
  const std::map<std::string, Layer> by_scope = layers_by_scope(data, users);
  const bool scoped = by_scope.size() > 1 && !by_scope.contains("");
  std::map<std::string, Layer> layers;
  const auto key = [&](std::uint32_t id) {
    return scoped ? tape_.scope(id) : "#" + std::to_string(id);
  };
  for (std::uint32_t id : users) {
    layers.try_emplace(key(id), Layer{id, scoped ? tape_.scope(id) : named(id), {}, {}});
  }
  std::uint32_t last = users.empty() ? 0 : users.back();
  for (std::uint32_t id = last; scoped && id <= root_; ++id) {
    if (by_scope.contains(tape_.scope(id))) last = id;
  }
  for (const auto& [unused, edge] : gradients_.edges) {
    if (edge->gradient.count == edge->gradient.non_finite) continue;
    const std::uint32_t from = tape_.inputs(edge->consumer)[static_cast<std::size_t>(edge->input)];
    const bool parameter = tape_.node(from).op == &parameter_op;
    if (tape_.node(from).op->structural && !parameter) continue;
    if (!parameter && data[from] == 0) continue;
    // Scalars are terms of the loss already: 1, whatever its scale within the network.
    if (!parameter && from > last && edge->gradient.count > 1)
      at_loss.push_back(edge->gradient.rms());
    const auto layer = layers.find(key(parameter ? edge->consumer : head(from)));
    if (layer == layers.end()) continue;
    (parameter ? layer->second.parameters : layer->second.rms).push_back(edge->gradient.rms());
  }
  std::vector<Layer> result;
  for (auto& [unused, layer] : layers) {
    if (!layer.rms.empty()) result.push_back(std::move(layer));
  }
  std::sort(result.begin(), result.end(),
            [](const Layer& a, const Layer& b) { return a.first < b.first; });
  return result;
}

void Search::find_trend() {
  std::vector<double> at_loss;
  const std::vector<Layer> layers = collect_layers(at_loss);
  if (layers.empty()) return;
  const double reference = median(at_loss.empty() ? layers.back().rms : at_loss);
  view_.reference_rms = reference;
  std::vector<double> parameters;  // of the last three layers: one alone may be out of the way
  for (std::size_t i = layers.size() - std::min<std::size_t>(3, layers.size()); i < layers.size();
       ++i) {
    parameters.push_back(median(layers[i].parameters));
  }
  view_.parameter_reference_rms = median(parameters);
  const double arrives = median(layers.front().rms);
  if (arrives <= reference * std::pow(10, -kVanishingDecades)) {
    report_trend(layers, reference, true);
  } else if (arrives >= reference * std::pow(10, kExplodingDecades)) {
    report_trend(layers, reference, false);
  }
}

/// "relu in fc2 gives 99 % zeros" of the op whose result is emptiest, if that is nearly all.
std::string Search::dead_units() const {
  constexpr double kNearlyAll = 0.9;
  const ViewNode* emptiest = nullptr;
  for (const ViewNode& node : view_.nodes) {
    if (!node.elementwise || !node.requires_grad || !node.value) continue;
    if (node.value->zero_share() < kNearlyAll) continue;
    if (emptiest == nullptr || node.value->zero_share() > emptiest->value->zero_share()) {
      emptiest = &node;
    }
  }
  if (emptiest == nullptr) return {};
  return emptiest->op + (emptiest->scope.empty() ? "" : " in " + emptiest->scope) + " gives " +
         percent_text(emptiest->value->zero_share()) + " zeros" +
         (emptiest->source.empty() ? "" : " (" + emptiest->source + ")");
}

void Search::report_trend(const std::vector<Layer>& layers, double reference, bool vanishing) {
  const double limit = reference * std::pow(10, vanishing ? -kVanishingDecades : kExplodingDecades);
  const auto beyond = [&](const Layer& layer) {
    return vanishing ? median(layer.rms) <= limit : median(layer.rms) >= limit;
  };
  const Layer& first = layers.front();
  const auto crossing = std::find_if(layers.rbegin(), layers.rend(), beyond);
  const double arrives = median(first.rms);
  std::string what = reference == 0
                         ? "the loss sends back nothing but zeros"
                         : std::string("median gradient RMS ") + (vanishing ? "drops " : "grows ") +
                               decades_text(reference, arrives) + " from the loss to " + first.name;
  what += ", " + scientific_text(reference) + " to " + scientific_text(arrives) + "; beyond " +
          scientific_text(limit) + " first at " + crossing->name;
  const std::string source = source_of(tape_, crossing->first);
  if (!source.empty() && what.find(source) == std::string::npos) what += " (" + source + ")";
  const std::string dead = vanishing ? dead_units() : "";
  if (!dead.empty()) what += "; " + dead;
  report(vanishing ? Finding::Kind::kVanishing : Finding::Kind::kExploding, crossing->first,
         std::move(what),
         !dead.empty() ? "units that give only zeros learn no more: lower the rate, or take "
                         "softplus"
         : vanishing   ? "try activations that do not saturate, an initializer that keeps the "
                         "variance, normalization or skip connections"
                       : "try gradient clipping, smaller initial weights, normalization or a lower "
                         "rate");
}

}  // namespace

void find_problems(const Tape& tape, std::uint32_t root, const GradientIndex& gradients,
                   const std::vector<int>& view_node_of, GraphView& view) {
  Search(tape, root, gradients, view_node_of, view).run();
}

}  // namespace wengert::detail
