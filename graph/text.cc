#include "wengert/graph/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

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
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
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
  char percent[16];
  std::snprintf(percent, sizeof percent, " %3.0f %%", within * 100);
  return bar + percent;
}

}  // namespace wengert
