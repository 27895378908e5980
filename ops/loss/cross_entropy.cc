#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"
#include "wengert/ops/loss/class_loss.h"

namespace wengert {
namespace ops {
namespace {

Var expand_cross_entropy(const ExpandContext& call) {
  const Var logarithms = maximum(log(call.operand(kScores)), -100.0, call.where());
  const auto operand = [&](int i) { return call.has(i) ? call.operand(i) : Var(); };
  const Var targets = call.operand(kTargets), of_classes = operand(kClassWeights),
            of_rows = operand(kRowWeights);
  return apply(nll_loss_op, {&logarithms, &targets, &of_classes, &of_rows},
               call.attributes<ClassAttributes>(), call.where());
}

constexpr OpDef cross_entropy_record(const Documentation& doc) {
  OpDef def = composite("cross_entropy", 2, 4, 3, expand_cross_entropy,
                        &attribute_type<ClassAttributes>, nullptr, doc);
  def.optional = 0b1100;
  return def;
}

}  // namespace

constinit const OpDef cross_entropy_op = cross_entropy_record(
    {.summary = "Cross-entropy of targets from probabilities.",
     .formula = "y = −(1/n)·Σ max(ln p[row, t[row]], −100), or −(1/n)·Σ t·max(ln p, −100) for "
                "probabilities t, over n rows",
     .arguments = "probabilities p: float32 or float64 […, classes], as softmax gives them, not "
                  "normalised here; " WENGERT_CLASS_ARGUMENTS
                  ". Recorded as log, maximum and nll_loss. From logits softmax_cross_entropy is "
                  "exact where this rounds or is cut",
     .gradient = "∂p: −t/(p·n), 0 where the logarithm is cut; ∂t: −max(ln p, −100)/n",
     .source = "C. Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108"});

}  // namespace ops

Var cross_entropy(const Var& probabilities, const Var& targets, Reduction reduction,
                  const ClassOptions& options, std::source_location where) {
  return ops::apply_class_loss(ops::cross_entropy_op, probabilities, targets, reduction, options,
                               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <cmath>

#include "wengert/ops/loss/class_loss_tests.h"

namespace {

std::vector<long double> logarithms(std::span<const double> row) {
  std::vector<long double> result;
  for (const double p : row) result.push_back(std::max(std::log((long double)p), -100.0L));
  return result;
}

}  // namespace

WENGERT_OP_TESTS(cross_entropy) {
  OpTests tests = class_loss_tests({wengert::cross_entropy, logarithms, 0.05, 0.95});
  tests.samples.push_back(gradient_sample("cut at −100", Tensor::from({0., 1., 0.5, 0.5}, {2, 2}),
                                          [](const wengert::Var& p) {
                                            return wengert::cross_entropy(
                                                p, Tensor::from<std::int32_t>({0, 1}, {2}),
                                                wengert::Reduction::kSum);
                                          },
                                          {0, 0, 0, -2}));
  return tests;
}
#endif
