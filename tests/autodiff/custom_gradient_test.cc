#include "wengert/autodiff/custom_gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/dropout.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using Vars = std::vector<Var>;
using List = std::span<const Var>;

/// x·tanh x, whose derivative is stated in ops; each op of backward can be differentiated again.
Var stated(const Var& x) {
  return custom_gradient([](const Var& v) { return v * tanh(v); },
                         [](const Var& v, const Var&, const Var& g) {
                           const Var t = tanh(v);
                           return g * (t + v * (1.0 - t * t));
                         },
                         x, "gate");
}

/// Two values of three inputs: a·b and a + c·b.
Vars two_of_three(const Var& a, const Var& b, const Var& c) {
  return custom_gradient(
      [](List x) {
        return Vars{x[0] * x[1], x[0] + x[2] * x[1]};
      },
      [](List x, List, List g) {
        return Vars{g[0] * x[1] + g[1], g[0] * x[0] + g[1] * x[2], g[1] * x[1]};
      },
      {a, b, c});
}

const Tensor kPoints[] = {Tensor::from({0.3, -1.2, 2.0}, {3}), Tensor::from({1.5, 0.4, -0.7}, {3}),
                          Tensor::from({-0.9, 0.2, 1.1}, {3})};

TEST(CustomGradient, IsCheckedToOrderTwo) {
  for (const int order : {1, 2}) {
    const auto one = gradcheck([](List x) { return stated(x[0]); }, {kPoints, 1}, {.order = order});
    EXPECT_TRUE(one.passed) << one.message;
    const auto many =
        gradcheck([](List x) { return two_of_three(x[0], x[1], x[2]); }, kPoints, {.order = order});
    EXPECT_TRUE(many.passed) << many.message;
  }
}

TEST(CustomGradient, GivesWhatIsStatedAndNotWhatIsTrue) {
  Tape tape;
  const Var x = variable(Tensor::from({-2.0, 0.5, 3.0}, {3}));
  const Var y = custom_gradient(
      [](const Var& v) { return sign(v); },
      [](const Var& v, const Var&, const Var& g) { return where(abs(v) < 1.0, g, 0.0); }, x,
      "straight_through");
  EXPECT_EQ(y.value().to_vector<double>(), (std::vector<double>{-1, 1, 1}));
  EXPECT_EQ(grad(sum(y * 4.0), x).value().to_vector<double>(), (std::vector<double>{0, 4, 0}));
}

TEST(CustomGradient, OneInputTwiceGetsBothGradients) {
  Tape tape;
  const Var x = variable(3.0);
  const Var y = custom_gradient([](List v) { return v[0] * v[1]; },
                                [](List v, List, List g) {
                                  return Vars{g[0] * v[1], g[0] * v[0]};
                                },
                                {x, x});
  EXPECT_EQ(grad(y, x).item<double>(), 6);
}

TEST(CustomGradient, AnEmptyGradientIsZeroAndANumberFits) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2})), w = variable(5.0);
  const Var y = custom_gradient([](List v) { return v[0] * v[1]; },
                                [](List, List, List) {
                                  return Vars{7, Var()};
                                },
                                {x, w});
  const Gradients g = backward(sum(y));
  EXPECT_EQ(g[x].value().to_vector<double>(), (std::vector<double>{7, 7}));
  EXPECT_EQ(g[w].item<double>(), 0);
}

TEST(CustomGradient, NumbersAndIntegersMayBeInputs) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0, 3.0}, {3}));
  const Tensor rows = Tensor::from({2, 0}, {2});
  const Var y = custom_gradient(
      [](List v) { return index_select(v[0], v[1], 0) * v[2]; },
      [](List v, List, List g) {
        return Vars{scatter_add(zeros({3}, DType::kFloat64), v[1], g[0] * v[2], 0), Var(), Var()};
      },
      {x, rows, 0.5});
  EXPECT_EQ(y.value().to_vector<double>(), (std::vector<double>{1.5, 0.5}));
  EXPECT_EQ(grad(sum(y), x).value().to_vector<double>(), (std::vector<double>{0.5, 0, 0.5}));
}

