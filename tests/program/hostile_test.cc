// Files and arguments that mean harm, or just do not fit: what the program does with them, and what
// of them reaches the terminal.
#include <gtest/gtest.h>

#include "tests/program/pictures.h"
#include "wengert/graph/text.h"
#include "wengert/io/safetensors.h"

namespace wengert {
namespace {

using Tensors = std::vector<io::NamedTensor>;

const std::string kEvil = "\x1b[31m\x1b]0;t\x07\r\n\x7f\xc2\x9b\xe2\x80\xae";

/// Whether each line of the text can be shown as it is.
bool is_printable(const std::string& text) {
  for (const std::string& line : lines_of(text)) {
    if (printable(line) != line) return false;
  }
  return true;
}

Tensors zeros_of_mlp() {
  const auto zeros = [](const Shape& shape) { return Tensor::zeros(shape, DType::kFloat32); };
  return {{"fc1/weight", zeros({784, 256})}, {"fc1/bias", zeros({256})},
          {"fc2/weight", zeros({256, 128})}, {"fc2/bias", zeros({128})},
          {"fc3/weight", zeros({128, 100})}, {"fc3/bias", zeros({100})},
          {"out/weight", zeros({100, 10})},  {"out/bias", zeros({10})}};
}

TEST(Weights, MustBeThoseOfTheModel) {
  const TemporaryFolder folder;
  write_data(folder / "data", 20, 20);
  const std::string file = folder / "weights.safetensors";
  const auto ask = [&](const Tensors& tensors, const std::map<std::string, std::string>& metadata) {
    io::write_safetensors(file, tensors, metadata);
    return std::vector<Outcome>{
        run_wengert({"graph", "mlp", "--weights", file, "-o", folder / "g.dot"}),
        run_wengert({"predict", "--model", file, "--data", folder / "data", "--count", "3"})};
  };
  const std::map<std::string, std::string> mlp = {{"model", "mlp"}};
  for (const Outcome& outcome : ask(zeros_of_mlp(), mlp)) EXPECT_EQ(outcome.status, 0);
  std::filesystem::remove(folder / "g.dot");

  struct Case {
    Tensors tensors;
    std::map<std::string, std::string> metadata;
    std::string words;
  };
  std::vector<Case> cases;
  for (std::size_t i = 0; i < zeros_of_mlp().size(); ++i) {
    Tensors lacks = zeros_of_mlp();
    const std::string name = lacks[i].name;
    lacks.erase(lacks.begin() + static_cast<std::ptrdiff_t>(i));
    cases.push_back({lacks, mlp, "'" + name + "' is missing"});
    Tensors other = zeros_of_mlp();
    other[i].tensor = Tensor::zeros({3, 2}, DType::kFloat32);
    cases.push_back({other, mlp, "'" + name + "' is f32[3,2] there, here"});
    other[i].tensor = zeros_of_mlp()[i].tensor.to(DType::kFloat64);
    cases.push_back({other, mlp, "'" + name + "' is f64["});
  }
  Tensors more = zeros_of_mlp();
  more.push_back({"fc9/weight", Tensor::zeros({2}, DType::kFloat32)});
  cases.push_back({more, mlp, "the set has no 'fc9/weight'"});
  more.back().name = kEvil + "/weight";
  cases.push_back({more, mlp, "the set has no '\\x1b[31m\\x1b]0;t\\x07\\x0d\\x0a\\u007f"});
  cases.push_back({{}, mlp, "'fc1/weight', 'fc1/bias', "});
  for (const Case& c : cases) {
    for (const Outcome& outcome : ask(c.tensors, c.metadata)) {
      EXPECT_EQ(outcome.status, 1) << c.words;
      EXPECT_TRUE(holds(outcome.err, file + ": ")) << outcome.err;
      EXPECT_TRUE(holds(outcome.err, c.words)) << c.words << " is not in " << outcome.err;
      EXPECT_TRUE(is_printable(outcome.err)) << printable(outcome.err);
      EXPECT_EQ(outcome.out, "");
    }
    EXPECT_FALSE(exists(folder / "g.dot")) << c.words;
  }
  for (const char* model : {"sigmoid_mlp", "none", "m\x1b[31m\nlp"}) {
    const std::vector<Outcome> outcomes = ask(zeros_of_mlp(), {{"model", model}});
    EXPECT_EQ(outcomes[0].status, 1);
    EXPECT_TRUE(holds(outcomes[0].err, file + ": it is of the model " + printable(model)))
        << outcomes[0].err;
    if (std::string(model) == "sigmoid_mlp") continue;
    EXPECT_EQ(outcomes[1].status, 1);
    EXPECT_TRUE(holds(outcomes[1].err, file + ": no model named '" + printable(model) + "'"))
        << outcomes[1].err;
  }
}

TEST(Hostile, ArgumentsReachTheTerminalAsTextOnly) {
  const TemporaryFolder folder;
  const std::string path = folder / kEvil;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{kEvil},
                                             {"train", kEvil},
                                             {"train", "mlp", "--" + kEvil},
                                             {"train", "mlp", "--" + kEvil + "="},
                                             {"train", "mlp", "--epochs", kEvil},
                                             {"train", "mlp", "--epochs", "1", kEvil},
                                             {"train", "mlp", "--optimizer", kEvil},
                                             {"train", "mlp", "--option", kEvil},
                                             {"train", "mlp", "--option", kEvil + "=1"},
                                             {"train", "mlp", "--option", "beta1=" + kEvil},
                                             {"train", "mlp", "--schedule", kEvil},
                                             {"train", "mlp", "--rate", kEvil},
                                             {"train", "mlp", "--data", path},
                                             {"predict", "--model", path},
                                             {"graph", "mlp", "--format", kEvil},
                                             {"graph", "mlp", "-o", path + "/g.dot"},
                                             {"graph", "mlp", "-o", "g." + kEvil},
                                             {"graph", "mlp", "--weights", path},
                                             {"ops", kEvil},
                                             {"optimizers", kEvil},
                                             {"passes", kEvil},
                                             {"schedules", kEvil},
                                             {"initializers", kEvil},
                                             {"techniques", kEvil},
                                             {"gradcheck", "--op", kEvil},
                                             {"bench", kEvil}}) {
    const Outcome outcome = run_wengert(words);
    EXPECT_GT(outcome.status, 0) << ::testing::PrintToString(words);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(is_printable(outcome.err)) << printable(outcome.err);
  }
}

