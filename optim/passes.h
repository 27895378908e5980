#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/api.h"
#include "wengert/graph/captured_graph.h"
#include "wengert/graph/pass.h"
#include "wengert/optim/options.h"

namespace wengert::optim {

/// The record of a pass; docs/adding_a_pass.md tells how to write one.
struct PassDef {
  std::string_view name;
  Documentation doc = {};
  PassStage stage = PassStage::kLoss;
  bool takes_rows = false;  ///< of gradients: see Pass::takes_rows
  const std::vector<OptionDef>& (*options)() = nullptr;
  /// As Pass::rewrite; `filter` says which parameters it is about.
  bool (*rewrite)(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                  PassContext& context) = nullptr;
};

/// A pass of the table with its options.
class WENGERT_API TablePass : public Pass {
 public:
  /// Throws Error(kValue) on options outside their ranges.
  TablePass(const PassDef& def, ParameterFilter filter, OptionValues options,
            std::source_location where = std::source_location::current());
  std::string_view name() const override { return def_.name; }
  PassStage stage() const override { return def_.stage; }
  bool takes_rows() const override { return def_.takes_rows; }
  const PassDef& def() const { return def_; }
  const OptionValues& option_values() const { return options_; }

 private:
  bool rewrite(Roots& roots, PassContext& context) override;
  const PassDef& def_;
  ParameterFilter filter_;
  OptionValues options_;
};

// The passes of the table: L2Penalty({.lambda = 1e-4}, named("fc1/*")). `wengert passes NAME`
// prints what each does and what its options are.
#define WENGERT_PASS_MEMBERS(...) __VA_ARGS__
#define PASS(name, Class, touches, members)                                                       \
  class WENGERT_API Class : public TablePass {                                                    \
   public:                                                                                        \
    struct Options {                                                                              \
      WENGERT_PASS_MEMBERS members                                                                \
    };                                                                                            \
    explicit Class(Options options, std::source_location where = std::source_location::current()) \
        : Class(options, touches, where) {}                                                       \
    Class(Options options, ParameterFilter filter,                                                \
          std::source_location where = std::source_location::current());                          \
  };
#include "wengert/optim/passes.def"
#undef PASS

/// All in the order of the table.
WENGERT_API std::vector<const PassDef*> registered_passes();
/// By name, with its default options but those set. Throws Error(kValue) on an unknown name or
/// option, and on values outside an option's range.
WENGERT_API std::unique_ptr<Pass> make_pass(
    std::string_view name, const std::vector<OptionSetting>& settings = {},
    std::source_location where = std::source_location::current());

/// Runs the passes over what layers are to use in the place of parameters: each floating parameter
/// is a root of its name. Gives the roots that were replaced, for a ParameterOverride around the
/// forward pass.
WENGERT_API std::vector<std::pair<std::string, Var>> run_on_parameters(
    const PassPipeline& passes, ParameterSet& parameters, PassContext& context,
    std::source_location where = std::source_location::current());

/// Runs the passes over a captured graph: Roots::graph is it, and there are no roots. It is tidied
/// after a change. Whether anything changed. Throws what a pass throws; the graph is as it was
/// then.
WENGERT_API bool run_on_capture(const PassPipeline& passes, CapturedGraph& graph,
                                PassContext& context,
                                std::source_location where = std::source_location::current());

/// Runs the passes over finished gradients: each parameter's gradient is a root of its name.
/// Whether any changed one. Where a pass does not take rows, gradients of a few rows are made
/// dense. Gradients that are not recorded are worked on unrecorded, in their own
/// memory where nobody else holds it. Passes that draw do so from the streams of `parameters`; the
/// draws take effect with the gradients' step. Throws what a pass throws; the gradients that it was
/// about are then as the passes before it left them.
WENGERT_API bool run_on_gradients(const PassPipeline& passes, Gradients& gradients,
                                  PassContext& context, ParameterSet* parameters = nullptr,
                                  std::source_location where = std::source_location::current());

/// Runs the passes over the parameters' values after a step, unrecorded: each trainable parameter
/// is a root of its name, and a root that is replaced is written into its parameter. Whether any
/// was. Throws what a pass throws; no parameter is written then.
WENGERT_API bool run_after_step(const PassPipeline& passes, ParameterSet& parameters,
                                PassContext& context,
                                std::source_location where = std::source_location::current());

}  // namespace wengert::optim
