#include <gtest/gtest.h>

#include <memory>

#include "wengert/tests/memory/programs.h"

// Programs that record and differentiate.
namespace wengert {
namespace {

/// First and second derivatives on one tape, with views, several outputs, attributes and names.
std::string differentiate(Attempts& attempt) {
  const Tensor start = Tensor::from({0.5, -1.5, 2.0, 0.25, -0.75, 1.0}, {2, 3});
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var x = attempt([&] { return variable(start); });
  const Var h = attempt([&] { return tanh(matmul(x, transpose(x)) * 0.5); });
  attempt([&] { tape->name(h, "a name that no short string holds"); });
  const Var y = attempt([&] {
    Scope scope("a scope that no short string holds");
    const std::vector<Var> parts = split(h, 2, 0);
    return sum(concat(parts, 0) * where(greater(parts[0], 0), parts[1], 1.0)) + sum(sort(h, 1)[0]);
  });
  const BackwardOptions again = {.create_graph = true};
  const Var dx = attempt([&] { return grad(y, x, again); });
  const Var ddx = attempt([&] { return grad(sum(square(dx)), x, {.retain = true}); });
  const Gradients all = attempt([&] { return backward(y, {.retain = true}); });
  return bytes_of(y.value()) + bytes_of(dx.value()) + bytes_of(ddx.value()) +
         bytes_of(all[x].value());
}

/// A pass that is not told to retain: after a failure it may refuse, but never be wrong.
std::string differentiate_once(Attempts& attempt) {
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var x = variable(Tensor::from({0.5, -1.5, 2.0, 0.25}, {2, 2}));
  const Var y = attempt([&] { return sum(exp(matmul(x, x)) * x); });
  try {
    return bytes_of(attempt([&] { return grad(y, x); }).value());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kGraph || !attempt.failed()) throw;
    EXPECT_TRUE(error.message().starts_with("its saved values were given back by an earlier"))
        << error.what();
    return bytes_of(grad(sum(exp(matmul(x, x)) * x), x).value());
  }
}

/// Tapes inside a tape, whose leaves stand for those outside.
std::string nest(Attempts& attempt) {
  const Tape outer;
  const Var x = variable(0.5);
  const Var y = x * x;
  const Var inside = attempt([&] {
    const Tape inner;
    return Var(grad(exp(x) * x, x).value());
  });
  const auto inner = std::make_unique<Tape>();
  const Var leaf = variable(2.0);
  const Var z = attempt([&] { return leaf * x; });
  const Var dz = attempt([&] { return grad(z, x, {.retain = true}); });
  return inside.str() + dz.str();
}

/// Products, sums and functions of so many elements that several threads work on them.
std::string differentiate_on_threads(Attempts& attempt) {
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var x = variable(Tensor::full({160, 160}, 0.01, DType::kFloat64));
  const Var h = attempt([&] { return exp(matmul(x, transpose(x))); });
  const Var y = attempt([&] { return sum(softmax(h, 1) * x); });
  return bytes_of(attempt([&] { return grad(y, x, {.retain = true}); }).value());
}

/// A tape of more nodes than one chunk holds, and blocks of several megabytes: huge pages.
std::string record_much(Attempts& attempt) {
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var large = attempt([] { return variable(Tensor::full({300000}, 0.5, DType::kFloat64)); });
  const Var x = variable(0.999);
  Var y = x;
  attempt([&] {
    y = x;
    for (int i = 0; i < 40000; ++i) y = y * x;
  });
  return grad(y + sum(large), x).str();
}

}  // namespace

std::vector<Program> graph_programs() {
  return {{"differentiate", differentiate},
          {"differentiate_once", differentiate_once},
          {"nest", nest},
          {.name = "differentiate_on_threads", .run = differentiate_on_threads, .threads = true},
          {"record_much", record_much}};
}

}  // namespace wengert
