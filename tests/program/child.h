#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/temporary_folder.h"

// Runs the program as its users do, and looks at what it says and leaves.
namespace wengert {

inline std::string bytes_at(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline bool exists(const std::string& path) { return std::filesystem::exists(path); }
inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// How the program ended.
struct Outcome {
  int status = -1;  ///< exit status; 128 + signal when one ended it
  std::string out, err;
};

inline const std::string& wengert_path() {
  static const std::string path = WENGERT_BINARY_DIR "/wengert";
  return path;
}

/// Runs a program by its path, in a process group of its own, with nothing to read and its output
/// kept, or sent to `output` if that is given. `meanwhile`, if given, runs while the program does.
/// A program that hangs is ended by the test's own time limit.
inline Outcome run_command(std::vector<std::string> words,
                           const std::function<void(pid_t)>& meanwhile = {},
                           const std::string& output = {}) {
  const TemporaryFolder folder;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  const std::string out = output.empty() ? folder / "out" : output;
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (folder / "err").c_str(), flags, 0600);
  pid_t child = 0;
  const int failure =
      posix_spawn(&child, words[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  Outcome outcome;
  if (failure != 0) {
    ADD_FAILURE() << "cannot start " << words[0];
    return outcome;
  }
  if (meanwhile) meanwhile(child);
  int state = 0;
  while (::waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  outcome.status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  outcome.out = bytes_at(folder / "out");
  outcome.err = bytes_at(folder / "err");
  return outcome;
}

/// `build/…/wengert arguments…`, the same way.
inline Outcome run_wengert(const std::vector<std::string>& arguments,
                           const std::function<void(pid_t)>& meanwhile = {},
                           const std::string& output = {}) {
  std::vector<std::string> words = {wengert_path()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_command(std::move(words), meanwhile, output);
}

/// All commands of the program, as its help lists them.
inline std::vector<std::string> commands() {
  std::vector<std::string> names;
  std::istringstream help(run_wengert({"--help"}).out);
  const std::regex form("^  ([a-z][a-z-]*)  +[A-Z].*");
  for (std::string line; std::getline(help, line);) {
    std::smatch found;
    if (std::regex_match(line, found, form)) names.push_back(found[1]);
  }
  return names;
}

/// The same from a shell that first does what `before` says: "ulimit -f 8", "exec 2>&-".
inline Outcome run_after(const std::string& before, const std::vector<std::string>& arguments,
                         const std::function<void(pid_t)>& meanwhile = {}) {
  std::vector<std::string> words = {"/bin/sh", "-c", before + "; exec \"$0\" \"$@\"",
                                    wengert_path()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_command(std::move(words), meanwhile);
}

/// Waits until `path` exists, up to a minute, or until the child has ended.
inline bool wait_for(const std::string& path, pid_t child) {
  for (int i = 0; i < 6000; ++i) {
    if (exists(path)) return true;
    siginfo_t info = {};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == child) {
      return exists(path);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace wengert
