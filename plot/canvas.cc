#include "wengert/plot/canvas.h"

#include <algorithm>

#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"

namespace wengert::plot {
namespace {

constexpr double kLetter = 6.8 / 12;  // of the size; wider than most fonts' average

std::string escaped(std::string_view text) { return detail::escape_markup(text, " "); }

std::string attribute(std::string_view name, double value) {
  return " " + std::string(name) + "=\"" + Canvas::number(value) + "\"";
}

std::string styled(std::string_view style) {
  return style.empty() ? std::string() : " " + std::string(style);
}

}  // namespace

double text_width(std::string_view text, double size) {
  double letters = 0;
  for (const char c : text) {
    const bool wide = c == 'm' || c == 'w' || c == 'M' || c == 'W';
    if ((c & 0xc0) != 0x80) letters += wide ? 1.5 : 1;
  }
  return kLetter * size * letters;
}

std::size_t letters_in(double pixels, double size) {
  return static_cast<std::size_t>(std::max(3.0, pixels / (kLetter * size)));
}

std::vector<std::string> fitted_lines(std::string_view text, double pixels, double size,
                                      std::size_t most) {
  std::vector<std::string> lines = lines_of(detail::wrap(text, letters_in(pixels, size)));
  if (lines.size() > most) {
    lines.resize(most);
    lines.back() += "…";
  }
  return lines;
}

std::string Canvas::number(double value) { return fixed_number(std::clamp(value, -1e5, 1e5), 2); }

void Canvas::text(double x, double y, std::string_view anchor, std::string_view words,
                  std::string_view style) {
  out_ += "<text" + attribute("x", x) + attribute("y", y) + " text-anchor=\"" +
          std::string(anchor) + "\"" + styled(style) + ">" + escaped(words) + "</text>\n";
}

void Canvas::line(double x1, double y1, double x2, double y2, std::string_view style) {
  out_ += "<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) +
          attribute("y2", y2) + styled(style) + "/>\n";
}

void Canvas::rectangle(double x, double y, double width, double height, std::string_view style) {
  out_ += "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
          attribute("height", height) + styled(style) + "/>\n";
}

void Canvas::circle(double x, double y, double radius, std::string_view style) {
  out_ += "<circle" + attribute("cx", x) + attribute("cy", y) + attribute("r", radius) +
          styled(style) + "/>\n";
}

void Canvas::path(std::string_view data, std::string_view style) {
  out_ += "<path d=\"" + std::string(data) + "\"" + styled(style) + "/>\n";
}

void Canvas::open_clip(std::string_view id, double x, double y, double width, double height) {
  out_ += "<clipPath id=\"" + std::string(id) + "\">";
  out_ += "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
          attribute("height", height) + "/></clipPath>\n";
  out_ += "<g clip-path=\"url(#" + std::string(id) + ")\">\n";
}

std::string Canvas::file(double width, double height, std::string_view title) const {
  const std::string across = fixed_number(width, 0), down = fixed_number(height, 0);
  const std::string size = "width=\"" + across + "\" height=\"" + down + "\"";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" " +
         size + " viewBox=\"0 0 " + across + " " + down +
         "\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>" + escaped(title) +
         "</title>\n<rect " + size + " fill=\"#ffffff\"/>\n" + out_ + "</svg>\n";
}

}  // namespace wengert::plot
