// run_once PROGRAM [ARGUMENT...]: runs a program once and says what that cost.
//
// Prints one line of JSON, then all that the program printed:
//   first_output_ms   from just before the program starts to the end of its first line of output
//   peak_mb           its largest resident size (ru_maxrss), in MB of 10^6 bytes
//   status            its exit status, or 128 + the signal that ended it
// A small program of its own, because a process inherits the peak of the one that started it:
// under Python, everything smaller than Python would seem as large as Python.
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string>

static double now_ms() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

int main(int argc, char** argv) {
  int ends[2];
  if (argc < 2 || pipe(ends) != 0) return 2;
  const double start = now_ms();
  const pid_t child = fork();
  if (child < 0) return 2;
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  close(ends[1]);

  std::string output;
  double first_ms = -1;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<size_t>(n));
    if (first_ms < 0 && output.find('\n') != std::string::npos) first_ms = now_ms() - start;
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::printf("{\"first_output_ms\": %.3f, \"peak_mb\": %.3f, \"status\": %d}\n%s", first_ms,
              static_cast<double>(usage.ru_maxrss) * 1024 / 1e6, code, output.c_str());
}
