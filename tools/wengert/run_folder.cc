#include "tools/wengert/run_folder.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "nlohmann/json.hpp"
#include "wengert/graph/error.h"
#include "wengert/io/file.h"

namespace wengert::tools {
namespace {

constexpr const char* kMetricsFile = "metrics.jsonl";

nlohmann::ordered_json as_json(const optim::EpochRecord& record) {
  nlohmann::ordered_json line = {{"epoch", record.epoch}, {"rate", record.rate}};
  const auto add = [&line](const std::string& start, const optim::Totals& totals) {
    line[start + "_loss"] = totals.loss();
    for (const optim::Metric& metric : totals.metrics())
      line[start + "_" + metric.name] = metric.value();
  };
  add("train", record.train);
  if (record.validation) add("validation", *record.validation);
  return line;
}

}  // namespace

RunFolder::RunFolder(std::string path) : path_(std::move(path)) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) lock_.emplace(path_);
}

void RunFolder::make() {
  io::check_writable_folder(path_);
  if (!lock_) lock_.emplace(path_);
}

std::map<std::string, std::string> RunFolder::resume(optim::Training& training) {
  const std::string model = file(kModelFile);
  std::error_code ignored;
  if (!std::filesystem::exists(model, ignored)) {
    throw IoError(model, "cannot be opened: no epoch was ended there",
                  "begin anew, without --resume");
  }
  return training.load(model);
}

void RunFolder::save(const optim::Training& training, std::map<std::string, std::string> metadata) {
  remove_others();
  metadata["epoch"] = std::to_string(training.history().size());
  training.save(file(kModelFile), std::move(metadata));
  (void)write_metrics(training, {});
}

nlohmann::ordered_json RunFolder::write_metrics(const optim::Training& training,
                                                const nlohmann::ordered_json& more) {
  std::string text;
  nlohmann::ordered_json line;
  for (const optim::EpochRecord& record : training.history()) {
    line = as_json(record);
    if (&record == &training.history().back() && !more.is_null()) line.update(more);
    text += line.dump() + "\n";
  }
  write(kMetricsFile, text);
  return line;
}

void RunFolder::write(const std::string& name, const std::string& bytes) {
  if (!name.starts_with(kFailedStep)) remove_others();
  io::write_file_atomically(file(name), bytes);
}

void RunFolder::remove_others() {
  if (std::exchange(others_removed_, true)) return;
  for (const char* name : {kMetricsFile, "curves.svg", "graph.svg", "graph.dot", "failed_step.svg",
                           "failed_step.dot"}) {
    if (std::remove(file(name).c_str()) == 0 || errno == ENOENT) continue;
    throw IoError(
        file(name),
        "is of another run and cannot be removed: " + std::generic_category().message(errno),
        "remove it, or choose another folder");
  }
}

}  // namespace wengert::tools
