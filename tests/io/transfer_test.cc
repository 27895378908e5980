#include "wengert/io/transfer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/text.h"
#include "wengert/io/parameter_file.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

/// What a trained network left: names of another program, a head of 20 classes, a buffer.
void write_trained(const std::string& path) {
  ParameterSet set;
  set.add("net.fc1.weight", Tensor::full({2, 3}, 1, DType::kFloat32));
  set.add("net.fc1.bias", Tensor::full({3}, 2, DType::kFloat32));
  set.add("net.fc2.weight", Tensor::full({3, 3}, 3, DType::kFloat64));
  set.add("net.out.weight", Tensor::full({3, 20}, 4, DType::kFloat32));
  set.add("old/thing", Tensor::full({1}, 5, DType::kFloat32));
  set.declare_buffer("net.norm.mean", {3}, DType::kFloat32, 6);
  save(set, path);
}

const std::vector<std::pair<std::string, std::string>> kNames = {{"net.fc1.*", "fc1/*"},
                                                                 {"net.fc2.*", "fc2/*"},
                                                                 {"net.out.*", "out/*"},
                                                                 {"net.norm.mean", "norm/mean"}};

/// The new one, of which every element is 9.
void fill(ParameterSet& set) {
  set.add("fc1/weight", Tensor::full({2, 3}, 9, DType::kFloat32));
  set.add("fc1/bias", Tensor::full({3}, 9, DType::kFloat32));
  set.add("fc2/weight", Tensor::full({3, 3}, 9, DType::kFloat32));
  set.add("out/weight", Tensor::full({3, 10}, 9, DType::kFloat32));
  set.add("out/bias", Tensor::full({10}, 9, DType::kFloat32));
  set.declare_buffer("norm/mean", {3}, DType::kFloat32, 9);
  set.declare_buffer("drop/counter", {}, DType::kInt64, 9);
}

double first_of(const ParameterSet& set, const std::string& name) {
  const Buffer* buffer = set.find_buffer(name);
  return (buffer != nullptr ? buffer->value() : set.at(name).value()).at(0);
}

TEST(Transfer, LoadsWhatFitsFreezesItAndSaysWhatBecameOfTheRest) {
  const TemporaryFolder folder;
  write_trained(folder / "f");
  ParameterSet set(1);
  fill(set);
  const std::byte* memory = set.at("fc1/weight").value().data();
  const TransferReport report = transfer(set, folder / "f", {.rename = kNames});

  EXPECT_EQ(first_of(set, "fc1/weight"), 1);
  EXPECT_EQ(first_of(set, "fc1/bias"), 2);
  EXPECT_EQ(first_of(set, "norm/mean"), 6);
  for (const char* left : {"fc2/weight", "out/weight", "out/bias", "drop/counter"}) {
    EXPECT_EQ(first_of(set, left), 9) << left;
  }
  EXPECT_EQ(set.at("fc1/weight").value().data(), memory) << "optimizers keep their memory";
  for (const Parameter* parameter : set.all()) {
    EXPECT_EQ(parameter->trainable(), !parameter->name().starts_with("fc1/")) << parameter->name();
  }

  ASSERT_EQ(report.loaded.size(), 3u);
  EXPECT_EQ(report.loaded[0].from, "net.fc1.weight");
  EXPECT_EQ(report.loaded[0].what, "f32[2,3]");
  EXPECT_TRUE(report.loaded[1].frozen);
  EXPECT_TRUE(report.loaded[2].is_buffer);
  EXPECT_FALSE(report.loaded[2].frozen);
  ASSERT_EQ(report.skipped.size(), 4u);
  EXPECT_EQ(report.skipped[0].name, "fc2/weight");
  EXPECT_EQ(report.skipped[0].reason, TransferSkip::kOtherDType);
  EXPECT_EQ(report.skipped[0].words, "f64[3,3] there, here f32[3,3]");
  EXPECT_EQ(report.skipped[1].reason, TransferSkip::kOtherShape);
  EXPECT_EQ(report.skipped[1].words, "f32[3,20] there, here f32[3,10]");
  EXPECT_EQ(report.skipped[2].reason, TransferSkip::kNotInFile);
  EXPECT_EQ(report.skipped[3].name, "drop/counter");
  EXPECT_EQ(report.unused, (std::vector<std::string>{"old/thing"}));
  EXPECT_EQ(report.left(), (std::vector<std::string>{"fc2/weight", "out/weight", "out/bias"}));
  EXPECT_EQ(report.loaded_elements, 9);
  EXPECT_EQ(report.elements, 9 + 9 + 30 + 10);
  EXPECT_EQ(report.str(),
            "loaded 3, skipped 4, unused 1; 9 of 58 parameter elements\n"
            "loaded fc1/weight: f32[2,3] from net.fc1.weight, frozen\n"
            "loaded fc1/bias: f32[3] from net.fc1.bias, frozen\n"
            "loaded norm/mean: f32[3] from net.norm.mean, a buffer\n"
            "skipped fc2/weight: other dtype (f64[3,3] there, here f32[3,3]); stays as it was\n"
            "skipped out/weight: other shape (f32[3,20] there, here f32[3,10]); stays as it was\n"
            "skipped out/bias: not in the file; stays as it was\n"
            "skipped drop/counter: not in the file; stays as it was, a buffer\n"
            "unused old/thing");
}

