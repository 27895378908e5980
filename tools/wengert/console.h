#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

// What the program shows while and after it works.
namespace wengert::tools {

/// "wengert: <text>" as a line of standard error, made printable; a progress bar goes before.
void complain(const std::string& text);
/// On standard output, indented. Bytes that are not UTF-8 become U+FFFD, what a terminal would obey
/// is escaped.
void print_json(const nlohmann::ordered_json& value);

/// Draws `text` with a bar filled to `share` on one line of a terminal's standard error; on
/// anything else shows nothing, so that logs hold plain lines only.
void show_progress(const std::string& text, double share);
/// Removes the bar.
void clear_progress();

/// Columns aligned by their widest cell; the first to the left, the others to the right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row);
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// What a program owes to whoever started it, before it does anything else: standard streams that
/// are closed fail to be written to, where the next file that is opened would take their place and
/// get what is meant for them; a file beyond the size limit is an error like others; the ends of
/// child processes can be waited for.
void prepare_process();

/// True once Ctrl-C (SIGINT), SIGTERM or SIGHUP came after watch_interrupts(); a second one ends at
/// once. Signals that are ignored stay so, as nohup and shells want it.
void watch_interrupts();
bool interrupted();
/// From here on a signal has its usual effect; what came before stays to be asked for.
void unwatch_interrupts();

}  // namespace wengert::tools
