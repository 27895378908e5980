#pragma once

// Private to the library.

#include <cmath>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/normalize.h"
#include "wengert/ops/normalization/checks.h"
#include "wengert/ops/ops.h"

// Makes records of normalizations of the last axes, taken together as one row: with the mean taken
// off (layer_norm) or not (rms_norm).
namespace wengert::ops {

struct RowNormAttributes {
  std::int64_t first_axis = -1;
  double epsilon = 1e-5;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("first_axis", self.first_axis);
    v("epsilon", self.epsilon);
  }
};

enum RowNormOperand : int { kRowX, kRowGain, kRowBias };

struct RowsOf {
  std::int64_t rows = 1, n = 1;
  RowsOf(const TensorView& x, std::int64_t first_axis) {
    for (int d = 0; d < x.rank; ++d) (d < first_axis ? rows : n) *= x.sizes[d];
  }
};

inline Axes axes_from(int rank, std::int64_t first) {
  Axes axes;
  for (std::int64_t d = first; d < rank; ++d) axes.push_back(d);
  return axes;
}

/// Hidden: mean in two parts and 1/√(variance + ε) of each row, as double.
inline void infer_row_norm(InferContext& call) {
  call.require_floating(kRowX);
  if (call.rank(kRowX) == 0) {
    call.fail(ErrorKind::kShape, "x is a scalar " + call.describe(kRowX),
              "give it an axis of features");
  }
  const int first = call.canonical_axis(&RowNormAttributes::first_axis, call.rank(kRowX));
  check_epsilon(call, call.attributes<RowNormAttributes>().epsilon);
  const Shape shape = call.shape(kRowX);
  Shape part;
  std::int64_t rows = 1;
  for (int d = 0; d < shape.size(); ++d) {
    if (d < first) {
      rows *= shape[d];
    } else {
      part.push_back(shape[d]);
    }
  }
  check_gain_and_bias(call, kRowGain, kRowBias, part);
  call.output(call.dtype(kRowX), shape);
  call.output(DType::kFloat64, {3, element_count(part) == 0 ? 0 : rows});
}

template <class T>
const T* part_or_null(const OpCall& call, int i) {
  return call.has(i) ? call.input(i).as<T>() : nullptr;
}

template <bool kCentered>
void evaluate_row_norm(EvalContext& call) {
  const auto& a = call.attributes<RowNormAttributes>();
  const TensorView y = call.output();
  const RowsOf of(y, a.first_axis);
  if (y.count() == 0) return;
  dispatch_floating(y.dtype, [&]<class T>(T) {
    double* means = call.output(1).as<double>();
    const kernels::RowNormalization<T> rows = {of.rows, of.n, kCentered, call.input(kRowX).as<T>(),
                                               part_or_null<T>(call, kRowGain)};
    rows.forward(a.epsilon, part_or_null<T>(call, kRowBias), y.as<T>(), means, means + 2 * of.rows);
  });
}

template <bool kCentered>
void row_norm_vjp(VjpContext& c) {
  const auto& a = c.attributes<RowNormAttributes>();
  const Var g = c.cotangent();
  if (wants(c, kRowBias)) c.set(kRowBias, g);
  if (element_count(c.shape(kRowX)) == 0) return;
  if (!wants(c, kRowX) && !wants(c, kRowGain)) return;
  const Var x = c.input(kRowX);
  const Axes axes = axes_from(x.rank(), a.first_axis);
  const Var d = kCentered ? x - mean(x, axes, true) : x;
  const Var scale = rsqrt(mean(square(d), axes, true) + a.epsilon);
  const Var normalized = d * scale;
  if (wants(c, kRowGain)) c.set(kRowGain, cotangent_product(g, normalized));
  if (!wants(c, kRowX)) return;
  const Var h = c.has(kRowGain) ? cotangent_product(g, c.input(kRowGain)) : g;
  const Var slope = mean(cotangent_product(h, normalized), axes, true);
  const Var rest = kCentered ? h - mean(h, axes, true) : h;
  c.set(kRowX, cotangent_product(rest - cotangent_product(slope, normalized), scale));
}

template <bool kCentered>
void backward_row_norm(BackwardContext& c) {
  const auto& a = c.attributes<RowNormAttributes>();
  const DenseInput g(c.cotangent());
  const RowsOf of(g.view(), a.first_axis);
  dispatch_floating(g.view().dtype, [&]<class T>(T) {
    const bool to_parts = wants(c, kRowGain) || wants(c, kRowBias);
    const auto n = static_cast<std::size_t>(to_parts ? of.n : 0);
    std::vector<double> gains(n), biases(n);
    if (!wants(c, kRowX) && !wants(c, kRowGain)) {  // x may be gone
      std::vector<double> unused(n);
      const std::vector<double> zeros(2 * n);
      kernels::channel_products(g.view().as<T>(), g.view().as<T>(), {of.rows, of.n, 1},
                                zeros.data(), biases.data(), unused.data());
    } else if (g.view().count() > 0) {
      const double* means = c.output(1).as<double>();
      const kernels::RowNormalization<T> rows = {
          of.rows, of.n, kCentered, c.input(kRowX).as<T>(),
          c.has(kRowGain) && wants(c, kRowX) ? c.input(kRowGain).as<T>() : nullptr};
      BackwardContext::Destination to{};
      if (wants(c, kRowX)) to = c.gradient(kRowX);
      rows.backward(g.view().as<T>(), means, means + 2 * of.rows,
                    wants(c, kRowX) ? to.view.as<T>() : nullptr, to.accumulate,
                    to_parts ? gains.data() : nullptr, to_parts ? biases.data() : nullptr);
    } else if (wants(c, kRowX)) {
      (void)c.gradient(kRowX);  // of no elements
    }
    if (wants(c, kRowGain)) put_numbers(c.gradient(kRowGain), gains.data());
    if (wants(c, kRowBias)) put_numbers(c.gradient(kRowBias), biases.data());
  });
}

/// The record; `operands`: x, gain and, where there is one, bias.
template <bool kCentered>
constexpr OpDef row_norm(std::string_view name, int operands, const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = 1;
  def.max_inputs = operands;
  def.optional = operands == 3 ? 0b110 : 0b10;
  def.differentiable = operands == 3 ? 0b111 : 0b11;
  constexpr std::uint32_t kStatistics = reads_output(1);
  def.reads = {reads_input(kRowX) | reads_input(kRowGain) | kStatistics,
               reads_input(kRowX) | kStatistics, kReadsNothing};
  def.layouts = {Layout::kDense, Layout::kDense, Layout::kDense};
  def.hidden_outputs = 1;
  def.infer = infer_row_norm;
  def.evaluate = evaluate_row_norm<kCentered>;
  def.vjp = row_norm_vjp<kCentered>;
  def.backward = backward_row_norm<kCentered>;
  def.attributes = &attribute_type<RowNormAttributes>;
  def.default_attributes = &default_attributes_of<RowNormAttributes>;
  return def;
}

}  // namespace wengert::ops