TEST(CustomGradient, AnOutputThatNothingUsesSendsZeros) {
  Tape tape;
  const Var a = variable(2.0), b = variable(3.0), c = variable(5.0);
  const Vars y = two_of_three(a, b, c);
  const auto [da, db, dc] = grad(y[0], {a, b, c});
  EXPECT_EQ(da.item<double>(), 3);
  EXPECT_EQ(db.item<double>(), 2);
  EXPECT_EQ(dc.item<double>(), 0);
}

TEST(CustomGradient, StandsInsideACheckpointAndAroundOne) {
  Tape tape;
  const Var x = variable(0.7);
  const double plain = grad(stated(x * x), x).item<double>();
  const Var inside = checkpoint([](const Var& v) { return stated(v * v); }, x);
  EXPECT_EQ(grad(inside, x, {.retain = true}).item<double>(), plain);
  const Var second = grad(grad(inside, x, {.create_graph = true}), x);
  const Var wanted = grad(grad(stated(x * x), x, {.create_graph = true}), x);
  EXPECT_DOUBLE_EQ(second.item<double>(), wanted.item<double>());

  const auto square_twice = [](const Var& v) { return square(square(v)); };
  const Var around =
      custom_gradient([&](const Var& v) { return checkpoint(square_twice, v); },
                      [&](const Var& v, const Var&, const Var& g) {
                        return g * 4.0 * checkpoint([](const Var& u) { return u * u * u; }, v);
                      },
                      x);
  const Var first = grad(around, x, {.create_graph = true});
  EXPECT_DOUBLE_EQ(first.item<double>(), 4 * std::pow(0.7, 3));
  EXPECT_DOUBLE_EQ(grad(first, x).item<double>(), 12 * std::pow(0.7, 2));
}

TEST(CustomGradient, WithoutATapeItOnlyComputes) {
  const auto never = [](const Var&, const Var&, const Var&) -> Var {
    ADD_FAILURE() << "asked for a derivative";
    return {};
  };
  const auto twice = [](const Var& v) { return v * 2.0; };
  EXPECT_EQ(custom_gradient(twice, never, 3.0).scalar_value(), 6);
  Tape tape;
  const Var x = variable(3.0);
  const NoGrad off;
  const Var y = custom_gradient(twice, never, x);
  EXPECT_EQ(y.item<double>(), 6);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(tape.size(), 0u);
}

TEST(CustomGradient, ForwardUpdatesBuffersOnce) {
  ParameterSet parameters(5);
  Tape tape;
  const Var x = variable(Tensor::full({1000}, 1, DType::kFloat32));
  const Var y =
      custom_gradient([&](const Var& v) { return dropout(parameters, "d", v, 0.5); },
                      [](const Var&, const Var& out, const Var& g) { return g * out; }, x);
  const Var plain = dropout(parameters, shared("d"), x, 0.5);  // draws the numbers that follow
  EXPECT_NE(plain.value().to_vector<float>(), y.value().to_vector<float>());
  const Gradients g = backward(sum(y));
  EXPECT_EQ(g[x].value().to_vector<float>(), y.value().to_vector<float>());
  commit(tape);
  EXPECT_EQ(parameters.buffers()[0]->value().scalar_value(), 2);
}

TEST(CustomGradient, ShowsItsNameAndSaysWhatItSaves) {
  Tape tape;
  const Var y = stated(variable(Tensor::from({0.5, 1.5}, {2})));
  const GraphView view = graph_view(tape, {.root = y});
  const ViewNode& node = view.nodes.back();
  EXPECT_EQ(node.op, "custom_gradient");
  ASSERT_EQ(node.attributes.size(), 1u);
  EXPECT_EQ(node.attributes[0], (std::pair<std::string, std::string>("name", "gate")));
  EXPECT_EQ(view.nodes.size(), 2u);  // what forward does is no part of the graph
}

