#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "nlohmann/json.hpp"
#include "tests/program/child.h"
#include "tests/program/pictures.h"
#include "wengert/io/parameter_file.h"

// Training and predicting on a small data set that the tests write themselves.
namespace wengert {
namespace {

using nlohmann::json;

class Train : public ::testing::Test {
 protected:
  void SetUp() override { write_data(data(), 400, 50); }
  std::string data() const { return folder_ / "data"; }
  std::string out(const std::string& name = "run") const { return folder_ / name; }
  /// A run of two epochs; `more` goes on the command line.
  Outcome train(const std::string& name, std::vector<std::string> more = {},
                const std::function<void(pid_t)>& meanwhile = {}) const {
    std::vector<std::string> words = {"train",   "mlp",      "--data", data(),         "--out",
                                      out(name), "--epochs", "2",      "--validation", "50"};
    words.insert(words.end(), more.begin(), more.end());
    return run_wengert(words, meanwhile);
  }
  TemporaryFolder folder_;
};

TEST_F(Train, LeavesItsResults) {
  const Outcome outcome = train("run");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "") << "logs hold plain lines only";
  EXPECT_EQ(names_in(out()), (std::set<std::string>{"model.safetensors", "metrics.jsonl",
                                                    "curves.svg", "graph.svg"}));
  const auto lines = json_lines(out() + "/metrics.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("epoch"), i + 1);
    for (const char* key :
         {"rate", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}) {
      EXPECT_TRUE(lines[i].at(key).is_number()) << lines[i].dump();
    }
  }
  EXPECT_FALSE(lines[0].contains("test_accuracy"));
  EXPECT_LT(lines[1].at("train_loss").get<double>(), lines[0].at("train_loss").get<double>());
  // Ten classes: guessing gets a tenth.
  EXPECT_GT(lines[1].at("test_accuracy").get<double>(), 0.5);
  EXPECT_GT(lines[1].at("test_loss").get<double>(), 0);