TEST(Transfer, TakesWhatIsAskedForAlone) {
  const TemporaryFolder folder;
  write_trained(folder / "f");
  ParameterSet set;
  fill(set);
  set.at("fc1/weight").set_trainable(false);
  const TransferReport report =
      transfer(set, folder / "f", {.wanted = {"fc1/w*", "*mean"}, .rename = kNames});
  ASSERT_EQ(report.loaded.size(), 2u);
  EXPECT_FALSE(report.loaded[0].frozen) << "it was already";
  EXPECT_EQ(report.skipped[0].name, "fc1/bias");
  EXPECT_EQ(report.skipped[0].reason, TransferSkip::kNotWanted);
  EXPECT_EQ(first_of(set, "fc1/bias"), 9);
  EXPECT_EQ(first_of(set, "norm/mean"), 6);
  // What bears a name of the set is not called unknown, wanted or not.
  EXPECT_EQ(report.unused, (std::vector<std::string>{"old/thing"}));

  ParameterSet trained;
  fill(trained);
  (void)transfer(trained, folder / "f", {.rename = kNames, .freeze = false});
  for (const Parameter* parameter : trained.all()) EXPECT_TRUE(parameter->trainable());
}

TEST(Transfer, WhatCannotBeDoneLeavesTheSetAsItWas) {
  const TemporaryFolder folder;
  write_trained(folder / "f");
  const auto refused = [&](const TransferOptions& options, const std::string& words) {
    ParameterSet set;
    fill(set);
    try {
      (void)transfer(set, folder / "f", options);
      ADD_FAILURE() << "was accepted: " << words;
    } catch (const Error& error) {
      EXPECT_NE((error.message() + "; " + error.fix()).find(words), std::string::npos)
          << error.what();
    }
    for (const Parameter* parameter : set.all()) {
      EXPECT_EQ(parameter->value().at(0), 9) << parameter->name();
      EXPECT_TRUE(parameter->trainable()) << parameter->name();
    }
    EXPECT_EQ(first_of(set, "norm/mean"), 9);
  };
  refused({}, "nothing of it fits: 'fc1/weight' not in the file");
  refused({.rename = {{"net.fc1.weight", "fc1/weights"}}},
          "'fc1/weight' not in the file (the closest there is 'fc1/weights')");
  refused({.wanted = {"out/*"}, .rename = kNames},
          "nothing of it fits: 'out/weight' other shape (f32[3,20] there, here f32[3,10]), "
          "'out/bias' not in the file");
  refused({.wanted = {"*", "fc3/*"}, .rename = kNames}, "nothing here is called 'fc3/*'");
  refused({.wanted = {}}, "nothing of it fits");
  refused({.rename = {{"net.*", "*"}, {"encoder.*", "*"}}}, "nothing called 'encoder.*' to rename");
  refused({.rename = {{"net.*", "one"}}}, "'one' comes twice once names are changed");

  ParameterSet empty;
  EXPECT_THROW((void)transfer(empty, folder / "f", {.rename = kNames}), Error);
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_THROW((void)transfer(empty, folder / "none"), IoError);
}

