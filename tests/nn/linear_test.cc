#include "wengert/nn/linear.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/models.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

Tensor filled(const Shape& shape, DType dtype = DType::kFloat32) {
  return Tensor::full(shape, 1, dtype);
}

TEST(Linear, IsXTimesWPlusB) {
  ParameterSet parameters;
  parameters.add("fc/weight", Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {3, 2}));
  parameters.add("fc/bias", Tensor::from({0.5, -0.5}, {2}));
  const Tensor x = Tensor::from({1.0, 0.0, -1.0, 2.0, 1.0, 0.0}, {2, 3});
  EXPECT_EQ(linear(parameters, "fc", x, 2).value().to_vector<double>(),
            (std::vector<double>{-3.5, -4.5, 5.5, 7.5}));
  EXPECT_EQ(linear(parameters, "fc", x, 2, {.bias = false}).value().to_vector<double>(),
            (std::vector<double>{-4, -4, 5, 8}));
  EXPECT_EQ(parameters.size(), 2u);
}

TEST(Linear, MakesItsParametersAtFirstUse) {
  ParameterSet parameters(3);
  const Var y = linear(parameters, "fc1", filled({4, 7}), 5);
  EXPECT_EQ(y.shape(), (Shape{4, 5}));
  ASSERT_EQ(parameters.size(), 2u);
  const Parameter& weight = *parameters.all()[0];
  const Parameter& bias = *parameters.all()[1];
  EXPECT_EQ(weight.name(), "fc1/weight");
  EXPECT_EQ(weight.value().shape(), (Shape{7, 5}));
  EXPECT_EQ(weight.value().dtype(), DType::kFloat32);
  EXPECT_EQ(weight.initializer(), "he_normal(0, 0; fan_in=7, fan_out=5)");
  EXPECT_EQ(bias.name(), "fc1/bias");
  EXPECT_EQ(bias.value().to_vector<double>(), std::vector<double>(5, 0));
  EXPECT_EQ(parameters.element_count(), 40);
}

TEST(Linear, TakesTheDTypeAndTheLastAxisOfItsInput) {
  ParameterSet parameters;
  const Var y = linear(parameters, "fc", filled({2, 3, 4}, DType::kFloat64), 6);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 6}));
  EXPECT_EQ(y.dtype(), DType::kFloat64);
  EXPECT_EQ(parameters.at("fc/weight").value().shape(), (Shape{4, 6}));
  EXPECT_EQ(linear(parameters, "vector", filled({4}), 6).shape(), (Shape{6}));
}

TEST(Linear, WithoutABiasHasNone) {
  ParameterSet parameters;
  (void)linear(parameters, "fc", filled({2, 3}), 4, {.bias = false});
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(parameters.all()[0]->name(), "fc/weight");
}

TEST(Linear, StandsInItsScope) {
  ParameterSet parameters;
  const Tape tape;
  Var y;
  {
    const Scope scope("encoder");
    y = linear(parameters, "fc", filled({2, 3}), 4);
  }
  EXPECT_NE(parameters.find("encoder/fc/weight"), nullptr);
  EXPECT_EQ(tape.scope(tape.id_of(y, "test")), "encoder/fc");
  EXPECT_EQ(Scope::path(), "");
}

TEST(Linear, TheSameNameSharesItsParameters) {
  ParameterSet parameters(1);
  const Tape tape;
  const Tensor x = Tensor::from({1.0, 2.0}, {1, 2});
  const Var once = linear(parameters, "fc", x, 2);
  const Var twice = linear(parameters, shared("fc"), once, 2);
  EXPECT_EQ(parameters.size(), 2u);
  const Gradients gradients = backward(sum(twice));
  // Both uses count: db = 1 + W·1.
  const Tensor& w = parameters.at("fc/weight").value();
  const Tensor db = gradients.at("fc/bias").value();
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(db.at(i), 1 + w.at(2 * i) + w.at(2 * i + 1), 1e-14);
}

TEST(Linear, RefusesWhatDoesNotFit) {
  ParameterSet parameters;
  EXPECT_ERROR(linear(parameters, "fc", filled({}), 3), kShape, "the input is a scalar f32[]");
  EXPECT_ERROR(linear(parameters, "fc", filled({2, 3}), 0), kShape, "0 outputs");
  EXPECT_ERROR(linear(parameters, "fc", filled({2, 3}), -4), kShape, "-4 outputs");
  EXPECT_ERROR(linear(parameters, "fc", filled({2, 3}, DType::kInt64), 3), kDType,
               "the input is i64[2,3]");
  EXPECT_THROW((void)linear(parameters, "", filled({2, 3}), 3), Error);
  EXPECT_EQ(parameters.size(), 0u) << "a refused layer leaves no parameters";
  EXPECT_EQ(Scope::path(), "");
  (void)linear(parameters, "fc", filled({2, 3}), 3);
  EXPECT_ERROR(linear(parameters, "fc", filled({2, 4}), 3), kParameter,
               "parameter 'fc/weight' is f32[3,3], used here as f32[4,3]");
  EXPECT_ERROR(linear(parameters, "fc", filled({2, 3}, DType::kFloat64), 3), kParameter,
               "parameter 'fc/weight' is f32[3,3], used here as f64[3,3]");
  EXPECT_ERROR(
      linear(parameters, "fc", filled({2, 3}), 3, {.weight = nn::constant(1)}), kParameter,
      "parameter 'fc/weight' was initialized by he_normal(0, 0; fan_in=3, fan_out=3), used "
      "here with constant(1, 0; fan_in=3, fan_out=3)");
  EXPECT_EQ(parameters.size(), 2u);
}

TEST(Linear, ErrorsNameScopeAndLine) {
  ParameterSet parameters;
  const Scope scope("decoder");
  try {
    (void)linear(parameters, "fc", filled({}), 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.scope(), "decoder/fc");
    EXPECT_EQ(base_name(error.file()), "linear_test.cc");
    EXPECT_EQ(error.line(), static_cast<unsigned>(__LINE__ - 5));
    EXPECT_FALSE(error.fix().empty());
  }
}

TEST(Models, GiveLogitsOfTheirClasses) {
  ASSERT_GE(nn::models().size(), 2u);
  for (const nn::ModelDef& model : nn::models()) {
    ParameterSet parameters(1);
    const Var logits = model.logits(parameters, filled({3, model.features}));
    EXPECT_EQ(logits.shape(), (Shape{3, model.classes})) << model.name;
    EXPECT_EQ(&nn::find_model(model.name), &model);
    EXPECT_FALSE(model.summary.empty());
  }

  ParameterSet mlp(1);
  (void)nn::find_model("mlp").logits(mlp, filled({1, 784}));
  EXPECT_EQ(mlp.element_count(),
            784 * 256 + 256 + 256 * 128 + 128 + 128 * 100 + 100 + 100 * 10 + 10);
}

TEST(Models, OfThePublishedListHasItsActivations) {
  ParameterSet parameters(1);
  const Tape tape;
  (void)nn::find_model("mlp").logits(parameters, filled({1, 784}));
  std::vector<std::string> scopes;  // of the ops that are no leaves, in order
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const OpDef& op = *tape.node(id).op;
    if (!op.structural) scopes.push_back(tape.scope(id) + ":" + std::string(op.name));
  }
  EXPECT_EQ(scopes, (std::vector<std::string>{"fc1:linear", ":relu", "fc2:linear", ":relu",
                                              "fc3:linear", ":relu", "out:linear"}));
}

TEST(Models, UnknownNamesListTheKnown) {
  try {
    nn::find_model("mpl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    EXPECT_NE(error.fix().find("mlp"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace wengert
