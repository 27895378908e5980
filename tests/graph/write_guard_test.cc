#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using ::testing::HasSubstr;

void set_first(Tensor& tensor, double value, const char* writer) {
  WriteGuard(tensor, writer).span<double>()[0] = value;
}

/// The message that backward dies with.
std::string backward_error(const Var& y) {
  try {
    (void)backward(y, {.retain = true});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kGraph);
    return error.what();
  }
  return "no error";
}

TEST(WriteGuard, BumpsTheVersionOfSharedMemory) {
  Tensor whole = Tensor::from({1.0, 2.0, 3.0, 4.0}, {4});
  Tensor part = whole.rows(2, 4);
  const std::uint32_t before = whole.version();
  set_first(part, 30, "test");
  EXPECT_NE(whole.version(), before);
  EXPECT_EQ(whole.version(), part.version());
  EXPECT_EQ(whole.at(2), 30);
}

TEST(WriteGuard, RejectsWhatCannotBeWritten) {
  Tensor one = Tensor::scalar(1.0);
  for (const std::int64_t copies : {2, 3}) {
    detail::retain(one.storage());
    Tensor repeated = Tensor::from_storage(one.storage(), const_cast<std::byte*>(one.data()),
                                           DType::kFloat64, {copies}, {0});
    EXPECT_ERROR(WriteGuard(repeated, "test"), kValue,
                 "elements of this broadcast view share memory");
  }
  EXPECT_ERROR(WriteGuard(one, "test").span<float>(), kDType,
               "asked for float32 elements of f64[]");
}

TEST(WriteGuard, AnOverwrittenSavedValueIsFoundAndBothSitesNamed) {
  Tensor memory = Tensor::from({1.0, 2.0}, {2});
  Tape tape;
  const Var x = variable(memory);
  const unsigned read_line = __LINE__ + 1;
  const Var y = sum(x * x);
  const unsigned write_line = __LINE__ + 1;
  WriteGuard(memory, "Loader::refill").span<double>()[0] = 7;
  const std::string text = backward_error(y);
  EXPECT_THAT(text, HasSubstr("mul: the value f64[2] that it saved for backward was overwritten by "
                              "Loader::refill at write_guard_test.cc:" +
                              std::to_string(write_line)));
  EXPECT_THAT(text, HasSubstr("at write_guard_test.cc:" + std::to_string(read_line)));
  EXPECT_THAT(text, HasSubstr("differentiate before writing, or give the op a clone()"));
}

TEST(WriteGuard, AnAliasIsNoWayAround) {
  Tensor memory = Tensor::from({1.0, 2.0, 3.0, 4.0}, {4});
  Tape tape;
  const Var x = variable(memory.rows(0, 2));
  const Var y = sum(exp(reshape(x, {2, 1})) * x);
  Tensor alias = memory.reshaped({2, 2});
  set_first(alias, 9, "alias");
  EXPECT_THAT(backward_error(y), HasSubstr("was overwritten by alias at"));
}

TEST(WriteGuard, TheResultOfAnOpIsProtectedToo) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  const Var e = exp(x);
  const Var y = sum(e);
  tape.name(e, "scores");
  Tensor value = e.value();
  set_first(value, 9, "user");
  EXPECT_THAT(backward_error(y), HasSubstr("exp: the value 'scores' that it saved"));
}

TEST(WriteGuard, WhatNoDerivativeReadsMayBeWritten) {
  Tensor memory = Tensor::from({1.0, 2.0}, {2});
  Tape tape;
  const Var x = variable(memory);
  const Var y = sum(x + x);
  set_first(memory, 9, "test");
  EXPECT_EQ(backward(y)[x].value().at(0), 2);
}

TEST(WriteGuard, AStepBetweenForwardAndBackwardIsFound) {
  ParameterSet parameters;
  Parameter& weight = parameters.add("layer/weight", Tensor::from({1.0, 2.0}, {2}));
  Tape tape;
  const Var w = use(weight);
  const Var y = sum(w * w);
  set_first(weight.mutable_value(), 9, "Sgd::step");
  EXPECT_THAT(backward_error(y), HasSubstr("the value 'layer/weight' that it saved for backward "
                                           "was overwritten by Sgd::step at write_guard_test.cc:"));
  // The next use on the same tape reads the new value.
  const Var again = use(weight);
  EXPECT_EQ(backward(sum(again * again)).at("layer/weight").value().at(0), 18);
}

TEST(WriteGuard, MemoryGivenAsConstIsNeverWritten) {
  static const double kValues[] = {1, 2};
  Tensor view = Tensor::view_of(kValues, {2});
  EXPECT_ERROR(WriteGuard(view, "test"), kValue,
               "this is a view of memory that was given as const");
  double values[] = {1, 2};
  Tensor writable = Tensor::view_of(values, {2});
  set_first(writable, 9, "test");
  EXPECT_EQ(values[0], 9);
}

TEST(WriteGuard, WritingAfterBackwardIsTheUsualStep) {
  ParameterSet parameters;
  Parameter& weight = parameters.add("w", Tensor::from({1.0, 2.0}, {2}));
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    const Var w = use(weight);
    const Gradients gradients = backward(sum(w * w));
    const double w0 = weight.value().at(0);
    EXPECT_EQ(gradients.at("w").value().at(0), 2 * w0);
    set_first(weight.mutable_value(), w0 - 0.25 * gradients.at("w").value().at(0), "step");
    EXPECT_EQ(weight.value().at(0), w0 / 2);
  }
}

}  // namespace
}  // namespace wengert
