#include "wengert/graph/parameter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using ::testing::HasSubstr;

Initializer filled_with(double value) {
  return {"test_fill", value, 0,
          [](const Initializer& self, std::uint64_t, std::string_view, const Fans&, Tensor& out) {
            out = Tensor::full(out.shape(), self.first, out.dtype());
          }};
}

TEST(ParameterSet, CreatesOnFirstUseUnderTheScopesPath) {
  ParameterSet set(7);
  EXPECT_EQ(set.seed(), 7u);
  Scope outer("encoder");
  Parameter& first = set.declare("weight", {2, 3}, DType::kFloat32, filled_with(1), {});
  EXPECT_EQ(first.name(), "encoder/weight");
  EXPECT_EQ(first.value().at(5), 1);
  Parameter& again = set.declare("weight", {2, 3}, DType::kFloat32, filled_with(1), {});
  EXPECT_EQ(&first, &again);
  EXPECT_EQ(set.size(), 1u);
  EXPECT_EQ(set.element_count(), 6);
}

TEST(ParameterSet, ConflictsAreErrors) {
  ParameterSet set;
  set.declare("w", {2}, DType::kFloat32, filled_with(1), {});
  EXPECT_ERROR(set.declare("w", {3}, DType::kFloat32, filled_with(1), {}), kParameter,
               "parameter 'w' is f32[2], used here as f32[3]");
  EXPECT_ERROR(set.declare("w", {2}, DType::kFloat64, filled_with(1), {}), kParameter,
               "parameter 'w' is f32[2], used here as f64[2]");
  try {
    set.declare("w", {2}, DType::kFloat32, filled_with(2), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("was initialized by test_fill(1, 0;"));
    EXPECT_THAT(error.message(), HasSubstr("used here with test_fill(2, 0;"));
  }
  EXPECT_ERROR(set.add("w", Tensor::scalar(1.0)), kParameter, "parameter 'w' exists already");
  EXPECT_ERROR(set.add("", Tensor::scalar(1.0)), kParameter, "a parameter needs a name");
}

TEST(ParameterSet, ANameIsItsTextHoweverScopesPutItTogether) {
  ParameterSet set;
  const auto declare = [&](std::string_view name) {
    return &set.declare(name, {1}, DType::kFloat32, filled_with(1), {});
  };
  const Parameter* whole = declare("a/b/c");
  {
    const Scope a("a");
    EXPECT_EQ(declare("b/c"), whole);
    const Scope b("b");
    EXPECT_EQ(declare("c"), whole);
    EXPECT_NE(declare("a/b/c"), whole);
  }
  {
    const Scope ab("a/b");
    EXPECT_EQ(declare("c"), whole);
    EXPECT_NE(declare("b/c"), whole);
  }
  const Scope other("xa");
  const Scope b("b");
  EXPECT_NE(declare("c"), whole);
  EXPECT_EQ(set.size(), 4u);
  EXPECT_EQ(set.find("a/b/c"), whole);
  EXPECT_NE(set.find("a/b/a/b/c"), nullptr);
  EXPECT_NE(set.find("a/b/b/c"), nullptr);
  EXPECT_NE(set.find("xa/b/c"), nullptr);
}

TEST(ParameterSet, InitializersAreComparedToTheLastBit) {
  ParameterSet set;
  set.declare("w", {1}, DType::kFloat32, filled_with(0.1), {2, 3});
  set.declare("w", {1}, DType::kFloat32, filled_with(0.1), {2, 3});
  EXPECT_THROW(
      set.declare("w", {1}, DType::kFloat32, filled_with(std::nextafter(0.1, 1.0)), {2, 3}), Error);
  EXPECT_THROW(set.declare("w", {1}, DType::kFloat32, filled_with(0.1), {2, 4}), Error);
  EXPECT_THROW(set.declare("w", {1}, DType::kFloat32, filled_with(0.1), {1, 3}), Error);
  Initializer renamed = filled_with(0.1);
  renamed.name = "other";
  EXPECT_THROW(set.declare("w", {1}, DType::kFloat32, renamed, {2, 3}), Error);
  set.add("loaded", Tensor::zeros({1}, DType::kFloat32));
  EXPECT_EQ(set.declare("loaded", {1}, DType::kFloat32, renamed, {2, 3}).initializer(), "");
}

TEST(ParameterSet, UnknownNamesSuggestTheClosest) {
  ParameterSet set;
  set.add("encoder/weight", Tensor::scalar(1.0));
  try {
    set.at("encoder/wieght");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "no parameter named 'encoder/wieght'");
    EXPECT_EQ(error.fix(), "did you mean 'encoder/weight'?");
  }
  EXPECT_EQ(set.find("nothing"), nullptr);
}

