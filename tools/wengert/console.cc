#include "tools/wengert/console.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "wengert/graph/text.h"

namespace wengert::tools {
namespace {

volatile sig_atomic_t g_interrupted = 0;
bool g_bar_shown = false;

void on_interrupt(int signal_number) {
  g_interrupted = 1;
  // The next one has its usual effect: nobody has to wait for a step that hangs.
  signal(signal_number, SIG_DFL);
}

/// Characters of UTF-8 text, as columns of a terminal.
std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (unsigned char c : text) width += (c & 0xc0) != 0x80;
  return width;
}

}  // namespace

void show_progress(const std::string& text, double share) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r\x1b[K%s  %s", progress_bar(share).c_str(), text.c_str());
  std::fflush(stderr);
  g_bar_shown = true;
}

void clear_progress() {
  if (!g_bar_shown) return;
  std::fprintf(stderr, "\r\x1b[K");
  g_bar_shown = false;
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line + "\n";
  }
  return text;
}

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_interrupted != 0; }

}  // namespace wengert::tools
