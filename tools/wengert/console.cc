#include "tools/wengert/console.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "nlohmann/json.hpp"
#include "wengert/graph/text.h"

namespace wengert::tools {
namespace {

volatile sig_atomic_t g_interrupted = 0;
bool g_bar_shown = false;
constexpr int kInterrupts[] = {SIGINT, SIGTERM, SIGHUP};

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

void complain(const std::string& text) {
  clear_progress();
  std::fprintf(stderr, "wengert: %s\n", printable(text).c_str());
}

void print_json(const nlohmann::ordered_json& value) {
  const std::string text =
      value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  for (const std::string& line : lines_of(text)) std::printf("%s\n", printable(line).c_str());
}

void show_progress(const std::string& text, double share) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r\x1b[K%s  %s", progress_bar(share).c_str(), printable(text).c_str());
  std::fflush(stderr);
  g_bar_shown = true;
}

void clear_progress() {
  if (!g_bar_shown) return;
  std::fprintf(stderr, "\r\x1b[K");
  g_bar_shown = false;
}

void TextTable::add(std::vector<std::string> row) {
  for (std::string& cell : row) cell = printable(cell);
  rows_.push_back(std::move(row));
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

void prepare_process() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Opened the wrong way round, so that using it fails.
    (void)open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
}

void watch_interrupts() {
  for (const int number : kInterrupts) {
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = on_interrupt;
    sigaction(number, &action, nullptr);
  }
}

void unwatch_interrupts() {
  for (const int number : kInterrupts) {
    struct sigaction now = {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler == on_interrupt) signal(number, SIG_DFL);
  }
}

bool interrupted() { return g_interrupted != 0; }

}  // namespace wengert::tools
