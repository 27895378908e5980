#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/tests/export/model.h"

namespace wengert::export_tests {
namespace {

/// Lookups in a table of [1000,4], beside a dense use where `mixed`.
struct Pictured {
  ParameterSet parameters;
  GradientFlow flow;
  GraphView view;
  std::uint32_t node = 0;
  explicit Pictured(bool mixed) {
    parameters.add("table", Tensor::full({1000, 4}, 0.5, DType::kFloat64));
    const Tape tape;
    const Var table = use(parameters.at("table"));
    const Var indices = Tensor::from<std::int64_t>({7, 999, 7}, {3});
    Var loss = sum(embedding(table, indices) * 2.0);
    if (mixed) loss = loss + sum(table) * 0.0;
    (void)backward(loss, {.observer = &flow});
    node = tape.id_of(table, "test");
    view = graph_view(tape, {.gradients = &flow.record()});
  }
};

TEST(RowGradients, AreMeasuredAsTheWholeGradient) {
  const Pictured rows(false), dense(true);
  const GradientRecord::Node* few = rows.flow.node(rows.node);
  const GradientRecord::Node* whole = dense.flow.node(dense.node);
  ASSERT_NE(few, nullptr);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(few->gradient_rows, 2);
  EXPECT_FALSE(whole->gradient_rows.has_value());
  EXPECT_EQ(few->gradient.count, 4000);
  EXPECT_EQ(few->gradient.zeros, 3992);
  EXPECT_EQ(few->gradient.zeros, whole->gradient.zeros);
  EXPECT_DOUBLE_EQ(few->gradient.l2, whole->gradient.l2);
  EXPECT_DOUBLE_EQ(few->gradient.rms(), whole->gradient.rms());
  EXPECT_EQ(few->gradient.max, 4);  // row 7 was looked up twice
}

TEST(RowGradients, ThePictureSaysHowManyThereAre) {
  const Pictured rows(false), dense(true);
  EXPECT_NE(to_dot(rows.view).find("rows 2 of f64[1000,4]"), std::string::npos);
  EXPECT_EQ(to_dot(dense.view).find("rows 2 of"), std::string::npos);
  const auto gradient_rows = [](const GraphView& view) {
    const nlohmann::json json = nlohmann::json::parse(to_json(view));
    for (const auto& node : json["nodes"]) {
      if (node["id"] == "parameter#0") return node.value("gradient_rows", 0);
    }
    return -1;
  };
  EXPECT_EQ(gradient_rows(rows.view), 2);
  EXPECT_EQ(gradient_rows(dense.view), 0);
}

}  // namespace
}  // namespace wengert::export_tests