TEST(ParameterSet, KeepsAddressesAndOrder) {
  ParameterSet set;
  std::vector<Parameter*> made;
  for (int i = 0; i < 200; ++i) {
    made.push_back(&set.add("p" + std::to_string(i), Tensor::scalar(double(i))));
  }
  EXPECT_EQ(set.all(), made);
}

TEST(ParameterSet, IsSafeToFillFromManyThreads) {
  ParameterSet set;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&set] {
      for (int i = 0; i < 100; ++i) {
        set.declare("p" + std::to_string(i), {4}, DType::kFloat32, filled_with(i), {});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(set.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(set.at("p" + std::to_string(i)).value().at(3), i);
}

TEST(Parameter, UsedTwiceOnATapeIsOneLeaf) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(3.0));
  Tape tape;
  const Var y = use(w) * use(w);
  EXPECT_EQ(tape.size(), 2u);
  EXPECT_EQ(tape.parameter(0), &w);
  EXPECT_EQ(tape.name(0), "w");
  const Gradients gradients = backward(y);
  EXPECT_EQ(gradients.at("w").scalar_value(), 6);
  ASSERT_NE(gradients.find(w), nullptr);
  EXPECT_EQ(gradients.find(w)->dense().scalar_value(), 6);
  EXPECT_EQ(gradients.entries()[0].parameter, &w);
}

TEST(Parameter, FrozenOnesEnterAsConstants) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(3.0));
  Parameter& frozen = set.add("frozen", Tensor::scalar(5.0));
  Parameter& table = set.add("table", Tensor::from({1, 2}, {2}));
  frozen.set_trainable(false);
  Tape tape;
  EXPECT_FALSE(use(table).requires_grad());
  const Gradients gradients = backward(use(w) * use(frozen));
  EXPECT_EQ(gradients.entries().size(), 1u);
  EXPECT_EQ(gradients.at("w").scalar_value(), 5);
  try {
    (void)gradients.at("W");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "no gradient of a parameter 'W'");
  }
}

TEST(Parameter, AddedValuesAreTheSetsOwn) {
  static const double kValues[] = {1, 2};
  const Tensor shared = Tensor::from({1.0, 2.0}, {2});
  ParameterSet first, second;
  for (ParameterSet* set : {&first, &second}) {
    set->add("shared", shared);
    set->add("const", Tensor::view_of(kValues, {2}));
  }
  for (const char* name : {"shared", "const"}) {
    const WriteGuard guard(first.at(name).mutable_value(), "test");
    guard.span<double>()[0] = 9;
    EXPECT_EQ(second.at(name).value().at(0), 1) << name;
  }
  EXPECT_EQ(shared.at(0), 1);
  Tensor moved = Tensor::from({1.0, 2.0}, {2});
  const std::byte* memory = moved.data();
  EXPECT_EQ(first.add("moved", std::move(moved)).value().data(), memory);
}

TEST(Parameter, UseFollowsTheValueAndWhetherItIsTrained) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(1.0));
  Tape tape;
  EXPECT_EQ(use(w).scalar_value(), 1);
  const std::uint32_t nodes = tape.size();
  EXPECT_EQ(use(w).scalar_value(), 1);
  EXPECT_EQ(tape.size(), nodes);
  const Var before = use(w);
  w.mutable_value() = Tensor::scalar(5.0);
  EXPECT_EQ(use(w).scalar_value(), 5);
  const Var both = before * use(w);
  EXPECT_ERROR(backward(both), kGraph,
               "the value depends on parameter 'w' as it was before and after a write to it");
  EXPECT_EQ(grad(before * use(w), use(w)).scalar_value(), 1);
  w.set_trainable(false);
  EXPECT_FALSE(use(w).requires_grad());
  const std::uint32_t after = tape.size();
  {
    const NoGrad off;
    (void)use(w);
  }
  EXPECT_EQ(tape.size(), after);
}

TEST(Parameter, AsAnOperandCarriesItsGradient) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::from({1.0, 2.0}, {2}));
  Tape tape;
  EXPECT_EQ(backward(sum(square(set.at("w"))))[w].value().to_vector<double>(),
            (std::vector<double>{2, 4}));
  EXPECT_EQ(backward(sum(w * w + 3 * w))[w].value().to_vector<double>(),
            (std::vector<double>{5, 7}));
  const Var made = w;
  EXPECT_EQ(made.get(), use(w).get());
  ParameterSet other;
  const Parameter& unused = other.add("u", Tensor::from({1.0, 2.0}, {2}));
  EXPECT_EQ(backward(sum(Var(w)))[unused].value().to_vector<double>(), (std::vector<double>{0, 0}));
}

/// A layer that passes its caller's line on.
Var layer(ParameterSet& set, const ScopeName& name,
          std::source_location where = std::source_location::current()) {
  const Scope scope(name);
  return use(set.declare("w", {}, DType::kFloat64, filled_with(2), {}, where), where);
}

