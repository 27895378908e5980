#include "wengert/optim/passes.h"

#include <algorithm>
#include <cstring>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

TablePass::TablePass(const PassDef& def, ParameterFilter filter, OptionValues options,
                     std::source_location where)
    : def_(def), filter_(std::move(filter)), options_(std::move(options)) {
  const detail::CallSite site(where);
  check_options(def_.options(), options_, name());
}

bool TablePass::rewrite(Roots& roots, PassContext& context) {
  if (def_.stage == PassStage::kCapture && roots.graph == nullptr) {
    throw Error(ErrorKind::kGraph, std::string(name()), "there is no captured graph",
                "run it by run_on_capture");
  }
  return def_.rewrite(options_, filter_, roots, context);
}

std::vector<const PassDef*> registered_passes() {
  return {
#define PASS(name, Class, touches, members) &name##_pass,
#include "wengert/optim/passes.def"
#undef PASS
  };
}

std::unique_ptr<Pass> make_pass(std::string_view name, const std::vector<OptionSetting>& settings,
                                std::source_location where) {
  const detail::CallSite site(where);
#define PASS(pass, Class, touches, members)                                                 \
  if (name == #pass) {                                                                      \
    return std::make_unique<TablePass>(                                                     \
        pass##_pass, touches, optim::option_values(pass##_pass.options(), settings, name)); \
  }
#include "wengert/optim/passes.def"
#undef PASS
  std::vector<std::string> names;
  for (const PassDef* pass : registered_passes()) {
    names.emplace_back(pass->name);
  }
  throw Error(ErrorKind::kValue, "pass", "no pass named '" + std::string(name) + "'",
              advice_on_name(name, names));
}

// ---------------------------------------------------------------------------- the stages

std::vector<std::pair<std::string, Var>> run_on_parameters(const PassPipeline& passes,
                                                           ParameterSet& parameters,
                                                           PassContext& context,
                                                           std::source_location where) {
  const detail::CallSite site(where);
  std::vector<std::pair<std::string, Var>> replaced;
  if (!passes.has(PassStage::kParameters)) return replaced;
  Roots roots;
  roots.parameters = &parameters;
  for (Parameter* parameter : parameters.all()) {
    if (!is_floating(parameter->value().dtype())) continue;
    roots.add(parameter->name(), use(*parameter, where), parameter);
  }
  const std::vector<Roots::Root> before = roots.all();
  passes.run(PassStage::kParameters, roots, context);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Roots::Root& root = roots.all()[i];
    if (root.value.get() != before[i].value.get()) replaced.emplace_back(root.name, root.value);
  }
  return replaced;
}

bool run_on_capture(const PassPipeline& passes, CapturedGraph& graph, PassContext& context,
                    std::source_location where) {
  const detail::CallSite site(where);
  if (!passes.has(PassStage::kCapture)) return false;
  CapturedGraph rewritten = graph.clone();
  Roots roots;
  roots.graph = &rewritten;
  if (!passes.run(PassStage::kCapture, roots, context)) return false;
  rewritten.tidy(where);
  graph = std::move(rewritten);
  return true;
}

bool run_on_gradients(const PassPipeline& passes, Gradients& gradients, PassContext& context,
                      ParameterSet* parameters, std::source_location where) {
  const detail::CallSite site(where);
  if (!passes.has(PassStage::kGradients)) return false;
  Roots roots;
  roots.parameters = parameters;
  bool recorded = false;
  std::vector<Gradients::Entry*> entries;
  for (Gradients::Entry& entry : gradients.entries()) {
    if (entry.parameter == nullptr) continue;
    recorded |= entry.gradient.stored().requires_grad();
    entries.push_back(&entry);
  }
  const bool takes_rows = passes.takes_rows();
  // Moved, not copied: a gradient that nobody else holds may be written in place.
  for (Gradients::Entry* entry : entries) {
    Gradient& gradient = entry->gradient;
    if (gradient.is_rows() && !takes_rows) gradient = gradient.dense();
    Var rows = gradient.is_rows() ? Var(gradient.indices()) : Var();
    roots.add(entry->parameter->name(), std::move(gradient.stored()), entry->parameter);
    roots.all().back().rows = std::move(rows);
  }
  struct PutBack {
    Roots& roots;
    std::vector<Gradients::Entry*>& entries;
    ~PutBack() {
      for (std::size_t i = 0; i < entries.size(); ++i) {
        entries[i]->gradient.stored() = std::move(roots.all()[i].value);
      }
    }
  } put_back{roots, entries};
  if (recorded) {  // on the tape of the gradients, if that lives: what is drawn waits there
    const bool changed = passes.run(PassStage::kGradients, roots, context);
    const Tape* live = Tape::current();
    if (parameters != nullptr && live != nullptr) gradients.append_updates(live->updates());
    return changed;
  }
  if (parameters == nullptr) {
    const NoGrad off;
    return passes.run(PassStage::kGradients, roots, context);
  }
  Tape draws;  // they take effect with the step that the gradients are of
  draws.start_after(gradients.updates());
  const NoGrad off;
  bool changed = false;
  try {
    changed = passes.run(PassStage::kGradients, roots, context);
  } catch (...) {  // what passes before it drew is in the gradients
    gradients.append_updates(draws.updates());
    throw;
  }
  if (!draws.updates().empty()) gradients.append_updates(draws.updates());
  return changed;
}

bool run_after_step(const PassPipeline& passes, ParameterSet& parameters, PassContext& context,
                    std::source_location where) {
  const detail::CallSite site(where);
  if (!passes.has(PassStage::kAfterStep)) return false;
  const NoGrad off;
  Roots roots;
  roots.parameters = &parameters;
  for (Parameter* parameter : parameters.all()) {
    if (parameter->trainable()) roots.add(parameter->name(), parameter->value(), parameter);
  }
  if (!passes.run(PassStage::kAfterStep, roots, context)) return false;
  std::vector<const detail::Storage*> theirs;  // values may be other parameters' own
  for (const Parameter* parameter : parameters.all()) {
    theirs.push_back(parameter->value().storage());
  }
  std::vector<std::pair<Parameter*, Tensor>> written;
  for (const Roots::Root& root : roots.all()) {
    const Tensor value = root.value.value();
    if (value.data() == root.parameter->value().data()) continue;
    const bool shared = std::find(theirs.begin(), theirs.end(), value.storage()) != theirs.end();
    written.emplace_back(root.parameter, shared ? value.clone() : value.contiguous());
  }
  for (auto& [parameter, value] : written) {
    const WriteGuard guard(parameter->mutable_value(), "run_after_step", where);
    std::memcpy(guard.data(), value.data(),
                static_cast<std::size_t>(value.element_count()) * size_of(value.dtype()));
  }
  return !written.empty();
}

}  // namespace wengert::optim
