#include "wengert/optim/curves.h"

#include <cctype>
#include <utility>

#include "wengert/plot/figure.h"

namespace wengert::optim {

std::string learning_curves(const std::string& title, const std::vector<EpochRecord>& history) {
  std::vector<std::string> names = {"loss"};
  if (!history.empty()) {
    for (const Metric& metric : history.front().train.metrics()) names.push_back(metric.name);
  }
  plot::Figure figure{.title = title};
  for (const std::string& name : names) {
    plot::Curve train{"training", {}, {}}, validation{"validation", {}, {}};
    for (const EpochRecord& record : history) {
      const auto epoch = static_cast<double>(record.epoch);
      train.x.push_back(epoch);
      train.y.push_back(record.train.value(name));
      if (!record.validation) continue;
      validation.x.push_back(epoch);
      validation.y.push_back(record.validation->value(name));
    }
    std::string heading = name;
    heading[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(heading[0])));
    plot::Panel panel{.title = heading, .x = {"epoch"}, .y = {name}, .curves = {train}};
    if (!validation.x.empty()) panel.curves.push_back(validation);
    figure.panels.push_back(std::move(panel));
  }
  return plot::to_svg(figure);
}

}  // namespace wengert::optim
