#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

namespace wengert {

/// This process's own folder for files, made when it is first asked for: in memory, where the
/// machine has such a place, since thousands of files are made.
inline std::string scratch_folder() {
  const std::filesystem::path memory = "/dev/shm";
  const auto path =
      (::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path()) /
      ("wengert_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(path);
  return path.string();
}

}  // namespace wengert
