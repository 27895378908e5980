#include "wengert/graph/export/render.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/not_cancelled.h"
#include "wengert/graph/text.h"

extern char** environ;

namespace wengert {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of an image

[[noreturn]] void fail(std::string message, std::string fix = {}) {
  throw Error(ErrorKind::kFile, "render", std::move(message), std::move(fix));
}

[[noreturn]] void fail_system(const char* call) {
  fail(std::string(call) + ": " + std::strerror(errno));
}

[[noreturn]] void fail_to_start(int error) {
  fail(std::string("cannot start dot: ") + std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    const detail::NotCancelled whole;
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// The text as a file without a name: the program can then never block on what we write.
Descriptor file_of(const std::string& text) {
  Descriptor file(::memfd_create("wengert-dot", MFD_CLOEXEC));
  if (file.get() < 0) fail_system("memfd_create");
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t n = ::write(file.get(), text.data() + written, text.size() - written);
    if (n < 0 && errno != EINTR) fail_system("write");
    if (n > 0) written += static_cast<std::size_t>(n);
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) fail_system("lseek");
  return file;
}

struct Pipe {
  Descriptor read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_system("pipe2");
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
};

/// A started program; it does not outlive this object.
class Child {
 public:
  Child(std::vector<std::string> words, int in, int out, int err) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    int error = ::posix_spawn_file_actions_init(&actions);
    if (error != 0) fail_to_start(error);
    // Without one of these dot would write over the user's own output.
    error = ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    if (error == 0) {
      error = ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    }
    ::posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return;
    pid_ = -1;
    if (error == ENOENT) {
      fail("Graphviz' program dot is not installed or not on PATH",
           "install the Debian package graphviz, or write to_dot(view) to a file and draw it "
           "elsewhere");
    }
    fail_to_start(error);
  }
  Child(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    const detail::NotCancelled whole;
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// Its status, or nothing where somebody else took it.
  std::optional<int> wait() {
    int status = 0;
    pid_t waited;
    do {
      waited = ::waitpid(pid_, &status, 0);
    } while (waited < 0 && errno == EINTR);
    pid_ = -1;
    return waited < 0 ? std::nullopt : std::optional(status);
  }

 private:
  pid_t pid_ = -1;
};

/// Appends what is there; closes the descriptor at the end of the file.
void drain(Descriptor& from, std::string& into) {
  char buffer[1 << 16];
  const ssize_t n = ::read(from.get(), buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return;
  if (n < 0) fail_system("read");
  if (n == 0) {
    from.close();
  } else if (into.size() + static_cast<std::size_t>(n) > kMostBytes) {
    fail("dot's image is larger than 1 GiB", "collapse more scopes, or write SVG");
  } else {
    into.append(buffer, static_cast<std::size_t>(n));
  }
}

/// What dot wrote.
struct Output {
  std::string bytes;
  std::string remarks;
};

void drain_both(Descriptor& out, Descriptor& err, Output& into, const RenderOptions& options) {
  const int timeout_seconds = std::clamp(options.timeout_seconds, 1, 86400);
  const auto deadline = Clock::now() + std::chrono::seconds(timeout_seconds);
  constexpr std::int64_t kBetweenQuestions = 100;  // milliseconds
  while (out.get() >= 0 || err.get() >= 0) {
    if (options.cancelled != nullptr && options.cancelled()) fail("the drawing was cancelled");
    const std::int64_t left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting[2] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
    const auto pause = options.cancelled != nullptr ? std::min(left, kBetweenQuestions) : left;
    const int ready = left <= 0 ? 0 : ::poll(waiting, 2, static_cast<int>(pause));
    if (ready == 0 && pause < left) continue;
    if (ready == 0) {
      fail("dot took longer than " + std::to_string(timeout_seconds) + " s and was stopped",
           "collapse more scopes (GraphOptions::collapse_depth)");
    }
    if (ready < 0 && errno != EINTR) fail_system("poll");
    if (ready < 0) continue;
    if (waiting[0].revents != 0) drain(out, into.bytes);
    if (waiting[1].revents != 0) drain(err, into.remarks);
  }
}

}  // namespace

std::string render(const std::string& dot, ImageFormat format, const RenderOptions& options,
                   std::source_location where) {
  const detail::CallSite site(where);
  if (!(options.dots_per_inch >= 1 && options.dots_per_inch <= 2400)) {
    throw Error(ErrorKind::kValue, "render",
                "dots_per_inch is " + format_number(options.dots_per_inch, 6), "choose 1 to 2400");
  }
  const Descriptor in = file_of(dot);
  Pipe out, err;
  std::vector<std::string> words = {"dot", format == ImageFormat::kPng ? "-Tpng" : "-Tsvg"};
  if (format == ImageFormat::kPng) {
    words.push_back("-Gdpi=" + format_number(options.dots_per_inch, 6));
  }
  Child child(std::move(words), in.get(), out.write.get(), err.write.get());
  out.write.close();
  err.write.close();
  Output output;
  drain_both(out.read, err.read, output, options);
  const std::optional<int> ended = child.wait();
  if (!ended) {
    fail(
        "how dot ended cannot be known: this program ignores SIGCHLD, or waits for all its "
        "children",
        "give SIGCHLD its usual action, SIG_DFL, while a picture is drawn");
  }
  const int status = *ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !output.bytes.empty()) {
    if (options.warnings != nullptr) *options.warnings = std::move(output.remarks);
    return std::move(output.bytes);
  }
  std::string said;
  for (const std::string& line : lines_of(output.remarks))
    said += (said.empty() ? "" : "; ") + line;
  said = detail::shorten(said, 500);
  fail(WIFEXITED(status) ? "dot failed with status " + std::to_string(WEXITSTATUS(status)) +
                               (said.empty() ? "" : ": " + said)
                         : "dot was ended by signal " + std::to_string(WTERMSIG(status)) +
                               (said.empty() ? "" : ": " + said));
}

}  // namespace wengert