  const io::SafeTensors model = io::read_safetensors(out() + "/model.safetensors");
  EXPECT_EQ(model.metadata.at("model"), "mlp");
  EXPECT_EQ(model.metadata.at("epoch"), "2");
  EXPECT_EQ(model.tensors.size() - io::state_of(model).size(), 8u);
  EXPECT_EQ(model.tensors[0].name, "fc1/weight");
  EXPECT_EQ(model.tensors[0].tensor.shape(), (Shape{784, 256}));
  EXPECT_TRUE(holds(bytes_at(out() + "/curves.svg"), "</svg>"));
  EXPECT_TRUE(holds(bytes_at(out() + "/graph.svg"), "</svg>"));
  EXPECT_TRUE(holds(bytes_at(out() + "/graph.svg"), "fc1"));
}

TEST_F(Train, TheSameSeedGivesTheSameBytes) {
  ASSERT_EQ(train("a", {"--seed", "3", "--threads", "1"}).status, 0);
  ASSERT_EQ(train("b", {"--seed", "3", "--threads", "4"}).status, 0);
  ASSERT_EQ(train("c", {"--seed", "4"}).status, 0);
  for (const char* file : {"/model.safetensors", "/metrics.jsonl", "/curves.svg"}) {
    EXPECT_FALSE(bytes_at(out("a") + file).empty());
    EXPECT_TRUE(bytes_at(out("a") + file) == bytes_at(out("b") + file)) << file;
    EXPECT_FALSE(bytes_at(out("a") + file) == bytes_at(out("c") + file)) << file;
  }
}

TEST_F(Train, JsonOnStandardOutputAloneAndPassesExplained) {
  const Outcome outcome =
      train("run", {"--json", "--l2", "0.001", "--clip", "0.01", "--optimizer", "nesterov"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json last = json::parse(outcome.out);
  EXPECT_TRUE(last.contains("test_accuracy"));
  EXPECT_EQ(last.at("out"), out());
  EXPECT_TRUE(holds(outcome.err, "l2_penalty: fc1/weight: adds 0.0005·Σw²")) << outcome.err;
  EXPECT_TRUE(holds(outcome.err, "clip_global_norm: all gradients")) << outcome.err;
  EXPECT_FALSE(holds(outcome.err, "fc1/bias: adds"));
}

TEST_F(Train, BeginsWithAPartOfATrainedNetworkAndFreezesIt) {
  ASSERT_EQ(train("old", {"--seed", "3"}).status, 0);
  const std::string old = out("old") + "/model.safetensors";
  const std::vector<std::string> options = {"--from", old, "--from-only", "fc1/*"};
  const Outcome outcome = train("new", options);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(holds(outcome.out, old + ": loaded 2, skipped 6")) << outcome.out;
  EXPECT_TRUE(holds(outcome.out, "loaded fc1/weight: f32[784,256], frozen")) << outcome.out;
  EXPECT_TRUE(holds(outcome.out, "skipped fc2/weight: not asked for; stays he_normal"))
      << outcome.out;
  const auto value = [](const std::string& path, const std::string& name) {
    for (const io::NamedTensor& entry : io::read_safetensors(path).tensors) {
      if (entry.name == name) return entry.tensor.to_vector<float>();
    }
    return std::vector<float>();
  };
  const std::string model = out("new") + "/model.safetensors";
  ASSERT_FALSE(value(old, "fc1/weight").empty());
  EXPECT_EQ(value(model, "fc1/weight"), value(old, "fc1/weight"));
  EXPECT_NE(value(model, "fc2/weight"), value(old, "fc2/weight"));

  // Going on needs no file: what was loaded is in the state, and stays frozen.
  const auto before = value(model, "fc2/weight");
  const Outcome on = run_wengert({"train", "mlp", "--data", data(), "--out", out("new"), "--epochs",
                                  "3", "--validation", "50", "--resume", "--from", out("gone")});
  ASSERT_EQ(on.status, 0) << on.err;
  EXPECT_TRUE(holds(on.out, "--from is not read again")) << on.out;
  EXPECT_EQ(value(model, "fc1/weight"), value(old, "fc1/weight"));
  EXPECT_NE(value(model, "fc2/weight"), before);

  const Outcome all = train("all", {"--from", old});
  EXPECT_EQ(all.status, 1);
  EXPECT_TRUE(holds(all.err, "nothing is left to train")) << all.err;
  EXPECT_FALSE(exists(out("all"))) << "a run that cannot start leaves nothing behind";
  EXPECT_EQ(train("all", {"--from", old, "--train-loaded"}).status, 0);
  EXPECT_EQ(train("other", {"--from", old, "--from-only", "fc9/*"}).status, 1);
}

TEST_F(Train, PredictReadsTheModel) {
  ASSERT_EQ(train("run").status, 0);
  const std::string model = out() + "/model.safetensors";
  const Outcome outcome =
      run_wengert({"predict", "--model", model, "--data", data(), "--count", "50", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json list = json::parse(outcome.out);
  ASSERT_EQ(list.size(), 50u);
  int right = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].at("image"), i);
    EXPECT_EQ(list[i].at("label"), (i * 7) % 10);
    EXPECT_GE(list[i].at("probability").get<double>(), 0.1);
    right += list[i].at("class") == list[i].at("label");
  }
  // The same pictures that the last line of the metrics counted.
  EXPECT_NEAR(json_lines(out() + "/metrics.jsonl").back().at("test_accuracy").get<double>(),
              right / 50.0, 1e-12);
  const json own = json::parse(
      run_wengert({"predict", "--model", model, "--images", data() + "/t10k-images-idx3-ubyte",
                   "--first", "7", "--count", "1", "--json"})
          .out);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].at("class"), list[7].at("class"));
  EXPECT_EQ(own[0].at("probability"), list[7].at("probability"));
  EXPECT_FALSE(own[0].contains("label"));
  EXPECT_EQ(run_wengert({"graph", "mlp", "--weights", model}).status, 0);

  const Outcome beyond =
      run_wengert({"predict", "--model", model, "--data", data(), "--first", "50"});
  EXPECT_EQ(beyond.status, 1);
  EXPECT_TRUE(holds(beyond.err, "image 50 of 50")) << beyond.err;
  std::filesystem::resize_file(model, std::filesystem::file_size(model) - 1);
  const Outcome damaged = run_wengert({"predict", "--model", model, "--data", data()});
  EXPECT_EQ(damaged.status, 1);
  EXPECT_TRUE(holds(damaged.err, model)) << damaged.err;
}

TEST_F(Train, PredictRefusesAModelOfOtherSizes) {
  const std::string model = folder_ / "other.safetensors";
  const std::vector<io::NamedTensor> tensors = {
      {"fc1/weight", Tensor::zeros({10, 3}, DType::kFloat32)}};
  io::write_safetensors(model, tensors, {{"model", "mlp"}});
  const Outcome outcome = run_wengert({"predict", "--model", model, "--data", data()});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(holds(outcome.err, "'fc1/weight' is f32[10,3]")) << outcome.err;
  io::write_safetensors(model, tensors);
  EXPECT_TRUE(
      holds(run_wengert({"predict", "--model", model, "--data", data()}).err, "name no model"));
}

