#include "wengert/tests/fuzz/hostile_call.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert::fuzz {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kIntegers[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      -1,
                                      -2,
                                      -3,
                                      -4,
                                      64,
                                      1000,
                                      std::int64_t{1} << 31,
                                      (std::int64_t{1} << 53) + 1,
                                      std::int64_t{1} << 62,
                                      kMost,
                                      -kMost,
                                      -kMost - 1,
                                      std::numeric_limits<std::int32_t>::min()};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kReals[] = {0,
                             1,
                             -1,
                             0.5,
                             2,
                             3,
                             -0.0,
                             1e-310,
                             -2.5,
                             1e300,
                             -1e300,
                             kInfinity,
                             -kInfinity,
                             1e19,
                             -1e19,
                             1e-30,
                             std::numeric_limits<double>::quiet_NaN()};

/// Elements of an operand.
constexpr std::int64_t kMostHeld = 4096;

std::int64_t integer(Input& input) {
  const int choice = input.below(64);
  if (choice == 63) return input.word();
  return kIntegers[static_cast<std::size_t>(choice) % std::size(kIntegers)];
}

double real(Input& input) {
  const int choice = input.below(64);
  if (choice == 63) return std::bit_cast<double>(input.word());
  return kReals[static_cast<std::size_t>(choice) % std::size(kReals)];
}

/// Mostly small.
std::int64_t size(Input& input) {
  const int choice = input.below(64);
  if (choice < 56) return choice % 5;
  constexpr std::int64_t kLarge[] = {17,
                                     65,
                                     1 << 20,
                                     std::int64_t{1} << 31,
                                     std::int64_t{1} << 32,
                                     std::int64_t{1} << 40,
                                     std::int64_t{1} << 61,
                                     kMost};
  return kLarge[choice - 56];
}

}  // namespace

/// Fills an op's attributes.
class HostileCall::Writer final : public AttributeWriter {
 public:
  Writer(HostileCall& call, Input& input) : call_(call), input_(input) {}
  void operator()(const char*, std::int64_t& value) override {
    if (changes()) value = integer(input_);
  }
  void operator()(const char*, double& value) override {
    if (changes()) value = real(input_);
  }
  void operator()(const char*, ExactNumber& value) override {
    if (!changes()) return;
    value = input_.chance() ? ExactNumber(integer(input_)) : ExactNumber(real(input_));
  }
  void operator()(const char*, bool& value) override {
    if (changes()) value = input_.chance();
  }
  void operator()(const char*, std::string_view& value) override {
    if (!changes()) return;
    constexpr const char* kTexts[] = {"",       "ij,jk->ik", "ii->i", "i,i->", "...i->...",
                                      "ij->ji", "ab,bc,",    "->",    "i->ii", "i,j->ij"};
    const int choice = input_.below(16);
    std::string text = choice < 10 ? kTexts[choice] : "";
    if (choice >= 10) {
      for (int i = input_.below(12); i > 0; --i) {
        text += "abcij,.->ABC "[input_.below(14)];
      }
    }
    value = call_.texts_.emplace_back(std::move(text));
  }
  void operator()(const char*, std::span<const std::int64_t>& value) override {
    if (!changes()) return;
    std::vector<std::int64_t>& list = call_.lists_.emplace_back();
    for (int i = input_.below(6); i > 0; --i) list.push_back(integer(input_));
    value = list;
  }
  void operator()(const char*, Dims& value) override {
    if (!changes()) return;
    value.resize(0);
    for (int i = input_.below(kMaxRank + 1); i > 0; --i) {
      value.push_back(input_.chance() ? size(input_) : integer(input_));
    }
  }
  void operator()(const char*, DType& value) override {
    if (changes()) value = static_cast<DType>(input_.below(kDTypeCount));
  }

