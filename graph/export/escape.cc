#include "wengert/graph/export/escape.h"

#include <array>
#include <charconv>
#include <cmath>

#include "wengert/graph/text.h"
#include "wengert/graph/utf8.h"

namespace wengert::detail {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Graphviz 2.43 takes 16,384 bytes, and a character may need 6 ("&quot;").
constexpr std::size_t kDotCharacters = 2500;

/// Calls `visit(piece)` for each character; what is not UTF-8 arrives as U+FFFD.
template <class Visit>
void for_each_character(std::string_view text, Visit&& visit) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    visit(length == 0 ? kReplacement : text.substr(i, length));
    i += length == 0 ? 1 : length;
  }
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

template <class... Format>
std::string to_text(double value, Format... format) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format...);
  return {buffer.data(), end.ptr};
}

}  // namespace

std::string escape_markup(std::string_view text, std::string_view newline) {
  std::string out;
  for_each_character(text, [&](std::string_view piece) {
    switch (piece[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += newline;
        break;
      case '\t':
        out += ' ';
        break;
      default:
        out += is_control(piece[0]) ? kReplacement : piece;
    }
  });
  return out;
}

std::string escape_label(std::string_view text) {
  const std::string escaped = escape_markup(shorten(text, kDotCharacters));
  return escaped.find_first_not_of(' ') == std::string::npos ? " " : escaped;
}

std::string quote_dot(std::string_view text) {
  std::string out = "\"";
  for_each_character(shorten(text, kDotCharacters), [&](std::string_view piece) {
    switch (piece[0]) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      // Graphviz decodes entities in strings too: a bare & would make "&lt;" out of "<".
      case '&':
        out += "&amp;";
        break;
      default:
        out += is_control(piece[0]) ? kReplacement : piece;
    }
  });
  return out + "\"";
}

std::string quote_json(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for_each_character(text, [&](std::string_view piece) {
    const char c = piece[0];
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      ((out += "\\u00") += kHex[c >> 4 & 15]) += kHex[c & 15];
    } else {
      out += piece;
    }
  });
  return out + "\"";
}

std::string shorten(std::string_view text, std::size_t limit) {
  std::size_t characters = 0;
  for_each_character(text, [&](std::string_view) { ++characters; });
  if (characters <= limit || limit < 3) return std::string(text);
  const std::size_t head = (limit - 1) / 2, tail = limit - 1 - head;
  std::string out;
  std::size_t position = 0;
  for_each_character(text, [&](std::string_view piece) {
    if (position < head || position >= characters - tail) out += piece;
    if (position == head) out += "…";
    ++position;
  });
  return out;
}

std::string wrap(std::string_view text, std::size_t width) {
  std::string out, word;
  std::size_t column = 0, word_length = 0;
  const auto flush = [&] {
    if (word_length == 0) return;
    if (column > 0 && column + 1 + word_length > width) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word_length;
    word.clear();
    word_length = 0;
  };
  for_each_character(text, [&](std::string_view piece) {
    if (piece == " " || piece == "\n") {
      flush();
      if (piece == "\n") {
        out += '\n';
        column = 0;
      }
      return;
    }
    word += piece;
    if (++word_length >= width) flush();  // a word longer than a line is cut
  });
  flush();
  return out;
}

std::string scientific_text(double value) {
  return to_text(value, std::chars_format::scientific, 1);
}

std::string exact_text(double value) { return to_text(value); }

std::string bytes_text(std::int64_t bytes) {
  constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  double amount = static_cast<double>(bytes);
  int unit = 0;
  while (amount >= 1024 && unit < 4) {
    amount /= 1024;
    ++unit;
  }
  // Three digits, but no exponent at 1000 to 1023.
  return format_number(amount, amount >= 1000 ? 4 : 3) + kUnits[unit];
}

std::string percent_text(double share) {
  if (share > 0 && share < 0.01) return "<1 %";
  if (share < 1 && share > 0.99) return ">99 %";
  return format_number(std::round(share * 100), 3) + " %";
}

}  // namespace wengert::detail