TEST(Hostile, ATrainingInAFolderOfSuchAName) {
  const TemporaryFolder folder;
  write_data(folder / "data", 60, 20);
  for (const std::string& name : {kEvil, std::string("\xff\xfe"), std::string("λ\x7f")}) {
    std::vector<std::string> words = {"train",       "mlp",      "--data", folder / "data", "--out",
                                      folder / name, "--epochs", "1",      "--validation",  "20"};
    const Outcome plain = run_wengert(words);
    EXPECT_EQ(plain.status, 0) << plain.err;
    EXPECT_TRUE(is_printable(plain.out)) << printable(plain.out);
    words.emplace_back("--json");
    const Outcome outcome = run_wengert(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_TRUE(is_printable(outcome.out)) << printable(outcome.out);
    EXPECT_TRUE(is_printable(outcome.err)) << printable(outcome.err);
    const auto json = nlohmann::json::parse(outcome.out);
    if (name != "\xff\xfe") {
      EXPECT_EQ(json.at("out"), folder / name);
    }
  }
}

TEST(Hostile, ANetworkThatIsNotFiniteIsNoSuccess) {
  const TemporaryFolder folder;
  write_data(folder / "data", 60, 20);
  // One step in all, of the whole data: its loss is finite, what it makes of the weights is not.
  const auto train = [&](const char* rate) {
    return run_wengert({"train", "mlp", "--data", folder / "data", "--out", folder / "run",
                        "--epochs", "1", "--batch", "60", "--validation", "10", "--optimizer",
                        "sgd", "--rate", rate});
  };
  const Outcome infinite = train("1e300");
  EXPECT_EQ(infinite.status, 1) << infinite.out;
  EXPECT_TRUE(holds(infinite.err, "after epoch 1 the parameter 'fc1/")) << infinite.err;
  EXPECT_TRUE(holds(infinite.err, "holds NaN or infinity; lower the rate")) << infinite.err;
  EXPECT_TRUE(names_in(folder / "run").empty());
  // Weights that are finite may make a loss that is not, on what they were not trained on.
  const Outcome large = train("1e30");
  EXPECT_EQ(large.status, 1) << large.out;
  EXPECT_TRUE(holds(large.err, "the loss on the test images is ")) << large.err;
  EXPECT_TRUE(holds(large.err, "although all weights are finite; lower the rate")) << large.err;
  EXPECT_TRUE(json_lines(folder / "run/metrics.jsonl").back().at("test_loss").is_null());
}

}  // namespace
}  // namespace wengert
