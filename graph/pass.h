#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/var.h"

namespace wengert {

/// What a pass works on: named values and the parameters behind them. Over a loss the roots are
/// what will be differentiated; over gradients they are one finished gradient per parameter. The
/// graph below a root is the live tape (or nothing, for unrecorded gradients). A pass appends ops
/// and replaces roots; it never edits recorded nodes.
class WENGERT_API Graph {
 public:
  struct Root {
    std::string name;  ///< "loss", or the parameter's name
    Var value;
    Parameter* parameter;  ///< null unless a gradient
  };

  std::vector<Root>& roots() { return roots_; }
  const std::vector<Root>& roots() const { return roots_; }
  void add(std::string name, Var value, Parameter* parameter = nullptr) {
    roots_.push_back({std::move(name), std::move(value), parameter});
  }
  /// The value of a root. Throws Error(kGraph) when there is none of that name.
  Var& at(std::string_view name, std::source_location where = std::source_location::current());
  /// The parameters that passes over a loss may read; null where there are none.
  ParameterSet* parameters = nullptr;

 private:
  std::vector<Root> roots_;
};

/// One change that a pass made, in words for logs and pictures.
struct Explanation {
  std::string pass;
  std::string subject;  ///< a root's or parameter's name
  std::string text;     ///< what was done and why, with numbers
};

/// Collects what passes say.
class WENGERT_API PassContext {
 public:
  void explain(std::string_view pass, std::string_view subject, std::string text) {
    explanations_.push_back({std::string(pass), std::string(subject), std::move(text)});
  }
  const std::vector<Explanation>& explanations() const { return explanations_; }
  void clear() { explanations_.clear(); }
  /// "pass: subject: text", a line each.
  std::string str() const;

 private:
  std::vector<Explanation> explanations_;
};

/// A rewrite or an analysis of a graph, with a name and an account of what it did.
class WENGERT_API Pass {
 public:
  virtual ~Pass() = default;
  virtual std::string_view name() const = 0;
  /// Whether anything changed. Throws Error on graphs it cannot work on, leaving them as they were.
  virtual bool run(Graph& graph, PassContext& context) = 0;
};

/// Passes in order.
class WENGERT_API PassPipeline {
 public:
  PassPipeline() = default;
  PassPipeline& add(std::unique_ptr<Pass> pass);
  bool empty() const { return passes_.empty(); }
  /// Runs all; whether any changed the graph.
  bool run(Graph& graph, PassContext& context) const;

 private:
  std::vector<std::unique_ptr<Pass>> passes_;
};

}  // namespace wengert