TEST(CustomGradient, RefusesWhatIsNotAmongTheInputs) {
  ParameterSet parameters(1);
  parameters.add("w", Tensor::full({2}, 1, DType::kFloat64));
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2})), other = variable(3.0);
  const auto backward_of = [](const Var&, const Var&, const Var& g) { return g; };
  const unsigned line = std::source_location::current().line();
  const auto uses_parameter = [&](const Var& v) { return v * parameters.at("w"); };
  const auto uses_variable = [&](const Var& v) { return v * other; };
  const auto at = [&](unsigned further) {
    return " (custom_gradient_test.cc:" + std::to_string(line + further) +
           "), which is not among the inputs: no gradient would reach it";
  };
  EXPECT_ERROR((void)custom_gradient(uses_parameter, backward_of, x, "mine"), kGraph,
               "forward of 'mine' uses parameter 'w'" + at(1));
  EXPECT_ERROR((void)custom_gradient(uses_variable, backward_of, x), kGraph,
               "forward uses a variable f64[]" + at(2));
  const unsigned at_recorded = std::source_location::current().line() + 1;
  const Var recorded = other * other;
  EXPECT_ERROR((void)custom_gradient([&](const Var& v) { return v * recorded; }, backward_of, x),
               kGraph,
               "input 1 was recorded on an enclosing tape, not on this one: mul f64[] at "
               "custom_gradient_test.cc:" +
                   std::to_string(at_recorded));
  EXPECT_ERROR((void)custom_gradient([](const Var&) { return Var(); }, backward_of, x), kGraph,
               "the function gave an empty Var");
  EXPECT_ERROR((void)custom_gradient([](List) { return Vars(); },
                                     [](List, List, List) { return Vars(); }, {x}),
               kValue, "the function gave no value");
  EXPECT_ERROR((void)custom_gradient([](const Var& v) { return v; }, backward_of, Var()), kGraph,
               "input 0 is an empty Var");
  EXPECT_EQ(grad(sum(x * x), x).value().at(1), 4);  // the tape goes on
}

/// What a backward gives that does not fit, and what is said about it.
struct Wrong {
  const char* name;
  Vars (*backward)(List, List, List);
  ErrorKind kind;
  const char* message;
};

const Wrong kWrong[] = {
    {"count", [](List, List, List g) { return Vars{g[0]}; }, ErrorKind::kValue,
     "backward of 'mine' gives 1 gradient for 2 inputs"},
    {"shape",
     [](List, List, List g) {
       return Vars{sum(g[0]), g[0]};
     },
     ErrorKind::kShape, "backward of 'mine' gives input 0, f64[2], the gradient f64[]"},
    {"broadcast",
     [](List, List, List g) {
       return Vars{g[0], broadcast_to(g[0], {3, 2})};
     },
     ErrorKind::kShape, "backward of 'mine' gives input 1, f64[2], the gradient f64[3,2]"},
    {"dtype",
     [](List, List, List g) {
       return Vars{g[0], cast(g[0], DType::kFloat32)};
     },
     ErrorKind::kDType, "backward of 'mine' gives input 1, f64[2], the gradient f32[2]"},
};

class WrongStatementTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongStatementTest, NamesTheCall) {
  for (const bool create_graph : {false, true}) {
    Tape tape;
    const Scope scope("layer");
    const Var a = variable(Tensor::from({1.0, 2.0}, {2})), b = a * 1.0;
    const auto product = [](List x) { return x[0] * x[1]; };
    const unsigned line = std::source_location::current().line() + 1;
    const Var y = custom_gradient(product, GetParam().backward, {a, b}, "mine");
    try {
      (void)grad(sum(y), a, {.create_graph = create_graph});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), GetParam().kind);
      EXPECT_EQ(error.op(), "custom_gradient");
      EXPECT_EQ(error.message(), GetParam().message);
      EXPECT_EQ(error.scope(), "layer");
      EXPECT_EQ(base_name(error.file()), "custom_gradient_test.cc");
      EXPECT_EQ(error.line(), line);
      EXPECT_NE(error.fix(), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(CustomGradient, WrongStatementTest, ::testing::ValuesIn(kWrong),
                         [](const auto& info) { return info.param.name; });

TEST(CustomGradient, AnErrorInsideBackwardNamesItsLine) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  unsigned line = 0;
  const Var y = custom_gradient([](const Var& v) { return v * v; },
                                [&](const Var& v, const Var&, const Var&) {
                                  line = std::source_location::current().line() + 1;
                                  return reshape(v, {3});
                                },
                                x);
  try {
    (void)backward(sum(y));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.op(), "reshape");
    EXPECT_EQ(error.line(), line);
  }
}

}  // namespace
}  // namespace wengert
