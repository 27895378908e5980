#include "wengert/graph/cost.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// What ops say of their work, beside the textbook form run on numbers that count.
namespace wengert {
namespace {

/// A number that counts what is done with it.
class Counted {
 public:
  static inline double operations = 0;
  friend Counted operator+(Counted, Counted) { return ++operations, Counted(); }
  friend Counted operator*(Counted, Counted) { return ++operations, Counted(); }
};

/// Σ over k products that begins with `total`.
Counted dot(std::int64_t k, Counted total) {
  for (std::int64_t i = 0; i < k; ++i) total = total + Counted() * Counted();
  return total;
}

std::int64_t rows_of(const Tensor& x) {
  return x.size(-1) == 0 ? 0 : x.element_count() / x.size(-1);
}

/// What the textbook does for each op that states its FLOPs, by name.
const std::map<std::string, std::function<void(const std::vector<Tensor>&, const Shape& out)>>&
textbook() {
  static const std::map<std::string, std::function<void(const std::vector<Tensor>&, const Shape&)>>
      forms = {{"matmul",
                [](const std::vector<Tensor>& x, const Shape& out) {
                  for (std::int64_t i = 0; i < element_count(out); ++i) dot(x[0].size(-1), {});
                }},
               {"linear", [](const std::vector<Tensor>& x, const Shape& out) {
                  for (std::int64_t r = 0; r < rows_of(x[0]); ++r) {
                    for (std::int64_t j = 0; j < out[out.size() - 1]; ++j) {
                      const Counted y = dot(x[0].size(-1), {});
                      if (x.size() > 2) (void)(y + Counted());
                    }
                  }
                }}};
  return forms;
}

TEST(Cost, OfEveryOpThatStatesItIsTheTextbooks) {
  for (const testing::TestedOp& tested : testing::tested_ops()) {
    const OpDef* op = find_op(tested.name);
    if (op->flops == nullptr) continue;
    const auto form = textbook().find(tested.name);
    ASSERT_NE(form, textbook().end())
        << tested.name << " states its FLOPs: count its textbook form";
    int seen = 0;
    for (const testing::Sample& sample : tested.tests().samples) {
      if (sample.large()) continue;
      Tape tape;
      std::vector<Var> inputs(sample.inputs.begin(), sample.inputs.end());
      const std::vector<Var> y = sample.call(inputs);
      if (!tape.owns(y[0])) continue;
      const std::uint32_t id = tape.id_of(y[0], "test");
      if (tape.node(id).op != op) continue;
      // An empty sum, of a product over nothing, costs nothing in either form but for the bias.
      if (sample.inputs[0].element_count() == 0) continue;
      Counted::operations = 0;
      form->second(sample.inputs, y[0].shape());
      EXPECT_EQ(cost_of(tape, id).flops, Counted::operations) << tested.name << " " << sample.name;
      ++seen;
    }
    EXPECT_GT(seen, 2) << tested.name;
  }
}

TEST(Cost, OfOthersIsOneForEachElementOfTheLargest) {
  Tape tape;
  const Var x = variable(Tensor::zeros({3, 4}));
  const auto cost = [&](const Var& y) { return cost_of(tape, tape.id_of(y, "test")); };
  EXPECT_EQ(cost(tanh(x)).flops, 12);
  EXPECT_EQ(cost(tanh(x)).bytes, 2 * 12 * 4);
  EXPECT_EQ(cost(sum(x)).flops, 12);
  EXPECT_EQ(cost(sum(x)).bytes, 12 * 4 + 4);
  EXPECT_EQ(cost(add(x, Tensor::zeros({2, 3, 4}))).flops, 24);
  EXPECT_EQ(cost(add(x, Tensor::zeros({2, 3, 4}))).bytes, (12 + 24 + 24) * 4);
  EXPECT_EQ(cost(transpose(x)).flops, 0);  // a view
  EXPECT_EQ(cost(transpose(x)).bytes, 0);
  EXPECT_EQ(cost(x).bytes, 0);  // a leaf
  const auto [values, indices] = sort(x);
  EXPECT_EQ(cost(values).bytes, 12 * 4 + 12 * 4 + 12 * 8);
  EXPECT_EQ(cost(indices).bytes, cost(values).bytes);
  EXPECT_THROW(cost_of(tape, tape.size()), Error);
}

TEST(Cost, OfAProductCountsItsBatch) {
  Tape tape;
  const Var a = variable(Tensor::zeros({5, 1, 2, 3})), b = variable(Tensor::zeros({7, 3, 4}));
  const Var y = matmul(a, b);
  const Cost cost = cost_of(tape, tape.id_of(y, "test"));
  EXPECT_EQ(cost.flops, 2.0 * 5 * 7 * 2 * 3 * 4);
  EXPECT_EQ(cost.bytes, 4.0 * (5 * 2 * 3 + 7 * 3 * 4 + 5 * 7 * 2 * 4));
}

}  // namespace
}  // namespace wengert
