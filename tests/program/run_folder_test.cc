// The folder of a training run: it has one owner, and its files agree whatever the moment of a
// kill.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "tests/program/pictures.h"
#include "wengert/io/parameter_file.h"
#include "wengert/tests/sanitizers.h"

namespace wengert {
namespace {

using nlohmann::json;

class RunFolder : public ::testing::Test {
 protected:
  void SetUp() override { write_data(folder_ / "data", 60, 20); }
  std::string out(const std::string& name) const { return folder_ / name; }
  std::vector<std::string> words(const std::string& name, bool resume, int epochs) const {
    std::vector<std::string> result = {
        "train",        "mlp",     "--data",   folder_ / "data",
        "--out",        out(name), "--epochs", std::to_string(epochs),
        "--batch",      "16",      "--seed",   "7",
        "--validation", "10"};
    if (resume) result.emplace_back("--resume");
    return result;
  }
  Outcome run(const std::string& name, bool resume = false, int epochs = kEpochs,
              const std::function<void(pid_t)>& meanwhile = {}) const {
    return run_wengert(words(name, resume, epochs), meanwhile);
  }
  void expect_same(const std::string& one, const std::string& other) const {
    for (const char* file : {"/model.safetensors", "/metrics.jsonl", "/curves.svg"}) {
      EXPECT_FALSE(bytes_at(out(one) + file).empty()) << file;
      EXPECT_TRUE(bytes_at(out(one) + file) == bytes_at(out(other) + file)) << file;
    }
  }

