#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/var.h"

namespace wengert {

class CapturedGraph;

/// When in a training step a pass runs, and so what its roots are.
enum class PassStage : std::uint8_t {
  kParameters,  ///< before the forward pass: what layers use, one root a parameter
  kLoss,        ///< the root "loss", which will be differentiated
  kGradients,   ///< finished gradients, one root a parameter
  kAfterStep,   ///< the parameters' new values, one root a parameter
  kCapture,     ///< a captured copy, whose nodes may be rewritten
};
/// "parameters", "loss", "gradients", "after step", "capture".
WENGERT_API std::string_view name_of(PassStage stage);

/// What a pass works on: named values and the parameters behind them. The graph below a root is the
/// live tape, or nothing where nothing was recorded. A pass appends ops and replaces the values of
/// roots; it never edits recorded nodes.
class WENGERT_API Roots {
 public:
  struct Root {
    std::string name;  ///< "loss", or the parameter's name
    Var value;
    Parameter* parameter;  ///< null where the root is not one of a parameter
    /// Of a gradient of a few rows their positions along axis 0, int64 [k], each once and
    /// ascending: `value` is then [k, …] and the other rows are zero. Else empty.
    Var rows = {};
  };

  std::vector<Root>& all() { return roots_; }
  const std::vector<Root>& all() const { return roots_; }
  bool empty() const { return roots_.empty(); }
  void add(std::string name, Var value, Parameter* parameter = nullptr) {
    roots_.push_back({std::move(name), std::move(value), parameter});
  }
  /// The value of a root. Throws Error(kGraph) when there is none of that name.
  Var& at(std::string_view name, std::source_location where = std::source_location::current());
  /// Whether a pass that has nothing left to fail may write into the root's memory: an unrecorded
  /// dense value that nobody else holds.
  bool may_overwrite(const Root& root) const;
  /// The set that passes over a loss may read and passes draw from; null where there is none.
  ParameterSet* parameters = nullptr;
  /// Of the stage of captured copies: what is rewritten, without roots of names. Else null.
  CapturedGraph* graph = nullptr;

 private:
  friend class Pass;
  std::vector<Root> roots_;
  int handles_ = 1;  ///< that the roots and who runs passes over them have of each value
};

/// One change that a pass made, in words for logs and pictures.
struct Explanation {
  std::string pass;
  std::string subject;  ///< a root's or parameter's name
  std::string text;     ///< what was done and why, with numbers
};

/// Collects what passes say. Words are made when somebody reads them, in most steps never.
class WENGERT_API PassContext {
 public:
  /// `words` is a text, or a callable that gives one: it captures what it tells, by value, and may
  /// read no memory that training writes.
  template <class Words>
  void explain(std::string_view pass, std::string_view subject, Words words) {
    if constexpr (std::is_invocable_r_v<std::string, const Words&>) {
      said_.push_back({std::string(pass), std::string(subject),
                       std::make_shared<Holder<Words, std::string>>(std::move(words))});
    } else {
      explain(pass, subject, [text = std::string(std::move(words))] { return text; });
    }
  }
  std::vector<Explanation> explanations() const;
  /// "pass: subject: text", a line each.
  std::string str() const;

  /// A number that the pass met, such as a norm; `value` is a double or a callable that gives one.
  /// A later report of that pass and name takes the place of an earlier one.
  template <class Value>
  void report(std::string_view pass, std::string_view name, Value value) {
    if constexpr (std::is_invocable_r_v<double, const Value&>) {
      keep(pass, name, std::make_shared<Holder<Value, double>>(std::move(value)));
    } else {
      report(pass, name, [value = static_cast<double>(value)] { return value; });
    }
  }
  /// NaN where no pass reported it.
  double number(std::string_view pass, std::string_view name) const;

  void clear() {
    said_.clear();
    numbers_.clear();
  }

 private:
  friend class Pass;
  template <class Result>
  struct Later {
    virtual ~Later() = default;
    virtual Result make() const = 0;
  };
  template <class F, class Result>
  struct Holder final : Later<Result> {
    explicit Holder(F f) : f(std::move(f)) {}
    Result make() const override { return f(); }
    F f;
  };
  struct Said {
    std::string pass, subject;
    std::shared_ptr<const Later<std::string>> words;
  };
  struct Number {
    std::string pass, name;
    std::shared_ptr<const Later<double>> value;
  };
  void keep(std::string_view pass, std::string_view name,
            std::shared_ptr<const Later<double>> value);
  std::vector<Said> said_;
  std::vector<Number> numbers_;
};

/// A rewrite or an analysis at one stage of a step, with a name and an account of what it did.
class WENGERT_API Pass {
 public:
  virtual ~Pass() = default;
  virtual std::string_view name() const = 0;
  virtual PassStage stage() const = 0;
  /// Whether its work on gradients is right on gradients of a few rows as they are: the same for
  /// every element, and zeros stay zero. Others get them dense.
  virtual bool takes_rows() const { return false; }
  /// Runs the pass; whether anything changed. Throws what the pass throws, and Error(kGraph) when
  /// it took away, added, renamed or reordered roots, gave one another shape or dtype, or changed
  /// one and did not say so; the roots are then as they were.
  bool run(Roots& roots, PassContext& context,
           std::source_location where = std::source_location::current());

 private:
  /// The work of run(). What it throws may leave the roots in any state.
  virtual bool rewrite(Roots& roots, PassContext& context) = 0;
};

/// Passes in order.
class WENGERT_API PassPipeline {
 public:
  PassPipeline& add(std::unique_ptr<Pass> pass);
  /// add<L2Penalty>({.lambda = 1e-4})
  template <class P>
  PassPipeline& add(typename P::Options options,
                    std::source_location where = std::source_location::current()) {
    return add(std::make_unique<P>(options, where));
  }
  bool empty() const { return passes_.empty(); }
  bool has(PassStage stage) const;
  /// Whether all passes over gradients take rows.
  bool takes_rows() const;
  /// Runs those of a stage; whether any changed a root.
  bool run(PassStage stage, Roots& roots, PassContext& context,
           std::source_location where = std::source_location::current()) const;

 private:
  std::vector<std::unique_ptr<Pass>> passes_;
};

}  // namespace wengert
