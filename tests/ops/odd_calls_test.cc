#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/ops/limited.h"
#include "wengert/ops/testing.h"
#include "wengert/wengert.h"

// Every op by its record, with calls of its samples in which one thing is odd: how many operands
// there are, one or all of them, one attribute or two lists of numbers. Each call computes (and
// differentiates) or is an error of that op, told in its own words and at this file's line; never
// does it crash, hang, take a giant's memory or leave anything on the tape.
namespace wengert {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t k31 = std::int64_t{1} << 31, k40 = std::int64_t{1} << 40;
constexpr long kMoment = 20000000;                                  // µs
constexpr std::int64_t kDifferentiated = 1 << 20;                   // elements
constexpr std::size_t kMostOperands = 5, kSamples = 6, kCalls = 8;  // of a sample: some draw often

using Setting = std::function<void(Attributes&)>;

/// A call that works.
struct Call {
  std::vector<Var> inputs;
  std::vector<Setting> settings;
  std::vector<std::pair<std::string, bool>> names;  ///< of attributes; whether it is a list
};

/// The attributes of a call as settings.
class Recorded final : public AttributeVisitor {
 public:
  explicit Recorded(Call& call) : call_(call) {}
  void operator()(const char* name, std::int64_t value) override { add(name, value); }
  void operator()(const char* name, double value) override { add(name, value); }
  void operator()(const char* name, bool value) override { add(name, value); }
  void operator()(const char* name, std::string_view value) override {
    add(name, std::string(value));
  }
  void operator()(const char* name, std::span<const std::int64_t> value) override {
    add(name, std::vector<std::int64_t>(value.begin(), value.end()), true);
  }

 private:
  template <class T>
  void add(const char* name, T value, bool list = false) {
    call_.names.emplace_back(name, list);
    call_.settings.push_back([name = std::string(name), value](Attributes& a) {
      if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
        a.set(name, std::span<const std::int64_t>(value));
      } else {
        a.set(name, value);
      }
    });
  }
  Call& call_;
};

/// The op's calls in one of its samples; of a composite its default attributes on the inputs.
std::vector<Call> calls_in(const OpDef& op, const testing::Sample& sample) {
  std::vector<Call> calls;
  Tape tape;
  std::vector<Var> inputs;
  for (const Tensor& input : sample.inputs) inputs.emplace_back(input);
  const std::vector<Var> kept = sample.call(inputs);
  for (std::uint32_t id = 0; id < tape.size() && calls.size() < kCalls; ++id) {
    if (tape.node(id).op != &op || tape.node(id).output > 0) continue;
    Call call;
    bool whole = true;
    for (const std::uint32_t input : tape.inputs(id)) {
      const bool absent = tape.node(input).op == &detail::absent_op;
      whole &= absent || tape.has_value(input);
      if (whole) call.inputs.push_back(absent ? Var() : Var(tape.var(input).value()));
    }
    if (!whole) continue;
    Recorded recorded(call);
    if (op.attributes != nullptr) op.attributes->visit(tape.node(id).attributes, recorded);
    calls.push_back(std::move(call));
  }
  if (calls.empty()) {
    Call& call = calls.emplace_back();
    for (const Tensor& input : sample.inputs) call.inputs.emplace_back(input);
    Recorded recorded(call);
    const Attributes attributes(op);
    if (op.attributes != nullptr) op.attributes->visit(attributes.get(), recorded);
  }
  return calls;
}

/// A call with something odd.
struct OddCall {
  std::string what;
  std::vector<Var> inputs;
  std::vector<Setting> settings;
};

/// Operands that most calls do not expect.
std::vector<std::pair<std::string, Var>> odd_operands() {
  std::vector<std::pair<std::string, Var>> all = {
      {"empty", Var()}, {"number", 0.5}, {"largest integer", kMost}, {"large number", 1e300}};
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const Shape eight{1, 1, 1, 1, 1, 1, 1, 1};
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{3}, Shape{2, 3}, Shape{3, 2},
                               Shape{0, 3}, Shape{2, 0}, Shape{2, 0, 3}, eight}) {
      all.emplace_back(to_string(dtype, shape), Tensor::zeros(shape, dtype));
    }
    all.emplace_back("a transposed one", transpose(Tensor::zeros({3, 2}, dtype)).value());
    all.emplace_back("a repeated one", broadcast_to(Tensor::zeros({}, dtype), {2, 3}).value());
  }
  const Tape tape;
  const Var x = variable(Tensor::zeros({2, 3}, DType::kFloat32));
  all.emplace_back("of an ended tape", x * x);
  return all;
}

