#pragma once

#include <cstddef>
#include <string_view>

// Private to the library.
namespace wengert::detail {

/// Bytes of the well-formed UTF-8 sequence at `i` (RFC 3629), 0 when there is none. U+FFFE and
/// U+FFFF, which are no characters, count as none.
std::size_t utf8_length(std::string_view text, std::size_t i);

/// The code point of a well-formed sequence.
char32_t code_point(std::string_view sequence);

}  // namespace wengert::detail