// ------------------------------------------------------------ what can go wrong

TEST_F(Train, MissingDataIsOneClearError) {
  std::filesystem::remove(data() + "/t10k-images-idx3-ubyte");
  for (const std::string& from : {data(), folder_ / "nowhere"}) {
    const Outcome outcome =
        run_wengert({"train", "mlp", "--data", from, "--out", out(), "--epochs", "1"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(holds(outcome.err, from)) << outcome.err;
    EXPECT_TRUE(holds(outcome.err, "-images-idx3-ubyte")) << outcome.err;
    EXPECT_TRUE(holds(outcome.err, "dataset-fashion-mnist")) << outcome.err;
    EXPECT_FALSE(exists(out())) << "a run that cannot start left a folder";
  }
}

TEST_F(Train, DamagedGzipIsFound) {
  const std::string plain = data() + "/train-images-idx3-ubyte";
  const std::string bytes = bytes_at(plain);
  const auto write_gzip = [&] {
    gzFile file = gzopen((plain + ".gz").c_str(), "wb");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
              static_cast<int>(bytes.size()));
    ASSERT_EQ(gzclose(file), Z_OK);
  };
  std::filesystem::remove(plain);
  write_gzip();
  const std::vector<std::string> words = {"train", "mlp",   "--data",   data(),     "--validation",
                                          "0",     "--out", out("run"), "--epochs", "1"};
  EXPECT_EQ(run_wengert(words).status, 0) << "the whole file is read";
  std::filesystem::remove_all(out("run"));
  const std::string packed = bytes_at(plain + ".gz");
  std::vector<std::string> damaged = {packed.substr(0, packed.size() / 2), packed};
  damaged[1][packed.size() / 2] = static_cast<char>(damaged[1][packed.size() / 2] ^ 0x55);
  for (const std::string& content : damaged) {
    std::ofstream(plain + ".gz", std::ios::binary) << content;
    const Outcome outcome = run_wengert(words);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(holds(outcome.err, plain + ".gz")) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(exists(out("run")));
  }
}

TEST_F(Train, TooManyHeldOutIsFoundBeforeTraining) {
  const Outcome outcome =
      run_wengert({"train", "mlp", "--data", data(), "--out", out(), "--validation", "400"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(
      holds(outcome.err, "400 for validation and 0 for a test cannot be held out of 400 examples"))
      << outcome.err;
  EXPECT_FALSE(exists(out()));
}

TEST_F(Train, AnUnwritableFolderIsFoundBeforeTraining) {
  // A file where the folder should be: nobody, root neither, can write into it.
  std::ofstream(folder_ / "file") << "mine";
  for (const char* name : {"file", "file/run"}) {
    const Outcome outcome = train(name);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(holds(outcome.err, folder_ / "file")) << outcome.err;
    EXPECT_FALSE(holds(outcome.out, "training")) << "it began: " << outcome.out;
  }
  EXPECT_EQ(bytes_at(folder_ / "file"), "mine");
}

TEST_F(Train, AnInterruptLeavesAWholeCheckpoint) {
  const std::vector<std::string> words = {"train", "mlp",   "--data", data(),     "--validation",
                                          "0",     "--out", out(),    "--epochs", "100000"};
  const std::string model = out() + "/model.safetensors";
  const Outcome outcome = run_wengert(words, [&](pid_t child) {
    EXPECT_TRUE(wait_for(model, child));
    ::kill(child, SIGINT);
  });
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_TRUE(holds(outcome.err, "--resume goes on from there")) << outcome.err;
  const io::SafeTensors read = io::read_safetensors(model);
  EXPECT_EQ(read.tensors.size() - io::state_of(read).size(), 8u);
  const auto lines = json_lines(out() + "/metrics.jsonl");
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(read.metadata.at("epoch"), std::to_string(lines.size()));
  EXPECT_FALSE(lines.back().contains("test_accuracy"));
  for (const std::string& name : names_in(out())) EXPECT_FALSE(holds(name, "-tmp")) << name;
  EXPECT_EQ(run_wengert({"predict", "--model", model, "--data", data()}).status, 0);
}

TEST_F(Train, ResumingAnInterruptedRunGivesTheSameBytes) {
  const auto run = [&](const char* name, bool resume, const std::function<void(pid_t)>& meanwhile) {
    std::vector<std::string> words = {"train",
                                      "mlp",
                                      "--data",
                                      data(),
                                      "--out",
                                      out(name),
                                      "--epochs",
                                      "40",
                                      "--validation",
                                      "50",
                                      "--optimizer",
                                      "adamw",
                                      "--batch",
                                      "7",
                                      "--schedule",
                                      "reduce_on_plateau",
                                      "--schedule-option",
                                      "patience=1"};
    if (resume) words.emplace_back("--resume");
    return run_wengert(words, meanwhile);
  };
  ASSERT_EQ(run("straight", false, {}).status, 0);
  const std::string model = out("cut") + "/model.safetensors";
  const Outcome cut = run("cut", false, [&](pid_t child) {
    EXPECT_TRUE(wait_for(model, child));  // of the first of 40 epochs
    ::kill(child, SIGINT);
  });
  ASSERT_EQ(cut.status, 1) << cut.err;
  const Outcome outcome = run("cut", true, {});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(holds(outcome.out, "going on with mlp")) << outcome.out;
  for (const char* file : {"/model.safetensors", "/metrics.jsonl", "/curves.svg"}) {
    EXPECT_TRUE(bytes_at(out("cut") + file) == bytes_at(out("straight") + file)) << file;
  }
}

TEST_F(Train, EveryScheduleNeedsNoOptions) {
  for (const json& schedule : json::parse(run_wengert({"schedules", "--json"}).out)) {
    const Outcome outcome = train("run", {"--schedule", schedule.at("name").get<std::string>()});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  }
}

TEST_F(Train, TakesListsAndAWarmUp) {
  ASSERT_EQ(train("run", {"--schedule", "multi_step", "--schedule-option", "milestones=2,4",
                          "--warm-up", "2"})
                .status,
            0);
  const Outcome other =
      train("run", {"--schedule", "multi_step", "--schedule-option", "milestones=2,4", "--resume"});
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(holds(other.err, "linear_warm_up*multi_step")) << other.err;
  EXPECT_EQ(
      train("bad", {"--schedule", "multi_step", "--schedule-option", "milestones=4,2"}).status, 2);
}

TEST_F(Train, RateRangePrintsWhatItSawAndDrawsIt) {
  const std::string curve = out("rates.svg");
  const Outcome outcome =
      run_wengert({"rate-range", "mlp", "--data", data(), "--steps", "12", "--low", "0.001",
                   "--high", "0.1", "--out", curve, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json range = json::parse(outcome.out);
  ASSERT_GE(range.at("rates").size(), 2u);
  EXPECT_EQ(range.at("rates").size(), range.at("losses").size());
  EXPECT_EQ(range.at("rates")[0], 0.001);
  EXPECT_TRUE(holds(bytes_at(curve), "<svg"));
  const Outcome table =
      run_wengert({"rate-range", "mlp", "--data", data(), "--steps", "3", "--optimizer", "sgd"});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_TRUE(holds(table.out, "falls most steeply")) << table.out;
  EXPECT_EQ(
      run_wengert({"rate-range", "mlp", "--data", data(), "--low", "1", "--high", "1"}).status, 2);
}

TEST_F(Train, ResumesOnlyWhatItBegan) {
  ASSERT_EQ(train("run", {"--seed", "2"}).status, 0);
  const auto refused = [&](std::vector<std::string> more, const char* part) {
    more.emplace_back("--resume");
    const Outcome outcome = train("run", more);
    EXPECT_EQ(outcome.status, 1) << part;
    EXPECT_TRUE(holds(outcome.err, part)) << outcome.err;
  };
  refused({"--seed", "3"}, "with seed 2, here it is mlp with seed 3");
  refused({"--seed", "2", "--optimizer", "sgd"}, "its optimizer is adam, here it is sgd");
  refused({"--seed", "2", "--batch", "32"}, "go on with the same data and batch size");
  std::filesystem::remove(out() + "/model.safetensors");
  refused({"--seed", "2"}, "cannot be opened");
  EXPECT_EQ(train("fresh", {"--resume"}).status, 1);
  EXPECT_FALSE(exists(out("fresh")));
}

TEST_F(Train, ADivergingRunStopsAndNamesTheOp) {
  const Outcome outcome = train("run", {"--optimizer", "sgd", "--rate", "1e30"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(holds(outcome.err, "not finite") || holds(outcome.err, "NaN or infinity"))
      << outcome.err;
  EXPECT_TRUE(holds(outcome.err, "lower the rate")) << outcome.err;
  const std::string picture = bytes_at(out("run") + "/failed_step.svg");
  EXPECT_TRUE(holds(picture, "the step that failed"));
  EXPECT_TRUE(holds(picture, "it begins here"));
  EXPECT_FALSE(holds(picture, "at or before"));
}

}  // namespace
}  // namespace wengert