std::vector<std::pair<std::string, std::function<void(Attributes&, const std::string&)>>>
odd_values() {
  std::vector<std::pair<std::string, std::function<void(Attributes&, const std::string&)>>> all;
  const auto add = [&](const std::string& text, const auto& value) {
    all.emplace_back(text, [value](Attributes& a, const std::string& name) { a.set(name, value); });
  };
  for (const std::int64_t value : {kLeast, kMost, kLeast + 1, k31, k40, -k31, std::int64_t{-1},
                                   std::int64_t{0}, std::int64_t{1}, std::int64_t{7}}) {
    add(std::to_string(value), value);
  }
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const double value : {std::nan(""), kInf, -kInf, -1.0, 0.5, 1e308, -1e308, 5e-324}) {
    add(std::to_string(value), value);
  }
  add("true", true);
  add("false", false);
  for (const char* word : {"", "unknown", "i", "ij,jk->ik", "->", "float32", "float64", "int32",
                           "int64", "uint8", "bool", "edge", "reflect", "none", "sum", "mean"}) {
    add("'" + std::string(word) + "'", word);
  }
  return all;
}

std::vector<std::vector<std::int64_t>> odd_lists() {
  return {{},
          {0},
          {-1},
          {1},
          {kLeast},
          {kMost},
          {0, 0},
          {-1, -1},
          {1, 0},
          {kMost, kMost},
          {kLeast, kLeast},
          {kMost, 0},
          {k31, k31},
          {k40, 1},
          {0, 0, 0},
          std::vector<std::int64_t>(kMaxRank, 1),
          std::vector<std::int64_t>(kMaxRank + 1, 1)};
}

Setting listed(std::string name, std::vector<std::int64_t> list) {
  return [name = std::move(name), list = std::move(list)](Attributes& a) {
    a.set(name, std::span<const std::int64_t>(list));
  };
}

/// All odd calls near one that works.
void add_odd(const Call& call, std::vector<OddCall>& all) {
  for (std::size_t count = 0; count <= kMostOperands; ++count) {
    OddCall& odd =
        all.emplace_back(OddCall{std::to_string(count) + " operands", {}, call.settings});
    for (std::size_t i = 0; i < count; ++i) {
      odd.inputs.push_back(call.inputs.empty() ? Var(0.5) : call.inputs[i % call.inputs.size()]);
    }
  }
  for (const auto& [what, operand] : odd_operands()) {
    for (std::size_t i = 0; i < call.inputs.size() && i < kMostOperands; ++i) {
      OddCall& odd = all.emplace_back(
          OddCall{"operand " + std::to_string(i) + " " + what, call.inputs, call.settings});
      odd.inputs[i] = operand;
    }
    all.push_back(
        {"every operand " + what, std::vector<Var>(call.inputs.size(), operand), call.settings});
  }
  const auto add = [&](std::string what, std::vector<Setting> more) {
    OddCall& odd = all.emplace_back(OddCall{std::move(what), call.inputs, call.settings});
    odd.settings.insert(odd.settings.end(), more.begin(), more.end());
  };
  const auto lists = odd_lists();
  for (const auto& [name, is_list] : call.names) {
    for (const auto& [text, set] : odd_values()) {
      add(name + " = " + text, {[name = name, set = set](Attributes& a) { set(a, name); }});
    }
    for (const auto& list : lists) add(name + " = " + to_string(list), {listed(name, list)});
    if (!is_list) continue;
    for (const auto& [other, is_other_list] : call.names) {
      if (!is_other_list || other <= name) continue;
      for (const auto& first : lists) {
        for (const auto& second : lists) {
          add(name + " = " + to_string(first) + ", " + other + " = " + to_string(second),
              {listed(name, first), listed(other, second)});
        }
      }
    }
  }
}

/// What is wrong with an error of the call, or empty.
std::string complaint(const OpDef& op, const Error& error) {
  const std::string what = error.what();
  if (error.kind() == ErrorKind::kInternal) return "blames the record: " + what;
  if (error.op() != op.name) return "speaks as " + error.op() + ": " + what;
  if (base_name(error.file()) != "odd_calls_test.cc") return "names no line: " + what;
  for (const OpDef* other : registered_ops()) {
    if (other == &op || !error.message().starts_with(std::string(other->name) + ": ")) continue;
    return "tells of its inside: " + what;
  }
  return {};
}

void differentiate(const std::vector<Var>& inputs, const std::vector<Var>& outputs) {
  std::vector<Var> targets, ys, cotangents;
  for (const Var& x : inputs) {
    if (x.has_value() && x.requires_grad()) targets.push_back(x);
  }
  for (const Var& y : outputs) {
    if (!y.requires_grad()) continue;
    if (y.element_count() > kDifferentiated) return;
    ys.push_back(y);
    cotangents.emplace_back(Tensor::full(y.shape(), 1, y.dtype()));
  }
  if (!ys.empty()) (void)grad(ys, targets, cotangents);
}

