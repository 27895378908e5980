#include "wengert/graph/export/graph_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/pass.h"
#include "wengert/tests/export/model.h"

namespace wengert::export_tests {
namespace {

TEST(GraphView, NodesEdgesAndIds) {
  ParameterSet parameters;
  Tape tape;
  const Var x = variable(Tensor::full({2, 4}, 0.5, DType::kFloat64));
  const Var h = layer(parameters, "fc1", x, 0.3);
  const Var loss = sum(square(h - 0.25));
  tape.name(loss, "loss");
  const GraphView view = graph_view(tape, {.view = GraphDirection::kForward});
  // x, weight, matmul, tanh, sub, square, sum; the constant 0.25 is text.
  EXPECT_EQ(view.nodes.size(), 7u);
  EXPECT_EQ(view.edges.size(), 6u);
  EXPECT_EQ(view.recorded_nodes, 8);
  EXPECT_EQ(view.clusters.size(), 1u);
  std::set<std::string> ids;
  for (const ViewNode& node : view.nodes) ids.insert(node.id);
  EXPECT_EQ(ids, (std::set<std::string>{"variable#0", "fc1/parameter#0", "fc1/matmul#0",
                                        "fc1/tanh#0", "sub#0", "square#0", "sum#0"}));
  const ViewNode* difference = find_node(view, "sub#0");
  EXPECT_EQ(difference->constants, std::vector<std::string>{"input 1: 0.25"});
  EXPECT_EQ(difference->source.substr(0, 19), "graph_view_test.cc:");
  const ViewNode* total = find_node(view, "sum#0");
  EXPECT_TRUE(total->root);
  EXPECT_EQ(total->name, "loss");
  ASSERT_EQ(total->attributes.size(), 2u);
  EXPECT_EQ(total->attributes[1], (std::pair<std::string, std::string>{"keepdims", "false"}));
  const ViewNode* product = find_node(view, "fc1/matmul#0");
  EXPECT_EQ(product->outputs.at(0).dtype, DType::kFloat64);
  EXPECT_EQ(product->outputs.at(0).shape, (Shape{2, 4}));
  ASSERT_EQ(product->saved.size(), 2u);
  EXPECT_EQ(product->saved[1].bytes, 4 * 4 * 8);
  EXPECT_EQ(find_node(view, "fc1/parameter#0")->name, "fc1/weight");
  EXPECT_NEAR(find_node(view, "fc1/parameter#0")->value->l2, 0.3 * 4, 1e-12);
}

TEST(GraphView, ConstantsAreFoldedUnlessNamed) {
  Tape tape;
  const Var x = variable(Tensor::full({3}, 1, DType::kFloat64));
  const Var data = Tensor::full({3}, 2, DType::kFloat64);
  const Var named = Tensor::full({3}, 3, DType::kFloat64);
  const Var y = sum(x * data + named);
  tape.name(named, "images");
  const GraphView view = graph_view(tape);
  EXPECT_EQ(find_node(view, "mul#0")->constants, std::vector<std::string>{"input 1: f64[3]"});
  ASSERT_NE(find_node(view, "constant#0"), nullptr);
  EXPECT_EQ(find_node(view, "constant#0")->name, "images");
  EXPECT_TRUE(find_node(view, "add#0")->constants.empty());
  EXPECT_EQ(view.nodes.size(), 5u);
  EXPECT_EQ(view.edges.size(), 4u);
}

TEST(GraphView, RepeatedOperandGivesTwoEdges) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = x * x;
  const GraphView view = graph_view(tape);
  EXPECT_NE(find_edge(view, "variable#0", "mul#0", 0), nullptr);
  EXPECT_NE(find_edge(view, "variable#0", "mul#0", 1), nullptr);
}

TEST(GraphView, NestedScopesAreNestedFrames) {
  ParameterSet parameters;
  Tape tape;
  Var h = variable(Tensor::full({2, 4}, 0.5, DType::kFloat64));
  tape.name(square(h), "unused");  // makes h a node before any scope is open
  {
    Scope encoder("encoder");
    h = layer(parameters, "fc1", h, 0.3);
    Scope block("block");
    h = layer(parameters, "fc2", h, 0.3);
  }
  const GraphView view = graph_view(tape);
  ASSERT_EQ(view.clusters.size(), 4u);
  for (const ViewCluster& cluster : view.clusters) {
    const std::size_t slash = cluster.path.rfind('/');
    if (slash == std::string::npos) {
      EXPECT_EQ(cluster.parent, -1);
    } else {
      EXPECT_EQ(view.clusters.at(static_cast<std::size_t>(cluster.parent)).path,
                cluster.path.substr(0, slash));
    }
  }
  const ViewNode* deep = find_node(view, "encoder/block/fc2/tanh#0");
  ASSERT_NE(deep, nullptr);
  EXPECT_EQ(view.clusters.at(static_cast<std::size_t>(deep->cluster)).path, "encoder/block/fc2");
}

TEST(GraphView, ScopesMayNestDeeperThanAnyPicture) {
  constexpr int kDepth = 100000;
  Tape tape;
  const Var x = variable(0.5);
  Var y = x * x;
  {
    std::vector<std::unique_ptr<Scope>> open;
    for (int i = 0; i < kDepth; ++i) {
      open.push_back(std::make_unique<Scope>(i % 2 == 0 ? "even" : "odd"));
      if (i % (kDepth / 4) == 3) y = y * x;
    }
    EXPECT_EQ(Scope::path().size(), std::size_t{kDepth / 2} * 9 - 1);
    EXPECT_THROW((void)matmul(y, y), Error);
    while (!open.empty()) open.pop_back();
  }
  EXPECT_EQ(grad(y, x).scalar_value(), 6 * std::pow(0.5, 5));
  const GraphView view = graph_view(tape, {.view = GraphDirection::kForward});
  for (const ViewNode& node : view.nodes) EXPECT_LT(node.scope.size(), 2000u);
  EXPECT_LT(to_dot(view).size(), 1'000'000u);
  EXPECT_LT(to_json(view).size(), 1'000'000u);
}

TEST(GraphView, AVariableBelongsToNoScopeThatUsesIt) {
  Tape tape;
  const Var x = variable(Tensor::full({2}, 0.5, DType::kFloat64));
  Var y;
  {
    const Scope scope("layer");
    y = sum(x * x);
  }
  const GraphView view = graph_view(tape, {.view = GraphDirection::kForward});
  EXPECT_NE(find_node(view, "variable#0"), nullptr);
  EXPECT_NE(find_node(view, "layer/mul#0"), nullptr);
}

TEST(GraphView, ABoxSaysNothingOfGradientsWhereItHasNoParameters) {
  ParameterSet parameters;
  Tape tape;
  GradientFlow flow;
  const Var x = Tensor::full({2, 4}, 0.5, DType::kFloat64);
  Var h = layer(parameters, "fc1", x, 0.3);
  {
    const Scope scope("plain");
    h = square(tanh(h));
  }
  (void)backward(sum(h), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record(), .collapse_depth = 0});
  // Else it would say "no grad" in the colour of NaN.
  EXPECT_FALSE(find_node(view, "plain/*")->requires_grad);
  EXPECT_TRUE(find_node(view, "fc1/*")->requires_grad);
  EXPECT_TRUE(find_node(view, "fc1/*")->gradient.has_value());
}

