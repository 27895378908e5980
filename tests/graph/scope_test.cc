#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/graph/errors.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Scopes name parameters and pictures, regions pictures alone.
namespace wengert {
namespace {

/// Fills with 1.
Initializer ones_of_any_shape() {
  return {.name = "ones",
          .fill = [](const Initializer&, std::uint64_t, std::string_view, const Fans&,
                     Tensor& out) { out = Tensor::full(out.shape(), 1, out.dtype()); }};
}

std::string declared(ParameterSet& parameters, std::string_view name) {
  return parameters.declare(name, {2}, DType::kFloat64, ones_of_any_shape(), {}).name();
}

TEST(Region, IsInPathsButNotInNames) {
  ParameterSet parameters;
  const Scope decoder("decoder");
  for (int t = 0; t < 3; ++t) {
    const Region step("t", t);
    EXPECT_EQ(Scope::path(), "decoder/t=" + std::to_string(t));
    EXPECT_EQ(declared(parameters, "bias"), "decoder/bias");
    const Scope cell("cell");
    EXPECT_EQ(Scope::path(), "decoder/t=" + std::to_string(t) + "/cell");
    EXPECT_EQ(declared(parameters, "weight"), "decoder/cell/weight");
    const Region inner("inner");
    EXPECT_EQ(declared(parameters, "weight"), "decoder/cell/weight");
    EXPECT_EQ(parameters.declare_buffer("mean", {}, DType::kFloat64).name(), "decoder/cell/mean");
    EXPECT_EQ(parameters.stream("draws").name(), "decoder/cell/draws");
  }
  EXPECT_EQ(Scope::path(), "decoder");
  EXPECT_EQ(parameters.size(), 2u);
}

TEST(Region, OfAScopesNameIsAnother) {
  ParameterSet parameters;
  const auto path_and_name = [&] { return Scope::path() + " " + declared(parameters, "w"); };
  for (int round = 0; round < 2; ++round) {
    {
      const Region region("a");
      EXPECT_EQ(path_and_name(), "a w");
    }
    const Scope scope("a");
    EXPECT_EQ(path_and_name(), "a a/w");
  }
}

TEST(Region, StandsInNodesAndErrors) {
  Tape tape;
  const Var x = variable(2.0);
  const Region step("step", 12);
  const Var y = x * x;
  EXPECT_EQ(tape.scope(y.get()->id), "step=12");
  try {
    (void)(y + Tensor::scalar(1.0f));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.scope(), "step=12") << error.what();
  }
  EXPECT_ERROR(Region(""), kValue, "the name is empty");
  EXPECT_ERROR(Region("", 3), kValue, "the name is empty");
  EXPECT_ERROR(Region("a\nb"), kValue, "the name holds a control character");
}

/// A layer at every depth, each in a scope that `open` opens.
void descend(ParameterSet& parameters, int depth, const std::function<std::string(int)>& name) {
  if (depth == 0) return;
  const Scope level(name(depth));
  declared(parameters, "weight");
  descend(parameters, depth - 1, name);
}

TEST(Scope, InsideItselfMakesNoParameters) {
  ParameterSet parameters;
  try {
    descend(parameters, 3, [](int) { return "level"; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kParameter);
    EXPECT_NE(error.message().find("'level/level/weight' would be new: scope_test.cc:"),
              std::string::npos)
        << error.what();
    EXPECT_NE(error.message().find("opens the scope 'level' inside itself"), std::string::npos);
    EXPECT_NE(error.fix().find("Region(\"level\", depth)"), std::string::npos) << error.what();
  }
  EXPECT_EQ(parameters.size(), 1u);
  ParameterSet numbered;
  descend(numbered, 3, [](int depth) { return "level" + std::to_string(depth); });
  EXPECT_NE(numbered.find("level3/level2/level1/weight"), nullptr);
}

TEST(Scope, OfOneNameOnTwoLinesMayNest) {
  ParameterSet parameters;
  const Scope outer("block");
  const Scope inner("block");
  EXPECT_EQ(declared(parameters, "weight"), "block/block/weight");
}

TEST(Scope, OfWhatWasLoadedMayNest) {
  ParameterSet parameters;
  parameters.add("level/weight", Tensor::zeros({2}, DType::kFloat64));
  parameters.add("level/level/weight", Tensor::zeros({2}, DType::kFloat64));
  EXPECT_NO_THROW(descend(parameters, 2, [](int) { return "level"; }));
}

}  // namespace
}  // namespace wengert
