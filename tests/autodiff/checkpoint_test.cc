#include "wengert/autodiff/checkpoint.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/storage.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

/// One step of a recurrent net with a shared weight; h is used several times.
Var step(ParameterSet& parameters, const Var& h, const Var& x) {
  return tanh(linear(parameters, "cell", h, 16) + x * h) + h * 0.5f;
}

/// Gradients after 12 steps, in blocks of `block` (0: none).
struct Result {
  std::vector<float> weight, bias, x;
  explicit Result(int block) {
    ParameterSet parameters(3);
    Tape tape;
    const Var x = variable(Tensor::full({4, 16}, 0.3, DType::kFloat32));
    Var h = x + 0.1f;
    if (block == 0) {
      for (int t = 0; t < 12; ++t) h = step(parameters, h, x);
    } else {
      for (int t = 0; t < 12; t += block) {
        const Var inputs[] = {h, x};
        h = checkpoint(
            [&, block](std::span<const Var> v) {
              Var inner = v[0];
              for (int k = 0; k < block; ++k) inner = step(parameters, inner, v[1]);
              return std::vector<Var>{inner};
            },
            inputs)[0];
      }
    }
    const Gradients g = backward(mean(h * x));
    weight = g.at("cell/weight").value().to_vector<float>();
    bias = g.at("cell/bias").value().to_vector<float>();
    this->x = g[x].value().to_vector<float>();
  }
};

TEST(Checkpoint, GivesTheBitsOfTheProgramWithout) {
  const Result plain(0);
  for (int block : {1, 3, 4, 12}) {
    const Result blocks(block);
    EXPECT_EQ(blocks.weight, plain.weight) << block;
    EXPECT_EQ(blocks.bias, plain.bias) << block;
    EXPECT_EQ(blocks.x, plain.x) << block;
  }
}

TEST(Checkpoint, HasDerivativesOfHigherOrder) {
  const auto f = [](std::span<const Var> v) {
    const Var inputs[] = {v[0], v[1], v[0]};
    return checkpoint(
        [](std::span<const Var> u) { return std::vector<Var>{sin(u[0] * u[1]) + exp(u[2] * 0.5)}; },
        inputs)[0];
  };
  const Tensor at[] = {Tensor::from({0.3, -0.8}, {2}), Tensor::from({1.1, 0.4}, {2})};
  const auto result = gradcheck(f, at, {.order = 2});
  EXPECT_TRUE(result.passed) << result.message;
}