TEST(GraphView, LargeGraphsCollapseTheDeepestAndLargestScopesFirst) {
  ParameterSet parameters;
  Tape tape;
  Var h = variable(Tensor::full({1, 4}, 0.5, DType::kFloat64));
  tape.name(h * 1.0, "input");
  for (int block = 0; block < 10; ++block) {
    Scope scope("block" + std::to_string(block));
    for (int i = 0; i < 4; ++i) h = layer(parameters, "fc" + std::to_string(i), h, 0.1);
    h = h * 0.5;
  }
  // 2 + 10·(4·3 + 1) nodes; each inner scope as a box: 2 + 10·5.
  const GraphView automatic = graph_view(tape);
  EXPECT_EQ(automatic.nodes.size(), 52u);
  const ViewNode* box = find_node(automatic, "block3/fc2/*");
  ASSERT_NE(box, nullptr);
  EXPECT_EQ(box->kind, ViewNode::Kind::kCollapsed);
  EXPECT_EQ(box->nodes, 3);
  EXPECT_EQ(box->contents, (std::vector<std::pair<std::string, std::int64_t>>{
                               {"parameter", 1}, {"matmul", 1}, {"tanh", 1}}));
  EXPECT_NE(find_edge(automatic, "block3/fc1/*", "block3/fc2/*"), nullptr);
  EXPECT_EQ(graph_view(tape, {.collapse_depth = 0}).nodes.size(), 12u);
  EXPECT_EQ(graph_view(tape, {.collapse_depth = 2}).nodes.size(), 132u);
  EXPECT_EQ(graph_view(tape, {.collapse_depth = 2, .collapse = {"block0"}}).nodes.size(), 120u);
}

TEST(GraphView, OnlyTheLargestScopesCollapseWhenThatIsEnough) {
  ParameterSet parameters;
  Tape tape;
  Var h = variable(Tensor::full({1, 4}, 0.5, DType::kFloat64));
  {
    Scope large("large");
    for (int i = 0; i < 80; ++i) h = tanh(h);
  }
  h = layer(parameters, "small", h, 0.1);
  const GraphView view = graph_view(tape);
  EXPECT_NE(find_node(view, "large/*"), nullptr);
  EXPECT_NE(find_node(view, "small/matmul#0"), nullptr);
}

