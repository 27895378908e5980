#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"

namespace wengert {

/// Which parameters a pass or a group of options is about: any predicate over a Parameter, which
/// may capture. Copies share the predicate.
class ParameterFilter {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, ParameterFilter> &&
           std::is_invocable_r_v<bool, const std::remove_cvref_t<F>&, const Parameter&>)
      ParameterFilter(F&& accepts)
      : predicate_(std::make_shared<Holder<std::decay_t<F>>>(std::forward<F>(accepts))) {}

  bool operator()(const Parameter& parameter) const { return predicate_->accepts(parameter); }

 private:
  struct Predicate {
    virtual ~Predicate() = default;
    virtual bool accepts(const Parameter& parameter) const = 0;
  };
  template <class F>
  struct Holder final : Predicate {
    explicit Holder(F f) : f(std::move(f)) {}
    bool accepts(const Parameter& parameter) const override { return f(parameter); }
    F f;
  };
  std::shared_ptr<const Predicate> predicate_;
};

/// Matrices and higher: weights, not biases or gains. The usual choice for penalties.
WENGERT_API bool is_weight(const Parameter& parameter);
WENGERT_API bool is_any_parameter(const Parameter& parameter);
/// Whether a name fits a pattern, in which `*` stands for any characters, none included.
WENGERT_API bool name_fits(std::string_view name, std::string_view pattern);
/// By full name, as name_fits has it: named("encoder/*/weight").
WENGERT_API ParameterFilter named(std::string pattern);

/// Freezes the trained parameters that `filter` accepts: from the next tape on they enter graphs as
/// constants, and optimizers leave them. Gives their names, in order of creation.
WENGERT_API std::vector<std::string> freeze(ParameterSet& parameters,
                                            const ParameterFilter& filter);
/// Lets frozen parameters that `filter` accepts be trained again; gives their names.
WENGERT_API std::vector<std::string> thaw(ParameterSet& parameters, const ParameterFilter& filter);

}  // namespace wengert
