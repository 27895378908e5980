#include "wengert/io/parameter_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

void fill(ParameterSet& set, double value) {
  set.add("fc/weight", Tensor::full({2, 3}, value, DType::kFloat32));
  set.declare_buffer("norm/mean", {3}, DType::kFloat32, 0);
  set.declare_buffer("drop/counter", {}, DType::kInt64, 0);
}

TEST(ParameterFile, CarriesParametersAndBuffersAndTellsThemApart) {
  const TemporaryFolder folder;
  ParameterSet set;
  fill(set, 1.5);
  set.find_buffer("norm/mean")->set(Tensor::from({1.0f, 2.0f, 3.0f}, {3}));
  set.find_buffer("drop/counter")->set(Tensor::scalar(std::int64_t{1} << 60));
  save(set, folder / "c", {{"model", "test"}});
  const SafeTensors file = read_safetensors(folder / "c");
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.metadata.at("buffers"), "norm/mean\ndrop/counter");

  ParameterSet empty, filled;
  fill(filled, 9);
  const std::byte* memory = filled.at("fc/weight").value().data();
  for (ParameterSet* to : {&empty, &filled}) {
    EXPECT_EQ(load(*to, folder / "c").metadata,
              (std::map<std::string, std::string>{{"model", "test"}}));
    ASSERT_EQ(to->size(), 1u);
    ASSERT_EQ(to->buffers().size(), 2u);
    EXPECT_EQ(to->at("fc/weight").value().to_vector<double>(), std::vector<double>(6, 1.5));
    EXPECT_EQ(to->find_buffer("norm/mean")->value().to_vector<double>(),
              (std::vector<double>{1, 2, 3}));
    EXPECT_EQ(to->find_buffer("drop/counter")->value().item<std::int64_t>(), std::int64_t{1} << 60);
  }
  EXPECT_EQ(filled.at("fc/weight").value().data(), memory) << "optimizers keep their memory";
  EXPECT_EQ(empty.declare_buffer("norm/mean", {3}, DType::kFloat32, 0).value().at(2), 3);
}

TEST(ParameterFile, OfParametersAloneIsAnyToolsFile) {
  const TemporaryFolder folder;
  ParameterSet set, read;
  set.add("w", Tensor::scalar(1.0));
  save(set, folder / "c");
  EXPECT_TRUE(read_safetensors(folder / "c").metadata.empty());
  EXPECT_TRUE(load(read, folder / "c").metadata.empty());
  EXPECT_EQ(read.at("w").value().scalar_value(), 1);
}

