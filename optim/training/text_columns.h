#pragma once

// Private to the library.

#include <string>
#include <vector>

namespace wengert::optim {

/// Rows as lines, columns as wide as their widest cell; the last one of a row is not filled up.
std::string text_columns(const std::vector<std::vector<std::string>>& rows);

}  // namespace wengert::optim