TEST(Checkpoint, DrawsTheSameNumbersAgainAndUpdatesOnce) {
  const auto run = [](bool checkpointed) {
    ParameterSet parameters(5);
    Tape tape;
    const Var x = variable(Tensor::full({1000}, 1, DType::kFloat32));
    const auto f = [&](const Var& v) {
      return dropout(parameters, "second", dropout(parameters, "first", v, 0.5) * v, 0.5);
    };
    const Var y = checkpointed ? checkpoint(f, x) : f(x);
    const Var after = dropout(parameters, "after", y, 0.5);
    const Gradients g = backward(sum(after * y));
    commit(tape);
    std::vector<float> result = g[x].value().to_vector<float>();
    for (const Buffer* buffer : parameters.buffers()) {
      result.push_back(static_cast<float>(buffer->value().scalar_value()));
    }
    return result;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(Checkpoint, MayStandInsideAnother) {
  Tape tape;
  const Var x = variable(0.7);
  const auto inner = [](const Var& v) { return sin(v) * v; };
  const Var y = checkpoint([&](const Var& v) { return checkpoint(inner, v * v) + v; }, x);
  const double g = backward(y, {.retain = true})[x].scalar_value();
  const Var plain = inner(x * x) + x;
  EXPECT_EQ(g, backward(plain)[x].scalar_value());
}

TEST(Checkpoint, KeepsItsInputsAlone) {
  constexpr int kSteps = 100, kBlock = 10;
  const auto peak = [](bool checkpointed) {
    Tape tape;
    const Var x = variable(Tensor::full({64, 64}, 0.1, DType::kFloat32));
    Var h = x;
    const auto steps = [](const Var& v) {
      Var inner = v;
      for (int k = 0; k < kBlock; ++k) inner = tanh(inner);
      return inner;
    };
    for (int t = 0; t < kSteps; t += kBlock) h = checkpointed ? checkpoint(steps, h) : steps(h);
    const Var loss = sum(h);
    return detail::storage_statistics().live_bytes;
  };
  // 100 saved values, or the 10 inputs of blocks.
  EXPECT_GT(peak(false), std::int64_t{95} * 64 * 64 * 4);
  EXPECT_LT(peak(true), std::int64_t{15} * 64 * 64 * 4);
}

TEST(Checkpoint, RefusesValuesFromOutside) {
  Tape tape;
  const Var x = variable(2.0);
  const unsigned line = std::source_location::current().line() + 1;
  const Var other = x * 3.0;
  EXPECT_ERROR((void)checkpoint([&](const Var& v) { return v * other; }, x), kGraph,
               "input 1 was recorded on an enclosing tape, not on this one: mul f64[] at "
               "checkpoint_test.cc:" +
                   std::to_string(line));
  EXPECT_ERROR((void)checkpoint([](const Var&) { return Var(); }, x), kGraph,
               "the function gave an empty Var");
  EXPECT_ERROR((void)checkpoint([](std::span<const Var>) { return std::vector<Var>(); }, {x}),
               kValue, "the function gave no value");
}

/// What surrounds a block is not there any more, or is another, when backward computes it anew.
TEST(Checkpoint, IsComputedAnewInItsSurroundings) {
  const auto gradients = [](bool checkpointed, bool second_order) {
    ParameterSet parameters(3);
    parameters.add("replaced", Tensor::full({4, 4}, 3));
    parameters.add("frozen", Tensor::full({4}, 2));
    parameters.add("own", Tensor::full({4}, 0.5));
    parameters.at("frozen").set_trainable(false);
    Tape tape;
    const Var x = variable(Tensor::from({0.5f, -1.5f, 2.0f, 0.25f}, {1, 4}));
    const Var source = variable(Tensor::full({4, 4}, 0.7, DType::kFloat32));
    const auto f = [&](const Var& v) {
      const Var h = matmul(v, use(parameters.at("replaced"))) * use(parameters.at("frozen"));
      const Var y = tanh(h) * use(parameters.at("own"));
      return second_order ? y : dropout(parameters, "drop", y, 0.5);
    };
    Var y;
    {
      const RandomLane lane(5);
      const ParameterOverride others(
          parameters, {{"replaced", source * source}, {"frozen", Tensor::full({4}, 1.25)}});
      y = checkpointed ? checkpoint(f, x) : f(x);
    }
    const RandomLane lane(6);
    const ParameterOverride others(
        parameters, {{"replaced", Tensor::full({4, 4}, -1)}, {"own", Tensor::full({4}, 9)}});
    std::array<Var, 2> found = grad({sum(y * y)}, {x, source}, {}, {.create_graph = second_order});
    if (second_order) found = grad({sum(square(found[0]))}, {x, source}, {});
    return found[0].str() + found[1].str();
  };
  for (const bool second_order : {false, true}) {
    EXPECT_EQ(gradients(true, second_order), gradients(false, second_order)) << second_order;
  }
}

/// What stands for parameters may be the block's own input, and the same for two of them.
TEST(Checkpoint, OfOverridesThatAreInputsHasTheSameBits) {
  const auto gradient = [](bool checkpointed) {
    ParameterSet parameters(3);
    parameters.add("a", Tensor::full({4}, 3));
    parameters.add("b", Tensor::full({4}, 2));
    Tape tape;
    const Var x = variable(Tensor::from({0.1f, -1.7f, 2.3f, 0.7f}, {4}));
    const Var other = variable(Tensor::from({1e-3f, 1.1f, 7.3f, -0.3f}, {4}));
    const auto f = [&](const Var& v) {
      const Var a = use(parameters.at("a")), b = use(parameters.at("b"));
      return sin(v * a) * b + v * b / 3 + exp(a * 0.1) * v;
    };
    const ParameterOverride both(parameters, {{"a", x}, {"b", x}});
    const Var first = checkpointed ? checkpoint(f, x) : f(x);
    const Var second = checkpointed ? checkpoint(f, other) : f(other);
    return backward(sum(first * second))[x].value().to_vector<float>();
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

TEST(Checkpoint, SaysWhenTheFunctionChanges) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  int calls = 0;
  const Var y = checkpoint([&](const Var& v) { return ++calls == 1 ? v * v : sum(v); }, x);
  EXPECT_ERROR(backward(sum(y)), kValue, "value 0 was f64[2] and is now f64[]");
}

TEST(Tapes, OpenedInARuleRecord) {
  Tape outer;
  const NoGrad off;
  Tape inner;
  const Var x = variable(3.0);
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 6);
}

}  // namespace
}  // namespace wengert