TEST(Sharing, OneLineSharesAndTwoLinesMustSaySo) {
  ParameterSet set;
  Tape tape;
  const unsigned line = __LINE__ + 2;
  Var product = 1.0;
  for (int i = 0; i < 3; ++i) product = product * layer(set, "cell");
  EXPECT_EQ(set.size(), 1u);
  try {
    (void)layer(set, "cell");
    ADD_FAILURE() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              "parameter 'cell/w' is used at parameter_test.cc:" + std::to_string(line) +
                  " and at parameter_test.cc:" + std::to_string(line + 3));
    EXPECT_THAT(error.fix(), HasSubstr("shared(\"cell\")"));
    EXPECT_EQ(error.line(), line + 3);
  }
  EXPECT_EQ(layer(set, shared("cell")).get(), use(set.at("cell/w")).get());
  {
    const Scope all(shared("outer"));
    (void)layer(set, "inner");
    (void)layer(set, "inner");
  }
  const Scope outer("outer");
  EXPECT_THROW((void)layer(set, "inner"), Error) << "what was shared elsewhere is not shared here";
  EXPECT_EQ(set.size(), 2u);
}

TEST(Sharing, EveryTapeStartsAnew) {
  ParameterSet set;
  {
    const Tape tape;
    (void)layer(set, "cell");
  }
  {
    const Tape tape;
    (void)layer(set, "cell");
  }
  (void)layer(set, "cell");
  (void)layer(set, "cell");
  EXPECT_EQ(set.size(), 1u);
}

TEST(ParameterOverride, PutsValuesInTheirPlaceAndGradientsFlow) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(3.0));
  set.add("v", Tensor::scalar(5.0));
  Tape tape;
  const Var x = variable(2.0);
  Var y;
  {
    const ParameterOverride o(set, {{"w", x * set.at("w")}});
    EXPECT_EQ(use(w).scalar_value(), 6);
    EXPECT_EQ(use(set.at("v")).scalar_value(), 5);
    {
      // Made from what stands there already: overrides compose.
      const ParameterOverride inner(set, {{"w", square(set.at("w"))}, {"v", 7}});
      EXPECT_EQ(use(set.at("v")).scalar_value(), 7);
      y = use(w) * 1.0;
    }
    EXPECT_EQ(use(w).scalar_value(), 6);
    std::thread([&] { EXPECT_EQ(use(w).scalar_value(), 3); }).join();
  }
  EXPECT_EQ(use(w).scalar_value(), 3);
  EXPECT_EQ(y.scalar_value(), 36);
  const Gradients gradients = backward(y);  // (x·w)²
  EXPECT_EQ(gradients[x].scalar_value(), 2 * 2 * 9);
  EXPECT_EQ(gradients[w].scalar_value(), 2 * 4 * 3);
}

TEST(ParameterOverride, RefusesWhatDoesNotFit) {
  ParameterSet set;
  set.add("weight", Tensor::from({1.0, 2.0}, {2}));
  EXPECT_ERROR(ParameterOverride(set, {{"wieght", Tensor::scalar(1.0)}}), kParameter,
               "no parameter named 'wieght'");
  EXPECT_ERROR(ParameterOverride(set, {{"weight", Tensor::scalar(1.0)}}), kParameter,
               "parameter 'weight' is f64[2], what shall stand for it f64[]");
  EXPECT_ERROR(ParameterOverride(set, {{"weight", Tensor::from({1.0f, 2.0f}, {2})}}), kParameter,
               "parameter 'weight' is f64[2], what shall stand for it f32[2]");
  EXPECT_THROW((void)ParameterOverride(set, {{"weight", Var()}}), Error);
  EXPECT_EQ(use(set.at("weight")).value().at(1), 2) << "what was refused stands for nothing";
}

TEST(Parameter, WithoutATapeUseGivesTheValue) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(3.0));
  EXPECT_EQ((use(w) * 2.0).scalar_value(), 6);
}

TEST(Freeze, MarksWhatItsFilterAcceptsAndThawUndoesIt) {
  ParameterSet parameters;
  for (const char* name : {"body/a", "body/b", "head/a"}) {
    parameters.add(name, Tensor::from({1.0}, {1}));
  }
  using Names = std::vector<std::string>;
  EXPECT_EQ(freeze(parameters, named("body/*")), (Names{"body/a", "body/b"}));
  EXPECT_EQ(freeze(parameters, named("*/a")), (Names{"head/a"})) << "body/a was frozen before";
  EXPECT_FALSE(parameters.at("body/b").trainable());
  EXPECT_EQ(thaw(parameters, named("body/b")), (Names{"body/b"}));
  EXPECT_TRUE(parameters.at("body/b").trainable());
  EXPECT_FALSE(parameters.at("body/a").trainable());
  EXPECT_EQ(thaw(parameters, is_any_parameter), (Names{"body/a", "head/a"}));
}

}  // namespace
}  // namespace wengert
