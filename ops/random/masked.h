#pragma once

// Private to the library.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/graph/text.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/philox.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"

// Makes records of ops that drop elements of x under a mask of fewer elements than x, or do other
// things to what is kept and dropped than dropout does. Such an op is a struct K:
//   static constexpr bool kAffine;  whether what is dropped becomes a number of its own
//   static constexpr bool kTakesAxis;  whether attribute `axis` is looked at
//   static constexpr int kLeastRank; and what to do about less: std::string_view kRankFix
//   static const OpDef& record();
//   static Masking of(const MaskAttributes&, std::span<const std::int64_t> sizes);  in training
//   static constexpr double inference_scale(double p);  1: inference gives x
namespace wengert::ops {

/// The mask is draw `counter` under `key`: as part of the record it is the same one in every
/// derivative and when the node is computed again.
struct MaskAttributes {
  std::int64_t key, counter;
  double p;
  std::int64_t axis;  ///< the last one whose elements have a number of their own, for some ops
  Mode mode;
  bool slope;  ///< the linear part alone: the op of a cotangent
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("key", self.key);
    v("counter", self.counter);
    v("p", self.p);
    v("axis", self.axis);
    v("mode", self.mode);
    v("slope", self.slope);
  }
};

/// Element i belongs to number (i/inner) mod period of the mask. What is kept becomes x·scale +
/// shift, what is dropped `dropped`.
struct Masking {
  std::int64_t inner = 1, period;
  double scale = 1, shift = 0, dropped = 0;
};

template <class T>
void apply_mask(const T* x, T* y, std::int64_t n, const Masking& masking,
                const kernels::RandomDraw& draw, double p, bool accumulate) {
  if (n == 0) return;
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(masking.period));
  kernels::fill_bernoulli(DType::kUint8, reinterpret_cast<std::byte*>(mask.data()), masking.period,
                          draw, p);
  const auto scale = static_cast<T>(masking.scale), shift = static_cast<T>(masking.shift),
             dropped = static_cast<T>(masking.dropped);
  constexpr std::int64_t kGrain = 1 << 15;  // elements a task
  kernels::parallel_for((n + kGrain - 1) / kGrain, [&](std::int64_t task) {
    const std::int64_t end = std::min(n, (task + 1) * kGrain);
    std::int64_t i = task * kGrain;
    while (i < end) {  // a run under one number of the mask
      const std::int64_t run = i / masking.inner;
      const std::int64_t stop = std::min(end, (run + 1) * masking.inner);
      const bool drops = mask[static_cast<std::size_t>(run % masking.period)] != 0;
      for (; i < stop; ++i) {
        const T value = drops ? dropped : shift == 0 ? x[i] * scale : x[i] * scale + shift;
        y[i] = accumulate ? y[i] + value : value;
      }
    }
  });
}

template <class K>
Masking masking_of(const MaskAttributes& a, std::span<const std::int64_t> sizes) {
  Masking masking;
  if (a.mode == Mode::kTraining) {
    masking = K::of(a, sizes);
  } else {
    masking.period = 1;
    masking.scale = K::inference_scale(a.p);
  }
  if (a.slope) masking.shift = masking.dropped = 0;
  return masking;
}

template <class K>
void infer_masked(InferContext& call) {
  const auto& a = call.attributes<MaskAttributes>();
  call.require_floating(0);
  if (!(a.p >= 0 && a.p <= 1) || (K::kAffine && a.p == 1)) {
    call.fail(ErrorKind::kValue,
              std::string("p must lie in [0, ") + (K::kAffine ? "1), got " : "1], got ") +
                  format_number(a.p),
              "p is the probability that an element is dropped");
  }
  if (K::kLeastRank > call.rank(0)) {
    call.fail(ErrorKind::kShape, "x is " + call.describe(0), std::string(K::kRankFix));
  }
  if (K::kTakesAxis) (void)call.canonical_axis(&MaskAttributes::axis, call.rank(0));
  if (a.mode == Mode::kInference && K::inference_scale(a.p) == 1) {
    call.output_view(0, call.shape(0), call.strides(0));
  } else {
    call.output(call.dtype(0), call.shape(0));
  }
}

/// The probability that is drawn with: in inference nothing is.
inline double drawn(const MaskAttributes& a) { return a.mode == Mode::kTraining ? a.p : 0; }

inline kernels::RandomDraw draw_of(const MaskAttributes& a) {
  return {static_cast<std::uint64_t>(a.key), static_cast<std::uint64_t>(a.counter)};
}

template <class K>
void evaluate_masked(EvalContext& call) {
  const auto& a = call.attributes<MaskAttributes>();
  const DenseInput x(call.input(0));
  const TensorView y = call.output();
  dispatch_floating(y.dtype, [&]<class T>(T) {
    apply_mask(x.view().as<T>(), y.as<T>(), y.count(), masking_of<K>(a, y.shape()), draw_of(a),
               drawn(a), false);
  });
}

template <class K>
void masked_vjp(VjpContext& c);

template <class K>
void backward_masked(BackwardContext& c) {
  auto a = c.attributes<MaskAttributes>();
  a.slope = true;
  const DenseInput g(c.cotangent());
  const auto to = c.gradient(0);
  dispatch_floating(to.view.dtype, [&]<class T>(T) {
    apply_mask(g.view().as<T>(), to.view.as<T>(), to.view.count(),
               masking_of<K>(a, to.view.shape()), draw_of(a), drawn(a), to.accumulate);
  });
}

/// The record with formula K.
template <class K>
constexpr OpDef masked(std::string_view name, const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.differentiable = 1;
  if (!K::kAffine) def.linear = {1};
  def.infer = infer_masked<K>;
  def.evaluate = evaluate_masked<K>;
  def.vjp = masked_vjp<K>;
  def.backward = backward_masked<K>;
  def.attributes = &attribute_type<MaskAttributes>;
  def.identity_for_inference = K::inference_scale(0.5) == 1;
  return def;
}

/// Linear in the cotangent: it takes the same way.
template <class K>
void masked_vjp(VjpContext& c) {
  auto a = c.attributes<MaskAttributes>();
  a.slope = true;
  const Var g = c.cotangent();
  c.set(0, apply(K::record(), {&g}, a, std::source_location::current()));
}

/// The call: it takes a draw if it succeeds in training.
inline Var draw_mask(const OpDef& op, const Var& x, double p, std::int64_t axis,
                     RandomStream& stream, std::uint64_t counter, std::source_location where) {
  const Mode mode = current_mode();
  Var result = apply(op, {&x},
                     MaskAttributes{static_cast<std::int64_t>(stream.key()),
                                    static_cast<std::int64_t>(counter), p, axis, mode, false},
                     where);
  if (mode == Mode::kTraining) stream.next();
  return result;
}

}  // namespace wengert::ops
