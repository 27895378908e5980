#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"

namespace wengert {

/// The candidate closest to `word` by edit distance, or empty when none is near; for messages.
WENGERT_API std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// A number as people read it, whatever the locale: up to `digits` significant digits, "nan",
/// "inf", "-inf".
WENGERT_API std::string format_number(double value, int digits = 4);

/// The same with this many digits after the point: "0.50".
WENGERT_API std::string fixed_number(double value, int decimals);

/// Text from anywhere on one line of a terminal: what would move its cursor, colour it, hide or
/// turn text around becomes "\x1b" (control characters, line ends) or "\u202e" (those beyond
/// U+007E, bidirectional controls), a byte that is not UTF-8 "\xff". All other text stays, so that
/// nothing changes the second time. Errors and the program's output pass through it.
WENGERT_API std::string printable(std::string_view text);

/// "axes run from -2 to 1", of a rank, for messages.
WENGERT_API std::string axes_of_rank(int rank);

/// The lines of a text, without their ends; none of an empty one.
WENGERT_API std::vector<std::string> lines_of(std::string_view text);

/// "████████░░░░░░░░░░░░░░░░  33 %"
WENGERT_API std::string progress_bar(double share);

}  // namespace wengert
