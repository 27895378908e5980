#include "wengert/optim/curves.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"

namespace wengert::optim {
namespace {

// All in pixels.
constexpr double kPlotWidth = 380, kPlotHeight = 260;
constexpr double kLeft = 70, kRight = 20, kTop = 92, kBottom = 56;
constexpr double kLegendTop = 72, kLegendRow = 18, kLegendGap = 18;
constexpr double kPanelWidth = kLeft + kPlotWidth + kRight;
constexpr double kLegendLine = 24, kLetter = 6.8;  // at 12 px; wider than most fonts' average

constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#000000"};
constexpr const char* kDashes[] = {"", "7 3", "2 3", "9 3 2 3"};

std::string number(double value, int decimals = 2) { return fixed_number(value, decimals); }

// Bytes of the UTF-8 character at the front of `text`; 0 when it is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < count) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool bad = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                   (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f) ||
                   (first == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe);  // no XML character
  return bad ? 0 : count;
}

// Text that XML takes, whatever it holds.
std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t count = character_bytes(text);
    const char c = text[0];
    if (count > 1) {
      result += text.substr(0, count);
    } else if (count == 0) {
      result += '?';
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else {
      result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    text.remove_prefix(std::max<std::size_t>(count, 1));
  }
  return result;
}

double width_of(std::string_view text) {
  const auto characters =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return kLetter * static_cast<double>(characters);
}

bool drawable(double value) { return std::fabs(value) <= 1e300; }

// The numbers along an axis: `low`, `low` + `step`, … `count` of them, the last at the far end.
struct Scale {
  double low = 0;
  double step = 1;
  int count = 2;
  double at(int i) const { return low + i * step; }
  double high() const { return at(count - 1); }
  double fraction(double value) const { return (value - low) / (high() - low); }
};

// Round numbers (1, 2 or 5 times a power of ten) around [low, high], about five of them.
Scale round_scale(double low, double high, bool whole) {
  if (!(low <= high)) return {0, 0.2, 6};
  const double largest = std::max(std::fabs(low), std::fabs(high));
  if (largest < 1e-290) low = high = 0;  // steps between such numbers would vanish
  if (high - low <= 1e-12 * largest) {
    const double margin = high == 0 ? 0.5 : 0.5 * std::fabs(high);
    low -= whole ? 1 : margin;
    high += whole ? 1 : margin;
  }
  const double rough = (high - low) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= rough * 0.999) step = factor * power;
  }
  if (whole) step = std::max(step, 1.0);
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  return {first * step, step, static_cast<int>(last - first) + 1};
}

std::string tick_label(const Scale& scale, int i) {
  const double value = std::fabs(scale.at(i)) < scale.step / 1000 ? 0 : scale.at(i);
  const double largest = std::max(std::fabs(scale.low), std::fabs(scale.high()));
  if (value != 0 && (largest >= 1e6 || scale.step < 1e-5)) {
    std::array<char, 64> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
    return {text.data(), end.ptr};
  }
  const int decimals = static_cast<int>(-std::floor(std::log10(scale.step) + 1e-9));
  return number(value, std::max(0, decimals));
}

/// Where a curve's name stands above the plot.
struct LegendEntry {
  std::size_t curve;
  std::string name;
  double x;
  int row;
};

/// Every curve's name, in as many rows as they need; the middle of a name that is wider than the
/// plot is left out.
std::vector<LegendEntry> legend_of(const Panel& panel) {
  constexpr auto kMost = static_cast<std::size_t>((kPlotWidth - kLegendLine - 6) / kLetter);
  std::vector<LegendEntry> entries;
  double x = 0;
  int row = 0;
  for (std::size_t i = 0; i < panel.curves.size(); ++i) {
    std::string name = detail::shorten(panel.curves[i].name, kMost);
    const double width = kLegendLine + 6 + width_of(name);
    if (x > 0 && x + width > kPlotWidth) {
      x = 0;
      ++row;
    }
    entries.push_back({i, std::move(name), x, row});
    x += width + kLegendGap;
  }
  return entries;
}

class PanelDrawing {
 public:
  /// `top`: where the plot begins, below the legend.
  PanelDrawing(const Panel& panel, double left, double top)
      : panel_(panel), left_(left + kLeft), top_(top) {
    const double inf = std::numeric_limits<double>::infinity();
    double x_low = inf, x_high = -inf, y_low = inf, y_high = -inf;
    bool whole = true;
    for (const Curve& curve : panel.curves) {
      for (std::size_t i = 0; i < curve.x.size(); ++i) {
        if (!drawable(curve.x[i]) || !drawable(curve.y[i])) continue;
        whole &= curve.x[i] == std::round(curve.x[i]);
        x_low = std::min(x_low, curve.x[i]);
        x_high = std::max(x_high, curve.x[i]);
        y_low = std::min(y_low, curve.y[i]);
        y_high = std::max(y_high, curve.y[i]);
      }
    }
    empty_ = !(x_low <= x_high);
    x_ = round_scale(x_low, x_high, whole && !empty_);
    y_ = round_scale(y_low, y_high, false);
  }

  std::string draw() {
    text(left_ + kPlotWidth / 2, 50, "middle", panel_.title, " font-size=\"14\"");
    axes();
    legend();
    for (std::size_t i = 0; i < panel_.curves.size(); ++i) curve(panel_.curves[i], i);
    if (empty_) text(left_ + kPlotWidth / 2, top_ + kPlotHeight / 2, "middle", "no data");
    return out_;
  }

