#include "wengert/graph/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "wengert/graph/utf8.h"

namespace wengert {
namespace {

/// Letters to insert, delete, change, or swap with their neighbour, to make one word the other
/// (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

/// By <charconv>, which knows no locale.
std::string to_text(double value, std::chars_format format, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 400> buffer;  // 309 digits before the point of the largest double
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format,
                                 std::clamp(digits, 0, 60));
  return {buffer.data(), end.ptr};
}

/// Whether a terminal would do something else with it than show it in its place.
bool is_harmful(char32_t point) {
  const auto between = [point](char32_t first, char32_t last) {
    return point >= first && point <= last;
  };
  return between(0, 0x1F) || between(0x7F, 0x9F) || point == 0x061C || between(0x200E, 0x200F) ||
         between(0x2028, 0x202E) || between(0x2066, 0x2069);
}

void append_hex(std::string& out, const char* start, char32_t value, int digits) {
  out += start;
  for (int digit = digits - 1; digit >= 0; --digit) {
    out += "0123456789abcdef"[value >> (4 * digit) & 15];
  }
}

}  // namespace

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = word.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word.size() + least) continue;
    const std::size_t distance = edit_distance(word, candidate);
    // Of two as near, the one as long: "tahn" is a tanh, not a tan with a letter too many.
    if (distance < least || (distance == least && !best.empty() && best.size() != word.size() &&
                             candidate.size() == word.size())) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string format_number(double value, int digits) {
  return to_text(value, std::chars_format::general, digits);
}

std::string fixed_number(double value, int decimals) {
  return to_text(value, std::chars_format::fixed, decimals);
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = detail::utf8_length(text, i);
    if (length == 0) {
      append_hex(out, "\\x", static_cast<unsigned char>(text[i]), 2);
      ++i;
      continue;
    }
    const std::string_view character = text.substr(i, length);
    const char32_t point = detail::code_point(character);
    if (!is_harmful(point)) {
      out += character;
    } else if (point < 0x20) {
      append_hex(out, "\\x", point, 2);
    } else {
      append_hex(out, "\\u", point, 4);
    }
    i += length;
  }
  return out;
}

std::string axes_of_rank(int rank) {
  if (rank == 0) return "a scalar has no axes";
  return "axes run from " + std::to_string(-rank) + " to " + std::to_string(rank - 1);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string progress_bar(double share) {
  constexpr int kWidth = 24;
  const double within = std::fmax(0, std::fmin(1, share));
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < static_cast<int>(within * kWidth) ? "█" : "░";
  const std::string percent = fixed_number(within * 100, 0);
  return bar + std::string(4 - percent.size(), ' ') + percent + " %";
}

}  // namespace wengert