 protected:
  void choose(const char*, std::string_view (*word)(int), int& value) override {
    if (!changes()) return;
    int words = 0;
    while (words < 16 && !word(words).empty()) ++words;
    value = input_.below(std::max(words, 1));
  }
  int narrow(const char*, std::int64_t value) override {
    return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(),
                                                     std::numeric_limits<int>::max()));
  }

 private:
  /// What bytes do not reach stays at its default.
  bool changes() { return !input_.at_end() && input_.below(4) != 0; }
  HostileCall& call_;
  Input& input_;
};

Var HostileCall::operand(Input& input) {
  const int kind = input.below(32);
  if (kind == 31) return {};
  if (kind == 30) return real(input);                          // a number
  if (kind == 29) return static_cast<double>(integer(input));  // a whole one
  const auto dtype = static_cast<DType>(kind >= 12 ? kind % 2 : kind % kDTypeCount);
  Shape sizes, held;
  const int rank = input.below(16) == 15 ? input.below(kMaxRank + 1) : input.below(4);
  bool enlarged = false;
  for (int i = 0; i < rank; ++i) {
    const std::int64_t n = size(input);
    sizes.push_back(n);
    // What is not held is a view of one element.
    held.push_back(n > 65 || element_count(held) * n > kMostHeld ? 1 : n);
    enlarged |= held.back() != n;
  }
  std::vector<double> values(static_cast<std::size_t>(element_count(held)));
  const bool plain = input.chance();
  for (double& value : values) {
    value = plain ? input.below(8) - 2 : real(input);
    if (!is_floating(dtype) && !(std::abs(value) < 2e9)) value = 1;
    if (dtype == DType::kUint8 || dtype == DType::kBool)
      value = std::abs(value) < 256 ? std::abs(value) : 1;
  }
  const Tensor tensor = Tensor::from(values, held).to(dtype);
  Var x = is_floating(dtype) && input.chance() ? variable(tensor) : Var(tensor);
  if (enlarged) return broadcast_to(x, sizes);  // refuses sizes that no machine has
  switch (input.below(6)) {
    case 0:
      return rank >= 2 ? transpose(x) : x;
    case 1:
      return flip(x);
    case 2:
      return rank >= 1 ? slice(x, {0}, {sizes[0]}, {0}, {2}) : x;
    case 3:
      return rank >= 1 ? broadcast_to(expand_dims(x, 0),
                                      [&] {
                                        Shape more = sizes;
                                        more.insert(0, 3);
                                        return more;
                                      }())
                       : x;
    default:
      return x;
  }
}

HostileCall::HostileCall(const OpDef& op, Input& input) : op_(op) {
  const int most = op.max_inputs < 0 ? 4 : op.max_inputs;
  int count = op.min_inputs + input.below(most - op.min_inputs + 1);
  if (input.below(32) == 31) count = input.below(6);
  for (int i = 0; i < count; ++i) {
    // Operands are often of one shape, and often the same.
    const int reuse = input.below(4);
    operands_.push_back(reuse == 3 && i > 0 ? operands_.back() : operand(input));
  }
  if (op.attributes == nullptr) return;
  memory_.resize(op.attributes->size / sizeof(std::max_align_t) + 1);
  if (op.default_attributes != nullptr) {
    std::memcpy(memory_.data(), op.default_attributes, op.attributes->size);
  } else {
    op.attributes->construct(memory_.data());
  }
  Writer writer(*this, input);
  op.attributes->write(memory_.data(), writer);
}

std::vector<const Var*> HostileCall::operands() const {
  std::vector<const Var*> pointers;
  for (const Var& operand : operands_) pointers.push_back(&operand);
  return pointers;
}

std::int64_t HostileCall::elements() const {
  double all = 0;
  for (const Var& operand : operands_) {
    double count = 1;
    if (!operand.has_value()) continue;
    for (const std::int64_t n : operand.shape()) count *= static_cast<double>(n);
    all += count;
  }
  return all >= 0x1p62 ? std::int64_t{1} << 62 : static_cast<std::int64_t>(all);
}

}  // namespace wengert::fuzz
