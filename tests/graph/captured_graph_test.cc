#include "wengert/graph/captured_graph.h"

#include <gtest/gtest.h>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/graph/parameter.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

/// y = relu(x·W + b) summed, x named "x".
struct Net {
  ParameterSet parameters{7};
  Tensor x = Tensor::from({1.0, -2.0, 0.5, 3.0, 1.0, -1.0}, {2, 3});
  CapturedGraph graph;
  Tensor first;
  Net() {
    Tape tape;
    const Var input = variable(x);
    tape.name(input, "x");
    const Scope scope("net");
    const Var y = sum(relu(linear(parameters, "fc", input, 4)), {1});
    first = y.value();
    graph = CapturedGraph::capture(tape, {&y, 1});
  }
};

TEST(CapturedGraph, OutlivesItsTapeAndRunsAgain) {
  const Net net;
  EXPECT_EQ(net.graph.run()[0].value().to_vector<double>(), net.first.to_vector<double>());
  EXPECT_EQ(net.graph.find("net/fc/weight")->parameter, net.parameters.find("net/fc/weight"));
  EXPECT_NE(net.graph.str().find("net/fc/linear("), std::string::npos) << net.graph.str();
}

TEST(CapturedGraph, TakesLeavesByName) {
  const Net net;
  const Tensor other = Tensor::zeros({5, 3}, DType::kFloat64);
  EXPECT_EQ(net.graph.run({{"x", other}})[0].shape(), Shape{5});
  EXPECT_ERROR(net.graph.run({{"y", other}}), kGraph, "no leaf is named 'y'");
}

TEST(CapturedGraph, IsRecordedAndDifferentiatedLikeTheProgram) {
  Net net;
  Tape tape;
  const Var x = variable(net.x);
  const Var y = sum(net.graph.run({{"x", x}})[0]);
  const Gradients again = backward(y);
  Tape fresh;
  const Var input = variable(net.x);
  const Scope scope("net");
  const Gradients plain = backward(sum(relu(linear(net.parameters, "fc", input, 4))));
  EXPECT_EQ(again[x].value().to_vector<double>(), plain[input].value().to_vector<double>());
  EXPECT_EQ(again.at("net/fc/weight").value().to_vector<double>(),
            plain.at("net/fc/weight").value().to_vector<double>());
}

TEST(CapturedGraph, IsRewritten) {
  Net net;
  CapturedGraph& graph = net.graph;
  std::uint32_t relu_at = 0;
  for (std::uint32_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].op->name == "relu") relu_at = i;
  }
  const CapturedGraph::Edge before = graph.nodes()[relu_at].inputs[0];
  const std::uint32_t bent = graph.add(*find_op("tanh"), {&before, 1});
  graph.replace({relu_at, 0}, {bent, 0});
  EXPECT_EQ(graph.tidy(), 1u);
  const Var h = matmul(net.x, net.parameters.at("net/fc/weight").value());
  EXPECT_EQ(
      graph.run()[0].value().to_vector<double>(),
      sum(tanh(h + net.parameters.at("net/fc/bias").value()), {1}).value().to_vector<double>());
  // A use of itself is a cycle.
  const std::uint32_t last = static_cast<std::uint32_t>(graph.nodes().size()) - 1;
  graph.replace(graph.nodes()[last].inputs[0], {last, 0});
  EXPECT_ERROR(graph.tidy(), kGraph, "its nodes form a cycle");
}

TEST(CapturedGraph, RefusesWhatBelongsToItsTape) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = checkpoint([](const Var& v) { return v * v; }, x);
  EXPECT_THROW((void)CapturedGraph::capture(tape, {&y, 1}), Error);
}

}  // namespace
}  // namespace wengert
