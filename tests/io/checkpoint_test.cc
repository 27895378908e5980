#include "wengert/io/checkpoint.h"

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

TEST(Checkpoint, CarriesParametersAndBuffersAndTellsThemApart) {
  const TemporaryFolder folder;
  ParameterSet set;
  fill(set, 1.5);
  set.find_buffer("norm/mean")->set(Tensor::from({1.0f, 2.0f, 3.0f}, {3}));
  set.find_buffer("drop/counter")->set(Tensor::scalar(std::int64_t{1} << 60));
  write_checkpoint(folder / "c", set, {{"model", "test"}});
  const SafeTensors file = read_safetensors(folder / "c");
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(buffers_of(file), (std::set<std::string>{"norm/mean", "drop/counter"}));

  ParameterSet empty, filled;
  fill(filled, 9);
  const std::byte* memory = filled.at("fc/weight").value().data();
  for (ParameterSet* to : {&empty, &filled}) {
    EXPECT_EQ(read_checkpoint(folder / "c", *to),
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

TEST(Checkpoint, OfParametersAloneIsAnyToolsFile) {
  const TemporaryFolder folder;
  ParameterSet set, read;
  set.add("w", Tensor::scalar(1.0));
  write_checkpoint(folder / "c", set);
  EXPECT_TRUE(read_safetensors(folder / "c").metadata.empty());
  EXPECT_TRUE(read_checkpoint(folder / "c", read).empty());
  EXPECT_EQ(read.at("w").value().scalar_value(), 1);
}

TEST(Checkpoint, WhatDoesNotFitLeavesTheSetAsItWas) {
  const TemporaryFolder folder;
  ParameterSet set;
  fill(set, 1.5);
  write_checkpoint(folder / "c", set);
  const auto refused = [&](ParameterSet& into, const std::string& part) {
    try {
      read_checkpoint(folder / "c", into);
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

TEST(Checkpoint, RefusesNamesThatItCouldNotReadBack) {
  const TemporaryFolder folder;
  ParameterSet set;
  set.declare_buffer("two\nlines", {}, DType::kFloat32);
  EXPECT_THROW(write_checkpoint(folder / "c", set), Error);
  EXPECT_THROW(write_checkpoint(folder / "c", ParameterSet(), {{"buffers", "x"}}), Error);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace wengert::io