 private:
  void text(double x, double y, const char* anchor, const std::string& words,
            const std::string& more = {}) {
    out_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\"" +
            more + ">" + escaped(words) + "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const std::string& style) {
    out_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
            "\" y2=\"" + number(y2) + "\" " + style + "/>\n";
  }
  double place_x(double x) const { return left_ + kPlotWidth * x_.fraction(x); }
  double place_y(double y) const { return top_ + kPlotHeight * (1 - y_.fraction(y)); }

  void axes() {
    const std::string grid = "stroke=\"#dddddd\"", axis = "stroke=\"#444444\"";
    const double bottom = top_ + kPlotHeight;
    for (int i = 0; i < x_.count; ++i) {
      const double x = place_x(x_.at(i));
      line(x, top_, x, bottom, grid);
      line(x, bottom, x, bottom + 5, axis);
      text(x, bottom + 19, "middle", tick_label(x_, i));
    }
    for (int i = 0; i < y_.count; ++i) {
      const double y = place_y(y_.at(i));
      line(left_, y, left_ + kPlotWidth, y, grid);
      line(left_ - 5, y, left_, y, axis);
      text(left_ - 9, y + 4, "end", tick_label(y_, i));
    }
    line(left_, top_, left_, bottom, axis);
    line(left_, bottom, left_ + kPlotWidth, bottom, axis);
    text(left_ + kPlotWidth / 2, bottom + 42, "middle", panel_.x_label);
    const double x = left_ - 54, y = top_ + kPlotHeight / 2;
    text(x, y, "middle", panel_.y_label,
         " transform=\"rotate(-90 " + number(x) + " " + number(y) + ")\"");
  }

  // Rows above the plot.
  void legend() {
    for (const LegendEntry& entry : legend_of(panel_)) {
      const double x = left_ + entry.x, y = kLegendTop + kLegendRow * entry.row;
      line(x, y, x + kLegendLine, y, stroke(entry.curve));
      text(x + kLegendLine + 6, y + 4, "start", entry.name);
    }
  }

  static std::string stroke(std::size_t i) {
    const char* dash = kDashes[i % std::size(kDashes)];
    return std::string("fill=\"none\" stroke=\"") + kColours[i % std::size(kColours)] +
           "\" stroke-width=\"2\" stroke-linejoin=\"round\"" +
           (*dash != '\0' ? std::string(" stroke-dasharray=\"") + dash + "\"" : "");
  }

  // A path for each stretch without gaps; points where there are few, or one alone.
  void curve(const Curve& curve, std::size_t index) {
    const std::size_t count = curve.x.size();
    const auto shown = [&](std::size_t i) {
      return i < count && drawable(curve.x[i]) && drawable(curve.y[i]);
    };
    std::string path, points;
    for (std::size_t i = 0; i < count; ++i) {
      if (!shown(i)) continue;
      const bool starts = i == 0 || !shown(i - 1);
      const std::string x = number(place_x(curve.x[i])), y = number(place_y(curve.y[i]));
      path += (starts ? "M" : "L") + x + " " + y;
      if (count <= 30 || (starts && !shown(i + 1))) {
        points += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"2.5\" fill=\"" +
                  kColours[index % std::size(kColours)] + "\"/>\n";
      }
    }
    if (!path.empty()) out_ += "<path d=\"" + path + "\" " + stroke(index) + "/>\n" + points;
  }

  const Panel& panel_;
  double left_, top_;
  bool empty_ = false;
  Scale x_, y_;
  std::string out_;
};

}  // namespace

std::string line_chart(const std::string& title, const std::vector<Panel>& panels,
                       std::source_location where) {
  const detail::CallSite site(where);
  for (const Panel& panel : panels) {
    for (const Curve& curve : panel.curves) {
      if (curve.x.size() == curve.y.size()) continue;
      throw Error(ErrorKind::kShape, "line_chart",
                  "the curve " + curve.name + " has " + std::to_string(curve.x.size()) + " x for " +
                      std::to_string(curve.y.size()) + " y",
                  "give each point both");
    }
  }
  double top = kTop;
  for (const Panel& panel : panels) {
    const auto legend = legend_of(panel);
    if (!legend.empty()) top = std::max(top, kTop + kLegendRow * legend.back().row);
  }
  const double height = top + kPlotHeight + kBottom;
  const double width = kPanelWidth * static_cast<double>(std::max<std::size_t>(panels.size(), 1));
  const std::string size = "width=\"" + number(width, 0) + "\" height=\"" + number(height, 0);
  std::string svg = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"" +
                    std::string("http://www.w3.org/2000/svg\" ") + size + "\" viewBox=\"0 0 " +
                    number(width, 0) + " " + number(height, 0) +
                    "\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>" +
                    escaped(title) + "</title>\n<rect " + size + "\" fill=\"#ffffff\"/>\n";
  svg += "<text x=\"" + number(width / 2) +
         "\" y=\"26\" text-anchor=\"middle\" font-size=\"17\" font-weight=\"bold\">" +
         escaped(title) + "</text>\n";
  for (std::size_t i = 0; i < panels.size(); ++i) {
    svg += PanelDrawing(panels[i], kPanelWidth * static_cast<double>(i), top).draw();
  }
  return svg + "</svg>\n";
}

std::string learning_curves(const std::string& title, const std::vector<EpochRecord>& history) {
  std::vector<std::string> names = {"loss"};
  if (!history.empty()) {
    for (const Metric& metric : history.front().train.metrics()) names.push_back(metric.name);
  }
  std::vector<Panel> panels;
  for (const std::string& name : names) {
    Curve train{"training", {}, {}}, validation{"validation", {}, {}};
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
    Panel panel{heading, "epoch", name, {train}};
    if (!validation.x.empty()) panel.curves.push_back(validation);
    panels.push_back(std::move(panel));
  }
  return line_chart(title, panels);
}

}  // namespace wengert::optim
