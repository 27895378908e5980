#pragma once

// Private to the library.

#include <initializer_list>
#include <memory>
#include <utility>

#include "wengert/optim/options.h"

// How a file states the options of its optimizer or pass once:
//
//     WENGERT_OPTIONS(Adam) {
//       option("rate", o.rate, kNotNegative, "η, the step size");
//       option("amsgrad", o.amsgrad, "whether …");
//       option("epsilon_place", o.epsilon_place, kEpsilonPlaces, "where ε stands");
//       option("milestones", o.milestones, ListKind::kRising, kNotNegative, "steps at which …");
//     }
//
// in the order of `Adam::Options`, every member of it. From this follow the list with defaults,
// range checks, and reading and writing by name.
namespace wengert::optim {

using Words = std::span<const std::string_view>;
inline constexpr std::string_view kFlagWords[] = {"false", "true"};
inline constexpr std::string_view kEpsilonPlaces[] = {"outside", "inside"};
inline constexpr std::string_view kEpsilonOrders[] = {"after", "before"};
inline constexpr std::string_view kAmsGrads[] = {"off", "corrected", "uncorrected"};
inline constexpr std::string_view kAnneals[] = {"cosine", "linear"};
inline constexpr std::string_view kRatePlaces[] = {"inside", "outside"};
inline constexpr std::string_view kL2Forms[] = {"half", "full"};
inline constexpr std::string_view kNormOrders[] = {"1", "2"};
inline constexpr std::string_view kProjections[] = {"above", "always"};
inline constexpr std::string_view kUnitAxes[] = {"last", "first"};
inline constexpr std::string_view kDecays[] = {"weights", "all"};

/// Specialized by WENGERT_OPTIONS.
template <class Class>
struct OptionsOf;

#define WENGERT_OPTIONS(Class)                                        \
  template <>                                                         \
  struct OptionsOf<Class> {                                           \
    template <class Options, class Visitor>                           \
    static constexpr void visit(Options& o, Visitor&& option);        \
  };                                                                  \
  template <class Options, class Visitor>                             \
  constexpr void OptionsOf<Class>::visit([[maybe_unused]] Options& o, \
                                         [[maybe_unused]] Visitor&& option)

namespace options_of {

/// Converts to anything, so that aggregates tell how many members they have.
struct Anything {
  template <class T>
  operator T() const;
};
template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}
template <class T, std::size_t kCount = 0>
constexpr std::size_t member_count() {
  if constexpr (std::is_empty_v<T>) {
    return 0;
  } else if constexpr (takes<T>(std::make_index_sequence<kCount + 1>())) {
    return member_count<T, kCount + 1>();
  } else {
    return kCount;
  }
}

template <class Class>
constexpr std::size_t stated_count() {
  typename Class::Options options{};
  std::size_t count = 0;
  OptionsOf<Class>::visit(options, [&count](auto&&...) { ++count; });
  return count;
}

struct Lister {
  std::vector<OptionDef>& list;
  void operator()(const char* name, double value, Range range, const char* doc) const {
    list.push_back({name, doc, value, range});
  }
  void operator()(const char* name, const std::vector<double>& value, ListKind kind, Range range,
                  const char* doc) const {
    list.push_back({name, doc, value, range, {}, kind});
  }
  void operator()(const char* name, bool value, const char* doc) const {
    list.push_back({name, doc, value ? 1.0 : 0.0, {0, 1, false, false}, kFlagWords});
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E value, Words words, const char* doc) const {
    list.push_back({name, doc, static_cast<double>(value), {0, 1, false, false}, words});
  }
};

}  // namespace options_of

/// The options of a class with their defaults.
template <class Class>
const std::vector<OptionDef>& list_options() {
  static_assert(
      options_of::stated_count<Class>() == options_of::member_count<typename Class::Options>(),
      "WENGERT_OPTIONS states every member of Options once");
  // Lives on: who runs at exit may train.
  static const auto* const list = [] {
    auto result = std::make_unique<std::vector<OptionDef>>();
    const typename Class::Options defaults{};
    OptionsOf<Class>::visit(defaults, options_of::Lister{*result});
    return result.release();
  }();
  return *list;
}

template <class Class>
OptionValues values_of(const typename Class::Options& options) {
  OptionValues values;
  OptionsOf<Class>::visit(options, [&values]<class T>(const char*, const T& member, auto&&...) {
    if constexpr (std::is_class_v<T>) {
      values.emplace_back(member);
    } else {
      values.emplace_back(static_cast<double>(member));
    }
  });
  return values;
}

template <class Class>
typename Class::Options options_as(const OptionValues& values) {
  typename Class::Options options{};
  std::size_t k = 0;
  OptionsOf<Class>::visit(options, [&values, &k]<class T>(const char*, T& member, auto&&...) {
    if constexpr (std::is_class_v<T>) {
      member = values[k++].list();
    } else {
      member = static_cast<T>(static_cast<double>(values[k++]));
    }
  });
  return options;
}

}  // namespace wengert::optim
