#pragma once

#include <string>
#include <vector>

// What the program shows while and after it works.
namespace wengert::tools {

/// Draws `text` with a bar filled to `share` on one line of a terminal's standard error; on
/// anything else shows nothing, so that logs hold plain lines only.
void show_progress(const std::string& text, double share);
/// Removes the bar.
void clear_progress();

/// Columns aligned by their widest cell; the first to the left, the others to the right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// True once Ctrl-C (SIGINT) or SIGTERM came after watch_interrupts(); a second one ends at once.
void watch_interrupts();
bool interrupted();

}  // namespace wengert::tools