TEST(ParameterFile, WhatDoesNotFitLeavesTheSetAsItWas) {
  const TemporaryFolder folder;
  ParameterSet set;
  fill(set, 1.5);
  save(set, folder / "c");
  const auto refused = [&](ParameterSet& into, const std::string& part) {
    try {
      (void)load(into, folder / "c");
      ADD_FAILURE() << "was accepted: " << part;
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  ParameterSet other_shape, other_kind, more, more_buffers;
  other_shape.add("a", Tensor::scalar(4.0));
  other_shape.declare_buffer("norm/mean", {4}, DType::kFloat32);
  refused(other_shape, "'norm/mean' is f32[3] there, here f32[4]");
  EXPECT_EQ(other_shape.size(), 1u);
  other_kind.declare_buffer("fc/weight", {2, 3}, DType::kFloat32);
  refused(other_kind, "'fc/weight' is a parameter there, here a buffer");
  fill(more, 2);
  more.add("extra", Tensor::scalar(1.0));
  refused(more, "'extra' is missing");
  EXPECT_EQ(more.at("fc/weight").value().at(0), 2);
  fill(more_buffers, 2);
  more_buffers.declare_buffer("extra", {}, DType::kFloat32);
  refused(more_buffers, "'extra' is missing");
}

TEST(ParameterFile, RefusesNamesThatItCouldNotReadBack) {
  const TemporaryFolder folder;
  ParameterSet set;
  set.declare_buffer("two\nlines", {}, DType::kFloat32);
  EXPECT_THROW(save(set, folder / "c"), Error);
  EXPECT_THROW(save(ParameterSet(), folder / "c", {{"buffers", "x"}}), Error);
  EXPECT_TRUE(folder.names().empty());
}

void fill_layers(ParameterSet& set, const std::vector<std::string>& names) {
  double value = 1;
  for (const std::string& name : names) set.add(name, Tensor::full({2}, value++, DType::kFloat32));
}

TEST(Load, ReportsMissingAndUnusedNamesAndRenamesByATable) {
  const TemporaryFolder folder;
  ParameterSet from;
  fill_layers(from, {"net.fc1.weight", "net.fc2.weight", "head.weight"});
  save(from, folder / "c");
  ParameterSet to;
  fill_layers(to, {"fc1/weight", "fc2/weight", "new/weight"});
  const std::vector<std::pair<std::string, std::string>> table = {{"net.fc1.*", "fc1/*"},
                                                                  {"net.fc2.weight", "fc2/weight"}};
  const auto refused = [&](const LoadOptions& options) -> std::string {
    try {
      (void)load(to, folder / "c", options);
    } catch (const IoError& error) {
      EXPECT_EQ(to.at("fc2/weight").value().at(0), 2) << "the set is unchanged";
      return error.what();
    }
    return "was accepted";
  };
  const auto holds = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(holds(refused({}), "'fc1/weight', 'fc2/weight', 'new/weight' are missing"));
  EXPECT_TRUE(holds(refused({.rename = table}), "'new/weight' is missing"));
  EXPECT_TRUE(
      holds(refused({.rename = table, .allow_missing = true}), "the set has no 'head.weight'"));
  EXPECT_TRUE(holds(refused({.rename = {{"*.weight", "fc1/weight"}}}), "comes twice"));
  const LoadReport report =
      load(to, folder / "c", {.rename = table, .allow_missing = true, .allow_unused = true});
  EXPECT_EQ(report.loaded, (std::vector<std::string>{"fc1/weight", "fc2/weight"}));
  EXPECT_EQ(report.missing, std::vector<std::string>{"new/weight"});
  EXPECT_EQ(report.unused, std::vector<std::string>{"head.weight"});
  EXPECT_EQ(report.renamed.size(), 2u);
  EXPECT_EQ(report.str(),
            "loaded 2, missing 1 ('new/weight'), unused 1 ('head.weight'), renamed 2");
  EXPECT_EQ(to.at("fc1/weight").value().at(0), 1);
  EXPECT_EQ(to.at("fc2/weight").value().at(1), 2);
  EXPECT_EQ(to.at("new/weight").value().at(0), 3) << "stays what it was";
  EXPECT_EQ(to.find("head.weight"), nullptr);
  (void)load(to, folder / "c", {.rename = table, .allow_missing = true, .add = true});
  EXPECT_EQ(to.at("head.weight").value().at(0), 3);
}

TEST(Load, LeavesNothingRandomBehindItsBack) {
  const TemporaryFolder folder;
  ParameterSet from;
  fill_layers(from, {"fc1/weight"});
  save(from, folder / "c");
  const auto declare = [](ParameterSet& set, const char* name) {
    return set.declare(name, {2}, DType::kFloat32, {"none", 0, 0, nullptr}, {}).name();
  };
  ParameterSet sealed;
  (void)load(sealed, folder / "c");
  EXPECT_EQ(declare(sealed, "fc1/weight"), "fc1/weight");
  try {
    (void)declare(sealed, "fc2/weight");
    ADD_FAILURE() << "a random parameter was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kParameter);
    EXPECT_NE(error.message().find("has no parameter 'fc2/weight'"), std::string::npos);
    EXPECT_NE(error.fix().find("fc1/weight"), std::string::npos) << error.what();
  }
  EXPECT_THROW((void)sealed.declare_buffer("mean", {}, DType::kFloat32), Error);
  EXPECT_EQ(sealed.stream("drop").counter(), 0u) << "counters begin at 0, which is not random";
}

TEST(Load, TakesBuffersOfFilesThatDoNotNameThem) {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = {{"norm/mean", Tensor::full({3}, 7, DType::kFloat32)}};
  write_safetensors(folder / "c", tensors);
  ParameterSet set;
  set.declare_buffer("norm/mean", {3}, DType::kFloat32);
  EXPECT_EQ(load(set, folder / "c").loaded.size(), 1u);
  EXPECT_EQ(set.find_buffer("norm/mean")->value().at(2), 7);
}

TEST(Load, TakesStridedContents) {
  SafeTensors file;
  const Tensor dense = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {2, 3});
  // The same memory read column by column.
  file.tensors.push_back({"w", Tensor::from_storage(nullptr, const_cast<std::byte*>(dense.data()),
                                                    DType::kFloat64, {3, 2}, Strides{1, 3})});
  ParameterSet empty, filled;
  filled.add("w", Tensor::zeros({3, 2}, DType::kFloat64));
  for (ParameterSet* set : {&empty, &filled}) {
    (void)load(*set, file, "in memory");
    EXPECT_EQ(set->at("w").value().to_vector<double>(), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  }
}

}  // namespace
}  // namespace wengert::io
