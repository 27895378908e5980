#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/plot_tables.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/file.h"

namespace wengert::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Subject {
  std::string_view name;
  plot::Figure (*figure)();
};

constexpr Subject kSubjects[] = {{"activations", figure_of_activations},
                                 {"losses", figure_of_losses},
                                 {"schedules", figure_of_schedules},
                                 {"initializers", figure_of_initializers}};

const Subject& find_subject(const std::string& name) {
  std::vector<std::string> names;
  for (const Subject& subject : kSubjects) {
    if (subject.name == name) return subject;
    names.emplace_back(subject.name);
  }
  const std::string close = closest(name, names);
  throw Error(ErrorKind::kValue, "plot", "there is nothing to draw called '" + name + "'",
              close.empty() ? "choose activations, losses, schedules or initializers"
                            : "did you mean '" + close + "'?");
}

Json as_json(const plot::Figure& figure) {
  Json panels = Json::array();
  for (const plot::Panel& panel : figure.panels) {
    Json one = {{"title", panel.title}, {"x", panel.x.label}, {"y", panel.y.label}};
    one["curves"] = Json::array();
    for (const plot::Curve& curve : panel.curves) {
      one["curves"].push_back({{"name", curve.name}, {"x", curve.x}, {"y", curve.y}});
    }
    one["bands"] = Json::array();
    for (const plot::Band& band : panel.bands) {
      one["bands"].push_back(
          {{"name", band.name}, {"x", band.x}, {"low", band.low}, {"high", band.high}});
    }
    panels.push_back(std::move(one));
  }
  return {{"title", figure.title}, {"panels", std::move(panels)}};
}

void run(const std::string& what, const std::string& output, bool json) {
  const plot::Figure figure = find_subject(what).figure();
  if (json) {
    print_json(as_json(figure));
    return;
  }
  const std::string picture = plot::to_svg(figure);
  if (output.empty() || output == "-") {
    std::fwrite(picture.data(), 1, picture.size(), stdout);
  } else {
    io::write_file_atomically(output, picture);
  }
}

}  // namespace

void add_plot(Program& program) {
  Command command = program.command(
      "plot", "Draw every activation, loss, schedule or initializer of the tables as SVG");
  auto what = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command.option("WHAT", *what, "activations, losses, schedules or initializers").required();
  const Argument file =
      command.option("-o,--output", *output, "the SVG file; standard output when left out");
  command.flag("--json", *json, "print the numbers as JSON: title, panels").excludes(file);
  command.example("wengert plot activations -o activations.svg").runs([=] {
    run(*what, *output, *json);
  });
}

}  // namespace wengert::tools
