#include "wengert/graph/pass.h"

#include <limits>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert {

std::string_view name_of(PassStage stage) {
  switch (stage) {
    case PassStage::kParameters:
      return "parameters";
    case PassStage::kLoss:
      return "loss";
    case PassStage::kGradients:
      return "gradients";
    case PassStage::kAfterStep:
      return "after step";
    case PassStage::kCapture:
      return "capture";
  }
  return "unknown";
}

// ---------------------------------------------------------------------------- roots

Var& Roots::at(std::string_view name, std::source_location where) {
  for (Root& root : roots_) {
    if (root.name == name) return root.value;
  }
  std::string known;
  for (const Root& root : roots_) known += (known.empty() ? "" : ", ") + root.name;
  throw Error(ErrorKind::kGraph, "Roots", "no root '" + std::string(name) + "'",
              known.empty() ? "there are no roots" : "there is " + known, where);
}

bool Roots::may_overwrite(const Root& root) const {
  const detail::Value* value = root.value.get();
  return value->counts == static_cast<std::uint64_t>(handles_) * detail::Value::kHandle &&
         value->serial == 0 && !value->has(detail::Value::kStrided) &&
         (value->has(detail::Value::kInline) ||
          (value->storage != nullptr && !value->storage->adopted &&
           value->storage->refs.load(std::memory_order_acquire) == 1));
}

// ---------------------------------------------------------------------------- words

std::vector<Explanation> PassContext::explanations() const {
  std::vector<Explanation> result;
  for (const Said& said : said_) result.push_back({said.pass, said.subject, said.words->make()});
  return result;
}

std::string PassContext::str() const {
  std::string text;
  for (const Explanation& explanation : explanations()) {
    text +=
        printable(explanation.pass + ": " + explanation.subject + ": " + explanation.text) + "\n";
  }
  return text;
}

void PassContext::keep(std::string_view pass, std::string_view name,
                       std::shared_ptr<const Later<double>> value) {
  for (Number& number : numbers_) {
    if (number.pass != pass || number.name != name) continue;
    number.value = std::move(value);
    return;
  }
  numbers_.push_back({std::string(pass), std::string(name), std::move(value)});
}

double PassContext::number(std::string_view pass, std::string_view name) const {
  for (const Number& number : numbers_) {
    if (number.pass == pass && number.name == name) return number.value->make();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// ---------------------------------------------------------------------------- running

namespace {

/// What is wrong with the roots that a pass left, or nothing.
std::string fault(const std::vector<Roots::Root>& before, const std::vector<Roots::Root>& after,
                  bool changed) {
  if (after.size() != before.size()) return "it took away or added roots";
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Roots::Root& old = before[i];
    const Roots::Root& now = after[i];
    if (now.name != old.name || now.parameter != old.parameter) {
      return "it renamed or reordered roots";
    }
    if (now.rows.get() != old.rows.get()) {
      return "it changed which rows the root '" + now.name + "' is";
    }
    if (!now.value.has_value()) return "it emptied the root '" + now.name + "'";
    if (now.value.get() == old.value.get()) continue;
    if (now.value.dtype() != old.value.dtype() || !(now.value.shape() == old.value.shape())) {
      return "it made the root '" + now.name + "' " +
             to_string(now.value.dtype(), now.value.shape()) + " from " +
             to_string(old.value.dtype(), old.value.shape());
    }
    if (!changed) return "it changed the root '" + now.name + "' and did not say so";
  }
  return {};
}

}  // namespace

bool Pass::run(Roots& roots, PassContext& context, std::source_location where) {
  const detail::CallSite site(where);
  const std::vector<Roots::Root> before = roots.roots_;
  ParameterSet* const parameters = roots.parameters;
  const std::size_t said = context.said_.size();
  ++roots.handles_;
  try {
    const bool changed = rewrite(roots, context);
    const std::string problem = fault(before, roots.roots_, changed);
    if (!problem.empty()) {
      throw Error(ErrorKind::kGraph, std::string(name()), problem,
                  "a pass replaces the values of roots by others of their shape and dtype");
    }
    --roots.handles_;
    return changed;
  } catch (...) {
    --roots.handles_;
    roots.roots_ = before;
    roots.parameters = parameters;
    context.said_.resize(said);
    throw;
  }
}

PassPipeline& PassPipeline::add(std::unique_ptr<Pass> pass) {
  passes_.push_back(std::move(pass));
  return *this;
}

bool PassPipeline::has(PassStage stage) const {
  for (const auto& pass : passes_) {
    if (pass->stage() == stage) return true;
  }
  return false;
}

bool PassPipeline::takes_rows() const {
  for (const auto& pass : passes_) {
    if (pass->stage() == PassStage::kGradients && !pass->takes_rows()) return false;
  }
  return true;
}

bool PassPipeline::run(PassStage stage, Roots& roots, PassContext& context,
                       std::source_location where) const {
  bool changed = false;
  for (const auto& pass : passes_) {
    if (pass->stage() == stage) changed |= pass->run(roots, context, where);
  }
  return changed;
}

}  // namespace wengert
