// The optimizers as a family tree.
//
// Shown: every method of the table at its year, with a line from each method that it builds on,
// coloured by what it adds to that one or changes. The program fails when the table has a method
// that is not here. Source: the papers that `wengert optimizers NAME` names; quasi-Newton methods:
// W. Davidon 1959; L-BFGS: J. Nocedal 1980; LARS: Y. You et al. 2017; AMSGrad, an option of Adam:
// S. Reddi et al. 2018.
// Look at: Adam, where momentum and a scale for each parameter meet, and how many begin there.
#include <wengert/optim/method.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "shared.h"

using namespace wengert;

/// `method` is its name in the table; empty: not a method of its own there.
struct Member {
  std::string_view title, method;
  int year;
};
// From the root up.
constexpr Member kMembers[] = {
    {"SGD", "sgd", 1951},           {"quasi-Newton", "", 1959},     {"L-BFGS", "lbfgs", 1980},
    {"momentum", "momentum", 1964}, {"Nesterov", "nesterov", 1983}, {"AdaGrad", "adagrad", 2011},
    {"AdaDelta", "adadelta", 2012}, {"RMSProp", "rmsprop", 2012},   {"Adam", "adam", 2015},
    {"AdaMax", "adamax", 2015},     {"Nadam", "nadam", 2016},       {"AMSGrad", "", 2018},
    {"RAdam", "radam", 2020},       {"AdamW", "adamw", 2019},       {"LARS", "", 2017},
    {"LAMB", "lamb", 2020},         {"Lion", "lion", 2023},
};

enum Added { kMomentum, kScale, kLimit, kCorrection, kDecay, kLength, kCurvature };
constexpr const char* kAdded[] = {"momentum, a look ahead",
                                  "a scale for each parameter",
                                  "a limit to memory",
                                  "a correction",
                                  "a decay beside the gradient",
                                  "a length of the step",
                                  "curvature"};

struct Line {
  std::string_view parent, child;
  Added added;
};
constexpr Line kLines[] = {{"SGD", "momentum", kMomentum},     {"momentum", "Nesterov", kMomentum},
                           {"RMSProp", "Adam", kMomentum},     {"Adam", "Nadam", kMomentum},
                           {"SGD", "AdaGrad", kScale},         {"momentum", "Adam", kScale},
                           {"Nesterov", "Nadam", kScale},      {"Adam", "AdaMax", kScale},
                           {"LARS", "LAMB", kScale},           {"AdaGrad", "AdaDelta", kLimit},
                           {"AdaGrad", "RMSProp", kLimit},     {"quasi-Newton", "L-BFGS", kLimit},
                           {"Adam", "AMSGrad", kCorrection},   {"Adam", "RAdam", kCorrection},
                           {"Adam", "AdamW", kDecay},          {"momentum", "LARS", kLength},
                           {"AdamW", "LAMB", kLength},         {"AdamW", "Lion", kLength},
                           {"SGD", "quasi-Newton", kCurvature}};

/// Its place from the root up; −1 where there is none.
int place_of(std::string_view title) {
  const auto* found = std::ranges::find(kMembers, title, &Member::title);
  return found == std::end(kMembers) ? -1 : static_cast<int>(found - kMembers);
}

/// Each line joins two members, forward in time; all but the root have a parent.
bool whole() {
  const auto fits = [](const Line& line) {
    const int parent = place_of(line.parent), child = place_of(line.child);
    return parent >= 0 && child >= 0 && kMembers[parent].year <= kMembers[child].year;
  };
  const auto has_parent = [](const Member& member) {
    return &member == kMembers || std::ranges::count(kLines, member.title, &Line::child) > 0;
  };
  return std::ranges::all_of(kLines, fits) && std::ranges::all_of(kMembers, has_parent);
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  std::size_t here = 0, dated = 0;
  const auto methods = optim::registered_methods();
  for (const optim::MethodDef* method : methods) {
    const auto* member = std::ranges::find(kMembers, method->name, &Member::method);
    if (member == std::end(kMembers)) {
      std::fprintf(stderr, "no %s in the tree\n", std::string(method->name).c_str());
      continue;
    }
    ++here;
    dated += std::string_view(method->doc.source).find(std::to_string(member->year)) !=
             std::string_view::npos;
  }
  std::printf("%zu of %zu methods are in the tree, with %zu others and %zu lines\n", here,
              methods.size(), std::size(kMembers) - here, std::size(kLines));
  std::printf("%zu years are those of the methods' own sources\n", dated);
  if (!whole()) std::fprintf(stderr, "a line leads nowhere or back in time\n");
  plot::Axis titles{"method", plot::Scale::kLinear, -0.6, std::size(kMembers) - 0.4};
  for (const Member& member : kMembers) titles.names.emplace_back(member.title);
  std::vector<plot::Curve> curves;
  std::array<bool, std::size(kAdded)> named{};
  for (const Line& line : kLines) {
    const int from = place_of(line.parent), to = place_of(line.child);
    curves.push_back({std::exchange(named[line.added], true) ? "" : kAdded[line.added],
                      {1.0 * kMembers[from].year, 1.0 * kMembers[to].year},
                      {1.0 * from, 1.0 * to},
                      plot::Mark::kPath,
                      line.added});
  }
  const plot::Axis all{"year", plot::Scale::kLinear, 1948, 2026},
      late{"year", plot::Scale::kLinear, 2010, 2024};
  run.save("method_family",
           {.title = "Optimizers as a family tree",
            .panels = {{.title = "All", .x = all, .y = titles, .curves = curves},
                       {.title = "Since 2010", .x = late, .y = titles, .curves = curves}},
            .caption = "A line leads from a method (ring) to one that builds on it (dot); its "
                       "colour is what that one adds or changes. Quasi-Newton methods and LARS are "
                       "not in the table of optimizers, AMSGrad is there as an option of Adam.",
            .plot_width = 520,
            .plot_height = 400});
  return here == methods.size() && whole() ? 0 : 1;
}
