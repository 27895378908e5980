#pragma once

// Private to the library.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wengert::plot {

/// Pixels that a text takes at most in usual fonts.
double text_width(std::string_view text, double size = 12);
/// How many letters have room in so many pixels.
std::size_t letters_in(double pixels, double size = 12);
/// Lines of a text in so many pixels; the last of `most` ends in "…" where more would follow.
std::vector<std::string> fitted_lines(std::string_view text, double pixels, double size,
                                      std::size_t most);

/// Collects the elements of an SVG file. All lengths are in pixels, y grows downwards.
class Canvas {
 public:
  /// `style` are further attributes.
  void text(double x, double y, std::string_view anchor, std::string_view words,
            std::string_view style = {});
  void line(double x1, double y1, double x2, double y2, std::string_view style);
  void rectangle(double x, double y, double width, double height, std::string_view style);
  void circle(double x, double y, double radius, std::string_view style);
  void path(std::string_view data, std::string_view style);
  /// What is drawn until close_clip() shows inside a rectangle only; `id` is one of its own.
  void open_clip(std::string_view id, double x, double y, double width, double height);
  void close_clip() { out_ += "</g>\n"; }
  /// The file: `title` is what programs call it.
  std::string file(double width, double height, std::string_view title) const;

  /// With two digits; what lies far outside any picture is brought to its edge.
  static std::string number(double value);

 private:
  std::string out_;
};

}  // namespace wengert::plot
