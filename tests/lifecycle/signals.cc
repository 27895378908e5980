#include <signal.h>
#include <sys/time.h>

#include <filesystem>

#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/render.h"
#include "wengert/io/file.h"
#include "wengert/tests/lifecycle/lives.h"
#include "wengert/tests/memory/scratch.h"

// Signals that interrupt every phase.
namespace wengert::lifecycle {
namespace {

volatile sig_atomic_t g_signals = 0;

/// While it lives a signal comes every `microseconds`, whose handler does not let calls be resumed.
class Storm {
 public:
  explicit Storm(int microseconds) {
    struct sigaction action {};
    action.sa_handler = [](int) { g_signals = g_signals + 1; };
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval every = {{0, microseconds}, {0, microseconds}};
    if (::setitimer(ITIMER_REAL, &every, nullptr) != 0) wrong("setitimer");
  }
  ~Storm() {
    const itimerval never = {};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
    ::alarm(kMostSeconds);  // which has the same timer
  }
  Storm(const Storm&) = delete;

 private:
  struct sigaction before_ {};
};

/// Every phase of a training and its picture.
std::string live(const std::string& path) {
  Trainee first(all_features(), 3), second(all_features());
  (void)first.training().run();
  first.training().save(path);
  std::string bytes = io::read_file(path);
  (void)second.training().load(path);
  (void)second.training().run();
  bytes += second.bytes();
  const Tape tape;
  const Var x = variable(0.5);
  const Var y = tanh(x * x);
  (void)grad(y, x);
  for (int i = 0; i < 5; ++i) bytes += render(to_dot(graph_view(tape)));
  return bytes;
}

void live_in_a_storm() {
  const std::string path = scratch_folder() + "/file";
  const std::string quiet = live(path);
  for (const int microseconds : {300, 1000}) {
    const Storm storm(microseconds);
    if (live(path) != quiet) wrong("other bytes");
  }
  if (g_signals < 20) wrong("there was no storm");
  std::filesystem::remove_all(scratch_folder());
}

/// Where nobody can wait for children nobody can tell a picture from half of one: it is refused.
void draw_where_children_are_ignored() {
  for (const char* graph : {"digraph { a -> b }", "no graph"}) {
    ::signal(SIGCHLD, SIG_IGN);
    try {
      (void)render(graph);
      wrong("a picture whose end nobody saw");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kFile) wrong(error.what());
    }
  }
  ::signal(SIGCHLD, SIG_DFL);
  if (render("digraph { a -> b }").find("</svg>") == std::string::npos) wrong("no picture");
}

}  // namespace

std::vector<Life> lives_among_signals() {
  return {{"live_in_a_storm", live_in_a_storm},
          {"draw_where_children_are_ignored", draw_where_children_are_ignored}};
}

}  // namespace wengert::lifecycle