TEST(Transfer, ABufferIsNoParameterUnlessTheFileDoesNotSay) {
  const TemporaryFolder folder;
  ParameterSet from, set;
  from.add("a", Tensor::scalar(1.0f));
  from.declare_buffer("b", {}, DType::kFloat32, 2);
  save(from, folder / "f");
  set.declare_buffer("a", {}, DType::kFloat32, 9);
  set.add("b", Tensor::scalar(9.0f));
  set.add("c", Tensor::scalar(9.0f));
  try {
    (void)transfer(set, folder / "f");
    ADD_FAILURE();
  } catch (const IoError& error) {
    EXPECT_NE(error.message().find("'b' other kind (a buffer there, here a parameter)"),
              std::string::npos)
        << error.what();
  }
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"a", Tensor::scalar(1.0f)},
                                                           {"b", Tensor::scalar(2.0f)}});
  EXPECT_EQ(transfer(set, folder / "f").loaded.size(), 2u);
  EXPECT_EQ(set.find_buffer("a")->value().scalar_value(), 1);
}

TEST(Transfer, ATransposedWeightIsOfAnotherShape) {
  const SafeTensors file = {{{"a", Tensor::full({3, 2}, 1)}, {"b", Tensor::full({3}, 1)}}, {}};
  ParameterSet set;
  set.add("a", Tensor::full({2, 3}, 9));
  set.add("b", Tensor::full({3}, 9));
  const TransferReport report = transfer(set, file, "f");
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].reason, TransferSkip::kOtherShape);
  EXPECT_EQ(set.at("a").value().at(0), 9);
}

TEST(Transfer, PassesOverWhatAnOptimizerLeft) {
  const TemporaryFolder folder;
  ParameterSet from, set;
  from.add("a", Tensor::scalar(1.0f));
  const SafeTensors file = to_file(from, {}, {{"adam/m", Tensor::scalar(7.0f)}});
  set.add("a", Tensor::scalar(9.0f));
  set.add("adam/m", Tensor::scalar(9.0f));
  const TransferReport report = transfer(set, file, "f");
  EXPECT_EQ(report.loaded.size(), 1u);
  EXPECT_TRUE(report.unused.empty());
  EXPECT_EQ(set.at("adam/m").value().scalar_value(), 9);
}

TEST(Transfer, TellsNamesOfStrangersInPrintableWords) {
  const std::string evil = "\x1b[31m\r\nzz";
  const SafeTensors file = {{{"a", Tensor::scalar(1.0f)}, {evil, Tensor::scalar(1.0f)}}, {}};
  ParameterSet set;
  set.add("a", Tensor::scalar(9.0f));
  set.add(evil + "z", Tensor::scalar(9.0f));
  const std::string text = transfer(set, file, "f").str();
  for (const std::string& line : lines_of(text)) EXPECT_EQ(printable(line), line);
  EXPECT_NE(text.find("zz"), std::string::npos);
}

TEST(NameFits, APatternOfStars) {
  EXPECT_TRUE(name_fits("encoder/fc1/weight", "encoder/*/weight"));
  EXPECT_TRUE(name_fits("a", "*"));
  EXPECT_TRUE(name_fits("", "*"));
  EXPECT_TRUE(name_fits("aXbXb", "a*b"));
  EXPECT_FALSE(name_fits("aXbc", "a*b"));
  EXPECT_FALSE(name_fits("weight", "weigh"));
}

}  // namespace
}  // namespace wengert::io