std::string run(const OpDef& op, const OddCall& odd, bool recorded) {
  std::unique_ptr<Tape> tape;
  if (recorded) tape = std::make_unique<Tape>();
  std::vector<Var> inputs = odd.inputs, outputs;
  std::vector<const Var*> pointers;
  for (Var& x : inputs) {
    const bool plain = x.has_value() && !x.requires_grad() && x.get()->storage != nullptr;
    if (recorded && plain && is_floating(x.dtype())) x = variable(x.value());
    pointers.push_back(&x);
  }
  Attributes attributes(op);
  try {
    for (const Setting& set : odd.settings) set(attributes);
  } catch (const Error&) {
    return {};  // another kind of value than the attribute's
  }
  try {
    outputs = apply_all(op, pointers, attributes.get(), std::source_location::current());
  } catch (const Error& error) {
    if (recorded && tape->size() > 0) {
      return "left " + std::to_string(tape->size()) + " nodes on the tape: " + error.what();
    }
    return complaint(op, error);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
  try {
    if (recorded) differentiate(inputs, outputs);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) return std::string("derivative: ") + error.what();
  } catch (const std::exception& error) {
    return std::string("derivative threw ") + error.what();
  }
  return {};
}

class OddCalls : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    if (op.bound_to_tape || op.structural) GTEST_SKIP() << "no call of a program's";
  }
  const testing::OpTests tests = testing::tested_ops()[GetParam()].tests();
  const OpDef& op = *find_op(tests.op);
};

TEST_P(OddCalls, ComputeOrAreErrorsOfTheOp) {
  if (!kLimitsMemory) GTEST_SKIP() << "sanitizers take memory of their own";
  std::vector<OddCall> all;
  std::size_t used = 0;
  for (const testing::Sample& sample : tests.samples) {
    if (sample.large() || ++used > kSamples) continue;
    for (const Call& call : calls_in(op, sample)) add_odd(call, all);
  }
  ASSERT_FALSE(all.empty());
  int failures = 0;
  for (std::size_t first = 0; first < 2 * all.size() && failures < 10; ++failures) {
    const Ended ended = run_limited(first, 2 * all.size(), kMoment, [&](std::size_t task) {
      return run(op, all[task / 2], task % 2 != 0);
    });
    if (ended.done) break;
    ADD_FAILURE() << all[ended.task / 2].what << (ended.task % 2 != 0 ? ", recorded: " : ": ")
                  << ended.complaint;
    first = ended.task + 1;
  }
}

/// The operand along one axis alone, repeated `size` times.
Var repeated(const Var& x, int axis, std::int64_t size) {
  Shape ones, sizes;
  for (int d = 0; d < x.rank(); ++d) {
    ones.push_back(1);
    sizes.push_back(d == axis ? size : 1);
  }
  return broadcast_to(Tensor::zeros(ones, x.dtype()), sizes);
}

/// The call with its operands repeated along `axis`, all or one; empty where that changes none.
std::vector<Var> repeated(const Call& call, std::size_t which, int axis, std::int64_t size) {
  std::vector<Var> inputs = call.inputs;
  bool changed = false;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const bool meant = which == inputs.size() || which == k;
    if (!meant || !inputs[k].has_value() || axis >= inputs[k].rank()) continue;
    inputs[k] = repeated(inputs[k], axis, size);
    changed = true;
  }
  return changed ? inputs : std::vector<Var>();
}

void infer_without_fault(const OpDef& op, const Call& call, const std::vector<Var>& inputs) {
  std::vector<const Var*> pointers;
  for (const Var& x : inputs) pointers.push_back(&x);
  Attributes attributes(op);
  for (const Setting& set : call.settings) set(attributes);
  try {
    (void)infer(op, pointers, attributes.get(), std::source_location::current());
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::kInternal) << error.what();
  }
}

// Sizes of results are worked out without a sum or a product that wraps: as sanitizers see.
TEST_P(OddCalls, InferFromAsManyElementsAsCanBeCounted) {
  if (op.infer == nullptr) GTEST_SKIP() << "made of others";
  for (const testing::Sample& sample : tests.samples) {
    if (sample.large()) continue;
    for (const Call& call : calls_in(op, sample)) {
      for (std::size_t which = 0; which <= call.inputs.size(); ++which) {
        for (const std::int64_t size : {kMost, kMost - 6, std::int64_t{1} << 62}) {
          for (int axis = 0; axis < kMaxRank; ++axis) {
            const std::vector<Var> inputs = repeated(call, which, axis, size);
            if (!inputs.empty()) infer_without_fault(op, call, inputs);
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OddCalls,
                         ::testing::Range(std::size_t{0}, testing::tested_ops().size()),
                         [](const auto& info) { return testing::tested_ops()[info.param].name; });

}  // namespace
}  // namespace wengert
