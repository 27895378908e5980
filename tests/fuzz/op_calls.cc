#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/tests/fuzz/hostile_call.h"

// Each call of a registered op, by its record, with whatever operands and attributes: it computes,
// and its first and second derivatives do, or an error names the op; the tape is of use afterwards.
namespace wengert::fuzz {
namespace {

constexpr std::int64_t kFew = 1 << 12;
/// So many that the product of three is no burden.
constexpr std::int64_t kFewOfEach = 200;
/// More than any machine grants.
constexpr double kBeyondMemory = 0x1p46;

/// Of an op's name: bytes name ops so that new ops leave the corpus what it is.
std::uint16_t key_of(std::string_view name) {
  std::uint32_t key = 2166136261u;
  for (const char c : name) key = (key ^ static_cast<std::uint8_t>(c)) * 16777619u;
  return static_cast<std::uint16_t>(key ^ key >> 16);
}

/// The first op at or after a key.
const OpDef& op_at(std::uint16_t key, const std::vector<const OpDef*>& ops) {
  return **std::min_element(ops.begin(), ops.end(), [key](const OpDef* a, const OpDef* b) {
    return static_cast<std::uint16_t>(key_of(a->name) - key) <
           static_cast<std::uint16_t>(key_of(b->name) - key);
  });
}

std::vector<const OpDef*> callable_ops() {
  std::vector<const OpDef*> result;
  for (const OpDef* op : registered_ops()) {
    if (!op->structural && !op->bound_to_tape) result.push_back(op);
  }
  return result;
}

/// An error that tells its reader where and what.
void check(const Error& error) {
  require(error.kind() != ErrorKind::kInternal, error.what());
  require(!error.op().empty() && !error.file().empty(),
          std::string("an error without op or line: ") + error.what());
  require(std::string(error.what()).size() < 20000, "an error without end");
}

void look_at(const Var& y) {
  if (element_count(y.shape()) <= kFew) (void)y.value().to_vector<double>();
}

/// First and second derivatives by all operands.
void differentiate(std::vector<Var> ys, const std::vector<const Var*>& operands) {
  std::vector<Var> xs;
  for (const Var* operand : operands) {
    if (operand->has_value() && operand->requires_grad()) xs.push_back(*operand);
  }
  if (xs.empty()) return;
  for (int order = 1; order <= 2; ++order) {
    std::vector<Var> roots, cotangents;
    for (const Var& y : ys) {
      if (!y.has_value() || !y.requires_grad() || !is_floating(y.dtype())) continue;
      roots.push_back(y);
      cotangents.push_back(ones_like(y));
    }
    if (roots.empty()) return;
    ys = grad(roots, xs, cotangents, {.create_graph = order == 1, .retain = true});
    for (std::size_t i = 0; i < xs.size(); ++i) {
      require(ys[i].shape() == xs[i].shape() && ys[i].dtype() == xs[i].dtype(),
              "a gradient of another shape");
      look_at(ys[i]);
    }
  }
}

}  // namespace

FUZZ_TARGET(op_calls) {
  static const std::vector<const OpDef*> ops = callable_ops();
  const int high = input.byte(), low = input.byte();
  const OpDef& op = op_at(static_cast<std::uint16_t>(high << 8 | low), ops);
  const Tape tape;
  try {
    const HostileCall call(op, input);
    const auto operands = call.operands();
    const auto where = std::source_location::current();
    double bytes = 0, elements = static_cast<double>(call.elements());
    if (op.is_composite() && elements > kFewOfEach) return;  // nobody infers what comes of them
    const auto outputs = op.is_composite() ? std::vector<InferContext::Output>()
                                           : infer(op, operands, call.attributes(), where);
    for (const auto& output : outputs) {
      double count = 1;
      for (const std::int64_t n : output.shape) count *= static_cast<double>(n);
      elements += count;
      bytes += count * static_cast<double>(size_of(output.dtype));
    }
    // What is only long, or merely takes much memory, is left out.
    if (elements > kFew && bytes < kBeyondMemory) return;
    if (elements > kFew && op.evaluate == nullptr) return;
    const std::vector<Var> ys = apply_all(op, operands, call.attributes(), where);
    for (std::size_t k = 0; k < ys.size(); ++k) {
      if (k < outputs.size()) {
        require(ys[k].shape() == outputs[k].shape && ys[k].dtype() == outputs[k].dtype,
                "an output that is not as inferred");
      }
      look_at(ys[k]);
    }
    if (elements <= kFew) differentiate(ys, operands);
    accept();
  } catch (const Error& error) {
    check(error);
  }
  const Var x = variable(Tensor::from({0.5, -1.5}, {2}));
  const Var dx = grad(sum(x * x), x);
  require(dx.value().to_vector<double>() == std::vector<double>({1.0, -3.0}), "a tape of no use");
}

}  // namespace wengert::fuzz
