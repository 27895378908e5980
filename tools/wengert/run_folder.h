#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "wengert/io/folder_lock.h"
#include "wengert/optim/training/fit.h"

namespace wengert::tools {

/// The whole state of a run, at the end of each epoch and where it is interrupted.
inline constexpr const char* kModelFile = "model.safetensors";

/// How files begin that are about a step which failed; they belong to no state.
inline constexpr const char* kFailedStep = "failed_step";

/// The folder of a training run, which no other run has at the same time, and the files in it.
///
/// The model file is the run's state, and all others are written from it afterwards: metrics.jsonl
/// has a line for each epoch that the state's metadata count, or, after a kill between the two,
/// those before the last one; the pictures are there when all epochs are done, failed_step.svg
/// where a step came to no finite number. What does not belong to the state is removed before the
/// first one is written. So whatever the moment of a kill, no file says more than the state knows,
/// and a run that goes on writes what an uninterrupted one had written.
class RunFolder {
 public:
  /// Takes the folder if it is there. Throws IoError when another run has it.
  explicit RunFolder(std::string path);
  /// Makes the folder where it is missing and proves that files can be written. Throws IoError.
  void make();

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Goes on from the state in the folder, and brings the files to it. Gives the metadata.
  std::map<std::string, std::string> resume(optim::Training& training);
  /// Writes the state, then the metrics of its epochs.
  void save(const optim::Training& training, std::map<std::string, std::string> metadata);
  /// A line for each epoch, `more` in the last one, which it gives.
  nlohmann::ordered_json write_metrics(const optim::Training& training,
                                       const nlohmann::ordered_json& more);
  /// Writes a picture or another file about the run as it stands. Throws IoError.
  void write(const std::string& name, const std::string& bytes);

 private:
  void remove_others();

  std::string path_;
  std::optional<io::FolderLock> lock_;
  bool others_removed_ = false;
};

}  // namespace wengert::tools