  static constexpr int kEpochs = 8;
  TemporaryFolder folder_;
};

/// The epochs that the folder's state has, 0 without one. All other files must be of that state or
/// behind it; `reference` are the lines of an uninterrupted run's metrics.
int checked_epochs(const std::string& folder, const std::vector<json>& reference) {
  const std::string model = folder + "/model.safetensors", metrics = folder + "/metrics.jsonl";
  int epochs = 0;
  if (exists(model)) {
    const io::SafeTensors read = io::read_safetensors(model);
    EXPECT_EQ(read.tensors.size() - io::state_of(read).size(), 8u);
    epochs = std::stoi(read.metadata.at("epoch"));
  }
  if (exists(metrics)) {
    const std::string text = bytes_at(metrics);
    EXPECT_TRUE(text.empty() || text.back() == '\n') << "a torn line";
    const std::vector<json> lines = json_lines(metrics);
    const int count = static_cast<int>(lines.size());
    EXPECT_LE(count, epochs) << "metrics of epochs that no state has";
    EXPECT_GE(count, epochs - 1);
    for (std::size_t i = 0; i < lines.size() && i < reference.size(); ++i) {
      json line = lines[i], wanted = reference[i];
      for (const char* key : {"test_loss", "test_accuracy"}) {
        line.erase(key);
        wanted.erase(key);
      }
      EXPECT_EQ(line, wanted);
    }
  }
  for (const char* picture : {"/curves.svg", "/graph.svg"}) {
    if (!exists(folder + picture)) continue;
    EXPECT_TRUE(holds(bytes_at(folder + picture), "</svg>")) << picture << " is torn";
    EXPECT_EQ(epochs, static_cast<int>(reference.size())) << picture << " of an unfinished run";
  }
  const std::set<std::string> known = {"model.safetensors", "metrics.jsonl", "curves.svg",
                                       "graph.svg"};
  for (std::string name : names_in(folder)) {
    const std::string ending = ".wengert-tmp";
    if (name.starts_with(".") && name.ends_with(ending)) {
      name = name.substr(1, name.size() - 1 - ending.size());
    }
    EXPECT_TRUE(known.contains(name) || name == "wengert-write-probe") << name;
  }
  return epochs;
}

TEST_F(RunFolder, KilledAtAnyMomentItsFilesAgreeAndItGoesOnToTheSameBytes) {
  const bool all = std::getenv("WENGERT_LONG_TESTS") != nullptr;
  const int kills = all ? 1000 : WENGERT_ADDRESS_SANITIZER ? 15 : 50;
  RecordProperty("kills", kills);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run("straight").status, 0);
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(
                                std::chrono::steady_clock::now() - start)
                                .count();
  const std::vector<json> reference = json_lines(out("straight") + "/metrics.jsonl");
  ASSERT_EQ(reference.size(), static_cast<std::size_t>(kEpochs));
  std::uint32_t random = 12345;
  int killed = 0;
  std::set<int> stood_at;
  int epochs = 0;
  while (killed < kills) {
    SCOPED_TRACE("after kill " + std::to_string(killed));
    random = random * 1664525u + 1013904223u;
    const auto pause = (random >> 8) % static_cast<std::uint32_t>(microseconds + microseconds / 4);
    const Outcome outcome = run("cut", epochs > 0, kEpochs, [&](pid_t child) {
      ::usleep(pause);
      ::kill(child, SIGKILL);
    });
    if (outcome.status == 0) {
      expect_same("cut", "straight");
      std::filesystem::remove_all(out("cut"));
      epochs = 0;
      continue;
    }
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.err;
    ++killed;
    if (!exists(out("cut"))) continue;
    const int found = checked_epochs(out("cut"), reference);
    EXPECT_GE(found, epochs) << "a state was lost";
    epochs = found;
    stood_at.insert(epochs);
    if (HasFailure()) return;
  }
  // Otherwise the test would show nothing: kills fell before, among and after the epochs.
  EXPECT_GE(stood_at.size(), 3u);
  ASSERT_EQ(run("cut", epochs > 0).status, 0);
  expect_same("cut", "straight");
}

TEST_F(RunFolder, MetricsNeverRunAheadOfTheState) {
  // The state cannot be written: what is told of it may not be there either.
  std::filesystem::create_directories(out("run") + "/model.safetensors/inside");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(holds(outcome.err, "model.safetensors: is a folder")) << outcome.err;
  EXPECT_FALSE(exists(out("run") + "/metrics.jsonl"));
}

TEST_F(RunFolder, ResumingBringsTheFilesToTheState) {
  ASSERT_EQ(run("straight").status, 0);
  ASSERT_EQ(run("run", false, kEpochs - 3).status, 0);
  const std::string metrics = out("run") + "/metrics.jsonl";
  // As if it had been killed between the state and its metrics; and once without any.
  std::ofstream(metrics) << "{\"epoch\":99}\n";
  ASSERT_EQ(run("run", true, kEpochs - 3).status, 0);
  EXPECT_EQ(json_lines(metrics).size(), static_cast<std::size_t>(kEpochs - 3));
  EXPECT_TRUE(json_lines(metrics).back().contains("test_accuracy"));
  std::filesystem::remove(metrics);
  ASSERT_EQ(run("run", true).status, 0);
  // The rate falls over all epochs, so that a run of more is another one: it has as many lines.
  EXPECT_EQ(json_lines(metrics).size(), static_cast<std::size_t>(kEpochs));
}

TEST_F(RunFolder, WhatAnotherRunLeftGoesBeforeTheFirstState) {
  ASSERT_EQ(run("run").status, 0);
  std::ofstream(out("run") + "/graph.dot") << "of another";
  std::ofstream(out("run") + "/notes.txt") << "mine";
  const Outcome outcome = run("run", false, 100000, [&](pid_t child) {
    for (int i = 0; i < 6000 && exists(out("run") + "/graph.dot"); ++i) ::usleep(10000);
    ::kill(child, SIGTERM);
  });
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_EQ(names_in(out("run")),
            (std::set<std::string>{"model.safetensors", "metrics.jsonl", "notes.txt"}));
  const std::string epochs =
      io::read_safetensors(out("run") + "/model.safetensors").metadata.at("epoch");
  EXPECT_EQ(std::to_string(json_lines(out("run") + "/metrics.jsonl").size()), epochs);
}

TEST_F(RunFolder, HasOneOwner) {
  const std::string model = out("run") + "/model.safetensors";
  const Outcome first = run("run", false, 100000, [&](pid_t child) {
    EXPECT_TRUE(wait_for(model, child));
    for (const bool resume : {false, true}) {
      const Outcome second = run("run", resume);
      EXPECT_EQ(second.status, 1);
      EXPECT_TRUE(holds(second.err, out("run") + ": is in use by ")) << second.err;
      EXPECT_TRUE(holds(second.err, "process " + std::to_string(child)) ||
                  holds(second.err, "another program"))
          << second.err;
      EXPECT_TRUE(holds(second.err, "choose another folder")) << second.err;
      EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '\n'), 1) << second.err;
      EXPECT_EQ(second.out, "");
    }
    ::kill(child, SIGINT);
  });
  EXPECT_EQ(first.status, 1) << first.err;
  EXPECT_TRUE(holds(first.err, "--resume goes on from there")) << first.err;
  // Killed, it does not keep the folder either; nothing but results is in it.
  const std::string metrics = out("run") + "/metrics.jsonl";
  ASSERT_TRUE(std::filesystem::remove(metrics));
  const Outcome killed = run("run", true, 100000, [&](pid_t child) {
    EXPECT_TRUE(wait_for(metrics, child));  // written by a run that goes on, which has the folder
    ::kill(child, SIGKILL);
  });
  EXPECT_EQ(killed.status, 128 + SIGKILL);
  EXPECT_EQ(run("run").status, 0);
  EXPECT_EQ(names_in(out("run")), (std::set<std::string>{"model.safetensors", "metrics.jsonl",
                                                         "curves.svg", "graph.svg"}));
}

TEST_F(RunFolder, WithoutAStateThereIsNothingToGoOnFrom) {
  std::filesystem::create_directory(out("run"));
  const Outcome outcome = run("run", true);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(holds(outcome.err, "begin anew, without --resume")) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_empty(out("run")));
}

}  // namespace
}  // namespace wengert