TEST(GraphView, ABoxIsOneNodeOfThoseThatMayBeSeen) {
  Tape tape;
  Var h = variable(Tensor::full({2}, 0.5, DType::kFloat64));
  const GraphOptions options = {.visible_nodes = 20};
  {
    Scope large("large");
    for (int i = 0; i < 30; ++i) h = tanh(h);
  }
  {
    Scope small("small");
    h = tanh(tanh(h));
  }
  for (int i = 0; i < 17; ++i) h = tanh(h);
  // Beside 17 the variable, a box and two more: one too many.
  const GraphView view = graph_view(tape, options);
  EXPECT_EQ(view.nodes.size(), 20u);
  EXPECT_NE(find_node(view, "small/*"), nullptr);
}

TEST(GraphView, MergedEdgesAddTheirGradients) {
  Tape tape;
  const Var x = variable(Tensor::full({2}, 1, DType::kFloat64));
  const Var before = x * 1.0;
  Var y;
  {
    Scope scope("part");
    y = before * 3.0 + before * 4.0;
  }
  GradientFlow flow;
  (void)backward(sum(y), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record(), .collapse = {"part"}});
  const ViewEdge* edge = find_edge(view, "mul#0", "part/*", -1);
  ASSERT_NE(edge, nullptr);
  EXPECT_EQ(edge->merged, 2);
  EXPECT_EQ(edge->gradient->count, 4);
  EXPECT_DOUBLE_EQ(edge->gradient->l2, std::sqrt(2 * 9 + 2 * 16));
  EXPECT_NE(to_dot(view).find("×2  "), std::string::npos);
}

TEST(GraphView, AMillionNodesAreRefusedWithCountsAndACollapseDepthThatWorks) {
  Tape tape;
  Var h = variable(1.0);
  for (int i = 0; i < 500000; ++i) h = tanh(h);
  {
    Scope scope("rest");
    for (int i = 0; i < 500000; ++i) h = h * h;
  }
  try {
    graph_view(tape);
    FAIL() << "a picture of half a million nodes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    EXPECT_EQ(error.message(),
              "500002 nodes would be visible, more than 1000; recorded are 500000 mul, 500000 "
              "tanh, 1 variable in 1 scopes");
    EXPECT_NE(error.fix().find("open a Scope"), std::string::npos);
  }
}

TEST(GraphView, RefusalNamesADepthThatWorks) {
  Tape tape;
  Var h = variable(1.0);
  for (int i = 0; i < 3; ++i) {
    Scope outer("outer" + std::to_string(i));
    for (int k = 0; k < 400; ++k) {
      Scope inner("inner" + std::to_string(k % 2));
      h = tanh(h);
    }
  }
  EXPECT_EQ(graph_view(tape, {.collapse_depth = 1}).nodes.size(), 7u);
  try {
    graph_view(tape, {.collapse_depth = 2});
    FAIL() << "1201 nodes were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.fix(), "collapse_depth = 1 leaves 7");
  }
}

TEST(GraphView, RootAndAncestors) {
  Tape tape;
  const Var x = variable(2.0);
  const Var a = square(x);
  const Var unused = tanh(x);
  const Var b = a * 3.0;
  const Var later = tanh(b);
  const GraphView all = graph_view(tape, {.root = b});
  EXPECT_NE(find_node(all, "tanh#0"), nullptr);
  EXPECT_EQ(find_node(all, "tanh#1"), nullptr);
  EXPECT_TRUE(find_node(all, "mul#0")->root);
  const GraphView ancestors = graph_view(tape, {.root = b, .only_ancestors = true});
  EXPECT_EQ(ancestors.nodes.size(), 3u);
  EXPECT_EQ(find_node(ancestors, "tanh#0"), nullptr);
}

TEST(GraphView, GradientsThatCreateGraphRecordedCanBeDrawn) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = tanh(square(x));
  GradientFlow flow;
  const Var g = grad(y, x, {.create_graph = true, .observer = &flow});
  const GraphView loss = graph_view(tape, {.gradients = &flow.record()});
  EXPECT_EQ(loss.nodes.size(), 3u) << "by default the picture ends at the loss";
  const GraphView gradient = graph_view(tape, {.root = g, .only_ancestors = true});
  EXPECT_GT(gradient.nodes.size(), 4u);
}

