#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "tests/optim/rows.h"
#include "tests/optim/training_models.h"
#include "wengert/optim/passes.h"

// Gradients of a few rows through every pass over gradients, and penalties beside lookups.
namespace wengert::optim {
namespace {

/// Every pass of the table over gradients, and two of a program's own.
class OwnPass : public Pass {
 public:
  explicit OwnPass(bool takes_rows) : takes_rows_(takes_rows) {}
  std::string_view name() const override { return "own"; }
  PassStage stage() const override { return PassStage::kGradients; }
  bool takes_rows() const override { return takes_rows_; }

 private:
  bool rewrite(Roots& roots, PassContext&) override {
    for (Roots::Root& root : roots.all()) {
      if (root.rows.has_value()) {
        EXPECT_TRUE(takes_rows_ && root.name == "table");
      }
      EXPECT_TRUE(root.rows.has_value() || root.value.shape() == root.parameter->value().shape());
      // Adding is no work that leaves zeros as they are.
      root.value = takes_rows_ ? root.value * 3 : root.value + 1;
    }
    return true;
  }
  bool takes_rows_;
};

std::vector<std::function<std::unique_ptr<Pass>()>> passes_over_gradients() {
  std::vector<std::function<std::unique_ptr<Pass>()>> result = {
      [] { return std::make_unique<OwnPass>(true); },
      [] { return std::make_unique<OwnPass>(false); }};
  for (const PassDef* def : registered_passes()) {
    if (def->stage == PassStage::kGradients)
      result.push_back([def] { return make_pass(def->name); });
  }
  return result;
}

void expect_near(const Gradients& few, const Gradients& whole, ParameterSet& parameters) {
  for (const Parameter* parameter : parameters.all()) {
    const auto a = few.at(parameter->name()).value().to_vector<double>();
    const auto b = whole.at(parameter->name()).value().to_vector<double>();
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(a[i], b[i], 1e-6 * (1 + std::fabs(b[i]))) << parameter->name() << " " << i;
    }
  }
}

TEST(PassesOverRows, GiveWhatTheyGiveOfDenseGradients) {
  for (const auto& make : passes_over_gradients()) {
    for (const Indices& indices : {Indices{4, 4, 9}, Indices{}, all_rows()}) {
      PassPipeline passes;
      passes.add(make());
      SCOPED_TRACE(make()->name());
      ParameterSet parameters;
      fill(parameters, DType::kFloat32);
      Gradients few = lookup(parameters, indices, 3);
      Gradients whole = dense(few);
      PassContext of_few, of_whole;
      // Neither has taken effect: what is drawn is the same.
      EXPECT_EQ(run_on_gradients(passes, few, of_few, &parameters),
                run_on_gradients(passes, whole, of_whole, &parameters));
      EXPECT_EQ(few.find(parameters.at("table"))->is_rows(), passes.takes_rows());
      expect_near(few, whole, parameters);
      EXPECT_EQ(of_few.explanations().size(), of_whole.explanations().size());
    }
  }
}

TEST(PassesOverRows, OnePassThatWantsThemDenseIsEnough) {
  PassPipeline passes;
  passes.add<ClipGlobalNorm>({.limit = 0.1}).add(std::make_unique<OwnPass>(false));
  EXPECT_FALSE(passes.takes_rows());
  ParameterSet parameters;
  fill(parameters, DType::kFloat32);
  Gradients few = lookup(parameters, {4, 4, 9}, 3);
  Gradients whole = dense(few);
  PassContext context;
  EXPECT_TRUE(run_on_gradients(passes, few, context));
  EXPECT_TRUE(run_on_gradients(passes, whole, context));
  expect_near(few, whole, parameters);
}

TEST(PassesOverRows, ClippingScalesRowsInTheirMemory) {
  ParameterSet parameters;
  fill(parameters, DType::kFloat32);
  Gradients gradients = lookup(parameters, {4, 4, 9}, 3);
  const std::byte* memory = gradients.find(parameters.at("table"))->rows().data();
  PassPipeline passes;
  passes.add<ClipGlobalNorm>({.limit = 0.5});
  PassContext context;
  EXPECT_TRUE(run_on_gradients(passes, gradients, context));
  const Gradient& clipped = *gradients.find(parameters.at("table"));
  EXPECT_TRUE(clipped.is_rows());
  EXPECT_EQ(clipped.rows().data(), memory);
  double squares = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    for (const double g : entry.gradient.dense().value().to_vector<double>()) squares += g * g;
  }
  EXPECT_NEAR(std::sqrt(squares), 0.5, 1e-6);
}

/// A penalty is a dense use of its table: every row gets its share.
TEST(PassesOverRows, UnderAPenaltyTheGradientIsDense) {
  for (const PassDef* def : registered_passes()) {
    if (def->stage != PassStage::kLoss) continue;
    SCOPED_TRACE(def->name);
    ParameterSet parameters;
    fill(parameters, DType::kFloat64);
    const Tape tape;
    Roots roots;
    roots.parameters = &parameters;
    const Var t = use(parameters.at("table"));
    roots.add("loss", sum(embedding(t, Var(indices_of({4, 4, 9})))));
    PassContext context;
    PassPipeline passes;
    passes.add(make_pass(def->name));
    ASSERT_TRUE(passes.run(PassStage::kLoss, roots, context));
    const Var expected = grad(roots.at("loss"), t, {.retain = true});
    const Gradients gradients = backward(roots.at("loss"));
    EXPECT_FALSE(gradients.find(parameters.at("table"))->is_rows());
    const auto ours = gradients.at("table").value().to_vector<double>();
    const auto theirs = expected.value().to_vector<double>();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours[i], theirs[i], 1e-14);
      EXPECT_NE(ours[i], 0) << i;
    }
  }
}

TEST(Pass, MayNotChangeWhichRowsARootIs) {
  class Wrong : public OwnPass {
   public:
    Wrong() : OwnPass(true) {}

   private:
    bool rewrite(Roots& roots, PassContext&) override {
      for (Roots::Root& root : roots.all()) {
        if (root.rows.has_value()) root.rows = Var(indices_of({0, 1}));
      }
      return true;
    }
  };
  ParameterSet parameters;
  fill(parameters, DType::kFloat32);
  Gradients gradients = lookup(parameters, {4, 4, 9}, 3);
  PassPipeline passes;
  passes.add(std::make_unique<Wrong>());
  PassContext context;
  EXPECT_EQ(error_of([&] { run_on_gradients(passes, gradients, context); }).message(),
            "it changed which rows the root 'table' is");
  EXPECT_EQ(gradients.find(parameters.at("table"))->indices().to_vector<std::int64_t>(),
            (Indices{4, 9}));
}

}  // namespace
}  // namespace wengert::optim
