#include "wengert/testing/check_op.h"

#include <cmath>
#include <cstdio>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/testing/checker.h"

namespace wengert::testing {

std::string CheckReport::str() const {
  std::string text;
  for (const std::string& message : messages) text += message + "\n";
  return text + std::to_string(failures) + " of " + std::to_string(checks) +
         " checks failed; worst error of a derivative " + format_number(worst_error) + " (" +
         format_number(worst_ratio) + " of its tolerance)\n";
}

void OpChecker::expect(const Sample& sample, const std::string& what, const std::string& problem) {
  report("sample \"" + sample.name + "\", " + what, problem, " --sample \"" + sample.name + "\"");
}

void OpChecker::expect(const std::string& what, const std::string& problem) {
  report(what, problem, "");
}

void OpChecker::report(const std::string& what, const std::string& problem,
                       const std::string& selection) {
  ++report_.checks;
  if (problem.empty()) return;
  ++report_.failures;
  std::string message = std::string(op_.name) + ", " + what + ": " + problem;
  // The program knows the table's ops alone. One command for what fails together is enough.
  const std::string command =
      "build/release/wengert gradcheck --op " + std::string(op_.name) + selection;
  if (is_in_table(op_.name) && command != last_command_) {
    message += "\n  reproduce: " + command;
    last_command_ = command;
  }
  report_.messages.push_back(std::move(message));
}

bool OpChecker::is_argument(const Sample& sample, std::size_t i) const {
  return op_.differentiable != 0 && is_floating(sample.inputs[i].dtype()) &&
         op_.is_differentiable(static_cast<int>(i));
}

std::vector<std::size_t> OpChecker::arguments(const Sample& sample) const {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    if (is_argument(sample, i)) result.push_back(i);
  }
  return result;
}

namespace {

/// Runs one property; an exception out of it is a failure of it, not of the whole run.
template <class Property>
void guarded(OpChecker& checker, const std::string& what, const Property& property) {
  try {
    property();
  } catch (const std::exception& error) {
    checker.expect(what, std::string("threw ") + error.what());
  }
}

void check_sample(OpChecker& checker, const Sample& sample) {
  const std::string at = "sample \"" + sample.name + "\"";
  if (sample.large()) {
    guarded(checker, at, [&] { checker.check_large(sample); });
    return;
  }
  guarded(checker, at + ", values", [&] { checker.check_values(sample); });
  guarded(checker, at + ", records", [&] { checker.check_records(sample); });
  guarded(checker, at + ", gradients", [&] { checker.check_gradient_rules(sample); });
  guarded(checker, at + ", tangents", [&] { checker.check_tangents(sample); });
  guarded(checker, at + ", linearity", [&] { checker.look_at_linearity(sample); });
  if (sample.smooth) {
    guarded(checker, at + ", differences", [&] { checker.check_differences(sample); });
  }
}

/// What an op states, and large forms of an elementwise one that has none.
std::vector<Sample> samples_of(const OpDef& op, const OpTests& tests, bool has_large) {
  std::vector<Sample> samples = tests.samples;
  if (has_large || op.elementwise == nullptr) return samples;
  for (const Sample& sample : tests.samples) {
    std::vector<Sample> large = tiled(sample);
    if (large.empty()) continue;
    for (Sample& made : large) samples.push_back(std::move(made));
    break;
  }
  return samples;
}

/// Whatever a kernel of the op cuts, some sample cuts into two whole parts and a shorter one.
void check_splits(OpChecker& checker, const OpTests& tests) {
  if (!tests.small_only.empty()) return;
  for (int k = 0; k < static_cast<int>(kernels::Split::kCount); ++k) {
    const kernels::SplitCount seen = kernels::split_count(static_cast<kernels::Split>(k));
    if (seen.cuts == 0 || seen.shared) continue;
    checker.expect(std::string("splits, ") + seen.text,
                   seen.whole_and_rest
                       ? ""
                       : "no sample has two whole parts and a shorter one; at most " +
                             std::to_string(seen.largest) + " whole ones");
  }
}

}  // namespace

CheckReport check_op(const OpDef& op, const OpTests& tests, const CheckOptions& options) {
  OpChecker checker(op, tests, options);
  kernels::reset_splits();
  bool found = options.sample.empty();
  for (const Sample& sample : samples_of(op, tests, checker.has_large())) {
    if (!options.sample.empty() && sample.name != options.sample) continue;
    found = true;
    const int before = checker.report().checks;
    check_sample(checker, sample);
    if (options.verbose) {
      std::fprintf(stderr, "%s, sample \"%s\": %d checks\n", std::string(op.name).c_str(),
                   sample.name.c_str(), checker.report().checks - before);
    }
  }
  if (!found) checker.expect("samples", "there is no sample \"" + options.sample + "\"");
  if (!options.sample.empty()) return checker.report();

  for (std::size_t i = 0; i < tests.specials.size(); ++i) {
    guarded(checker, "special point " + std::to_string(i),
            [&] { checker.check_special(tests.specials[i]); });
  }
  checker.check_linear();
  for (const Rejected& rejected : tests.rejected) checker.check_rejected(rejected);
  if (!tests.samples.empty()) {
    guarded(checker, "empty inputs", [&] { checker.check_empty_inputs(tests.samples.front()); });
  }
  check_splits(checker, tests);
  checker.expect("samples", tests.samples.empty() ? "there are none" : "");
  checker.expect("large samples",
                 checker.has_large() || op.elementwise != nullptr || !tests.small_only.empty()
                     ? ""
                     : "there are none, state one, or in `small_only` why there is none");
  checker.expect("rejected inputs",
                 tests.rejected.size() >= 3 || !tests.exempt.empty()
                     ? ""
                     : "there are " + std::to_string(tests.rejected.size()) +
                           ", state at least three, or in `exempt` why there are fewer");
  return checker.report();
}

}  // namespace wengert::testing