TEST(GraphView, MisuseIsAnError) {
  Tape outer;
  EXPECT_THROW(graph_view(outer), Error);
  GradientFlow flow;
  Var elsewhere;
  {
    Tape inner;
    elsewhere = square(variable(1.0));
    (void)backward(elsewhere, {.observer = &flow});
  }
  const Var y = square(variable(1.0));
  EXPECT_THROW(graph_view(outer, {.gradients = &flow.record()}), Error);
  EXPECT_THROW(graph_view(outer, {.root = elsewhere}), Error);
  EXPECT_NO_THROW(graph_view(outer, {.root = y}));
}

// An op with two outputs: the halves of a vector.
void infer_halves(InferContext& call) {
  Shape half = call.shape(0);
  half[0] /= 2;
  call.output(call.dtype(0), half);
  call.output(call.dtype(0), half);
}

void evaluate_halves(EvalContext& call) {
  const TensorView x = call.input(0);
  const std::int64_t n = call.output(0).count(), step = x.resolved_strides()[0];
  for (std::int64_t i = 0; i < n; ++i) {
    call.output(0).as<double>()[i] = x.as<double>()[i * step];
    call.output(1).as<double>()[i] = x.as<double>()[(i + n) * step];
  }
}

constexpr OpDef halves_op = [] {
  OpDef op;
  op.name = "halves";
  op.infer = infer_halves;
  op.evaluate = evaluate_halves;
  return op;
}();

TEST(GraphView, AnOpWithSeveralOutputsIsOneNode) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({1, 2, 3, 4}, {4}));
  const Var* inputs[] = {&x};
  const std::vector<Var> halves =
      apply_multiple(halves_op, inputs, nullptr, std::source_location::current());
  const Var y = sum(halves[0] * halves[1]);
  const GraphView view = graph_view(tape);
  const ViewNode* node = find_node(view, "halves#0");
  ASSERT_NE(node, nullptr);
  ASSERT_EQ(node->outputs.size(), 2u);
  EXPECT_EQ(node->outputs[1].shape, (Shape{2}));
  EXPECT_EQ(find_edge(view, "halves#0", "mul#0", 0)->output, 0);
  EXPECT_EQ(find_edge(view, "halves#0", "mul#0", 1)->output, 1);
  EXPECT_EQ(view.nodes.size(), 4u);
}

TEST(GraphView, NotesReachTheirNode) {
  Tape tape;
  const Var y = square(variable(1.0));
  const GraphView view = graph_view(
      tape, {.notes = {{"square#0", "kept: the root"}, {"gone#3", "removed: nobody read it"}}});
  EXPECT_EQ(find_node(view, "square#0")->notes, std::vector<std::string>{"kept: the root"});
  EXPECT_EQ(view.notes.size(), 2u);
}

TEST(GraphView, WhatPassesExplainStandsAtItsParameter) {
  ParameterSet parameters;
  parameters.add("fc1/weight", Tensor::scalar(2.0));
  Tape tape;
  const Var y = square(use(parameters.at("fc1/weight")));
  PassContext context;
  context.explain("l2_penalty", "fc1/weight", "adds 0.5·Σw²");
  context.explain("clip_global_norm", "all gradients", "scaled by 0.1");
  const GraphView view = graph_view(tape, {.notes = notes_of(context)});
  for (const ViewNode& node : view.nodes) {
    if (node.name != "fc1/weight") continue;
    EXPECT_EQ(node.notes, std::vector<std::string>{"l2_penalty: adds 0.5·Σw²"});
  }
  ASSERT_EQ(view.notes.size(), 2u);
  EXPECT_EQ(view.notes[1].first, "all gradients");
}

TEST(GraphView, ALaterOutputAsRootShowsItsOpAndWhatLedThere) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({3, 1, 2, 4}, {4}));
  const Var other = x * 5.0;
  const std::vector<Var> parts = split(tanh(x), 2);
  const GraphView view = graph_view(tape, {.root = parts[1], .only_ancestors = true});
  EXPECT_NE(find_node(view, "split#0"), nullptr);
  EXPECT_NE(find_node(view, "tanh#0"), nullptr);
  EXPECT_EQ(find_node(view, "mul#0"), nullptr);
}

TEST(GraphView, TheMainPathIsTheLongest) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({3, 1}, {2}));
  const Var loss = sum(x * tanh(sin(cos(x))));
  const GraphView view = graph_view(tape, {.root = loss});
  std::set<std::string> path;
  for (const ViewEdge& edge : view.edges) {
    if (edge.main_path) path.insert(view.nodes[static_cast<std::size_t>(edge.from)].id);
  }
  EXPECT_EQ(path, (std::set<std::string>{"variable#0", "cos#0", "sin#0", "tanh#0", "mul#0"}));
}

}  // namespace
}  // namespace wengert::export_tests
