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
#include "wengert/optim/curves.h"
#include "wengert/optim/training/search.h"
#include "wengert/optim/training/text_columns.h"

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

/// Losses along one axis, in the order of its values.
Panel panel_of(const SearchAxis& axis, std::size_t k, const std::vector<TrialRecord>& trials) {
  Panel panel{axis.name(), (axis.is_log() ? "log10 " : "") + axis.name(), "loss", {}};
  if (axis.is_words()) {
    panel.x_label.clear();
    for (std::size_t i = 0; i < axis.all_words().size(); ++i) {
      panel.x_label += (i == 0 ? "" : ", ") + std::to_string(i) + " " + axis.all_words()[i];
    }
  }
  std::vector<std::pair<double, double>> points;
  for (const TrialRecord& record : trials) {
    if (record.failed()) continue;
    const double value = record.trial.values()[k];
    points.emplace_back(axis.is_log() ? std::log10(value) : value, record.loss);
  }
  std::sort(points.begin(), points.end());
  Curve curve{"trials", {}, {}};
  for (const auto& [x, y] : points) {
    curve.x.push_back(x);
    curve.y.push_back(y);
  }
  panel.curves.push_back(std::move(curve));
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
  Panel progress{"least loss so far", "trial", "loss", {{"least", {}, {}}}};
  double least = std::nan("");
  for (const TrialRecord& record : trials) {
    if (!record.failed() && !(least <= record.loss)) least = record.loss;
    progress.curves[0].x.push_back(static_cast<double>(record.trial.number() + 1));
    progress.curves[0].y.push_back(least);
  }
  std::vector<Panel> panels = {std::move(progress)};
  if (!trials.empty()) {
    const std::vector<SearchAxis>& axes = trials.front().trial.axes();
    for (std::size_t k = 0; k < axes.size(); ++k) panels.push_back(panel_of(axes[k], k, trials));
  }
  return line_chart(title, panels);
}

}  // namespace wengert::optim
