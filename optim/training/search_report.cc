#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"
#include "wengert/optim/training/search.h"
#include "wengert/optim/training/text_columns.h"
#include "wengert/plot/figure.h"

namespace wengert::optim {
namespace {

std::string number_text(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

/// Indices of the trials, the best first, those that failed last.
std::vector<std::size_t> by_loss(const std::vector<TrialRecord>& trials) {
  std::vector<std::size_t> order(trials.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (trials[a].failed() || trials[b].failed()) return !trials[a].failed() && trials[b].failed();
    return trials[a].loss < trials[b].loss;
  });
  return order;
}

/// Losses along one axis of the search.
plot::Panel panel_of(const SearchAxis& axis, std::size_t k,
                     const std::vector<TrialRecord>& trials) {
  plot::Panel panel{.title = axis.name(), .x = {.label = axis.name()}, .y = {.label = "loss"}};
  if (axis.is_log()) panel.x.scale = plot::Scale::kLog;
  if (axis.is_words()) panel.x.names = axis.all_words();
  plot::Curve points{.name = "trials", .mark = plot::Mark::kPoints};
  for (const TrialRecord& record : trials) {
    if (record.failed()) continue;
    points.x.push_back(record.trial.values()[k]);
    points.y.push_back(record.loss);
  }
  panel.curves.push_back(std::move(points));
  return panel;
}

}  // namespace

const TrialRecord* SearchResult::best() const {
  const TrialRecord* best = nullptr;
  for (const TrialRecord& record : trials) {
    if (record.failed()) continue;
    if (best == nullptr || record.loss < best->loss) best = &record;
  }
  return best;
}

std::string SearchResult::line(const TrialRecord& record) const {
  std::string text = "trial " + std::to_string(record.trial.number() + 1) + " of " +
                     std::to_string(wanted) + ": " + printable(record.trial.str()) + ": ";
  text += record.failed() ? "failed, " + record.error : "loss " + format_number(record.loss);
  if (const TrialRecord* least = best()) {
    text += " (best " + format_number(least->loss) + ", trial " +
            std::to_string(least->trial.number() + 1) + ")";
  }
  return text;
}

std::string SearchResult::str() const {
  std::size_t failures = 0;
  for (const TrialRecord& record : trials) failures += record.failed();
  std::string text = std::to_string(trials.size()) + " of " + std::to_string(wanted) + " trials";
  if (failures > 0) text += ", " + std::to_string(failures) + " of them failed";
  if (stopped) text += ", stopped";
  text += "\n";
  if (trials.empty()) return text;
  std::vector<std::vector<std::string>> rows = {{"trial"}};
  const std::vector<SearchAxis>& axes = trials.front().trial.axes();
  for (const SearchAxis& axis : axes) rows[0].push_back(printable(axis.name()));
  rows[0].insert(rows[0].end(), {"loss", "seconds"});
  for (const std::size_t i : by_loss(trials)) {
    const TrialRecord& record = trials[i];
    std::vector<std::string> row = {std::to_string(record.trial.number() + 1)};
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const double value = record.trial.values()[k];
      row.push_back(axes[k].is_words() ? printable(axes[k].text(value)) : format_number(value));
    }
    row.push_back(record.failed() ? "failed" : format_number(record.loss, 6));
    row.push_back(fixed_number(record.seconds, 2));
    if (record.failed()) row.push_back(record.error);
    rows.push_back(std::move(row));
  }
  return text + text_columns(rows);
}

std::string SearchResult::json() const {
  using wengert::detail::quote_json;
  const TrialRecord* least = best();
  std::string text = "{\"wanted\":" + std::to_string(wanted) + ",\"best\":" +
                     (least == nullptr ? "null" : std::to_string(least->trial.number())) +
                     ",\"trials\":[";
  for (const TrialRecord& record : trials) {
    if (&record != &trials.front()) text += ",";
    text += "\n{\"trial\":" + std::to_string(record.trial.number()) + ",\"values\":{";
    const std::vector<SearchAxis>& axes = record.trial.axes();
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const std::string value = axes[k].text(record.trial.values()[k]);
      text += (k == 0 ? "" : ",") + quote_json(axes[k].name()) + ":" +
              (axes[k].is_words() ? quote_json(value) : value);
    }
    text += "},\"loss\":" + (record.failed() ? "null" : number_text(record.loss)) +
            ",\"seconds\":" + number_text(record.seconds) +
            ",\"error\":" + (record.failed() ? quote_json(record.error) : "null") + "}";
  }
  return text + "]}\n";
}

std::string SearchResult::picture(const std::string& title) const {
  plot::Curve progress{.name = "least"};
  double least = std::nan("");
  for (const TrialRecord& record : trials) {
    if (!record.failed() && !(least <= record.loss)) least = record.loss;
    progress.x.push_back(static_cast<double>(record.trial.number() + 1));
    progress.y.push_back(least);
  }
  plot::Figure figure{.title = title};
  figure.panels.push_back({.title = "least loss so far",
                           .x = {.label = "trial"},
                           .y = {.label = "loss"},
                           .curves = {std::move(progress)}});
  if (!trials.empty()) {
    const std::vector<SearchAxis>& axes = trials.front().trial.axes();
    for (std::size_t k = 0; k < axes.size(); ++k) {
      figure.panels.push_back(panel_of(axes[k], k, trials));
    }
    if (figure.panels.size() > 4) figure.columns = 3;
  }
  return plot::to_svg(figure);
}

}  // namespace wengert::optim
