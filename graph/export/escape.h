#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wengert/graph/api.h"

// Text made safe for the formats that are written. Private to the library
// (exported for its tests). All take any bytes:
// what is not UTF-8 becomes U+FFFD.
namespace wengert::detail {

/// For XML: & < > " ' escaped, newlines as `newline`, other control characters as U+FFFD.
WENGERT_API std::string escape_markup(std::string_view text, std::string_view newline = "<br/>");
/// The same for a text between two tags of Graphviz' HTML labels, which takes neither an empty one
/// nor one of more than 16 KiB: blank text becomes a space, the middle of long text "…".
WENGERT_API std::string escape_label(std::string_view text);
/// A quoted string of the DOT language, quotes included; backslashes stay literal in attributes.
/// Graphviz takes 16 KiB: the middle of longer text becomes "…".
WENGERT_API std::string quote_dot(std::string_view text);
/// A quoted JSON string, quotes included.
WENGERT_API std::string quote_json(std::string_view text);

/// At most `limit` characters, the middle replaced by "…".
WENGERT_API std::string shorten(std::string_view text, std::size_t limit);
/// Lines of at most `width` characters where spaces allow, separated by '\n'.
WENGERT_API std::string wrap(std::string_view text, std::size_t width);

/// "1.3e-07"
WENGERT_API std::string scientific_text(double value);
/// The shortest text that reads back as the same double.
WENGERT_API std::string exact_text(double value);
/// "512 B", "32 KiB"
WENGERT_API std::string bytes_text(std::int64_t bytes);
/// "71 %"; "<1 %" and ">99 %" for what rounding would hide.
WENGERT_API std::string percent_text(double share);

}  // namespace wengert::detail
