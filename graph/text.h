#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"

namespace wengert {

/// The candidate closest to `word` by edit distance, or empty when none is near; for messages.
WENGERT_API std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// A number as people read it: up to `digits` significant digits, "nan", "inf", "-inf".
WENGERT_API std::string format_number(double value, int digits = 4);

/// "axes run from -2 to 1", of a rank, for messages.
WENGERT_API std::string axes_of_rank(int rank);

/// The lines of a text, without their ends; none of an empty one.
WENGERT_API std::vector<std::string> lines_of(std::string_view text);

/// "████████░░░░░░░░░░░░░░░░  33 %"
WENGERT_API std::string progress_bar(double share);

}  // namespace wengert
