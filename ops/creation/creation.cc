#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "wengert/ops/creation/checks.h"

namespace wengert {
namespace ops {
namespace {

struct FillAttributes {
  Shape shape;
  ExactNumber value;
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("shape", self.shape);
    v("value", self.value);
    v("dtype", self.dtype);
  }
};

struct RangeAttributes {
  ExactNumber start, stop, step;
  std::int64_t count;
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("start", self.start);
    v("stop", self.stop);
    v("step", self.step);
    v("count", self.count);
    v("dtype", self.dtype);
  }
};

void infer_full(InferContext& call) {
  const auto& a = call.attributes<FillAttributes>();
  require_held(call, a.dtype, "value", a.value);
  output_of_sizes(call, a.dtype, a.shape);
}

void fill_output(const TensorView& out, const ExactNumber& value) {
  const std::int64_t n = out.count();
  dispatch(out.dtype, [&]<class T>(T) { std::fill_n(out.as<T>(), n, value.as<T>()); });
}

void evaluate_full(EvalContext& call) {
  fill_output(call.output(), call.attributes<FillAttributes>().value);
}

void infer_like(InferContext& call) { call.output(call.dtype(0), call.shape(0)); }
template <int kValue>
void evaluate_like(EvalContext& call) {
  fill_output(call.output(), kValue);
}

void require_range_dtype(const OpCall& call, const RangeAttributes& a) {
  if (a.dtype == DType::kBool) call.fail(ErrorKind::kDType, "bool has no ranges");
  if (!std::isfinite(a.start.real()) || !std::isfinite(a.stop.real())) {
    call.fail(ErrorKind::kValue,
              "ends must be finite, got " + a.start.str() + " and " + a.stop.str());
  }
}

bool is_whole(const RangeAttributes& a) {
  return a.start.is_integer() && a.stop.is_integer() && a.step.is_integer();
}

/// ⌈(stop − start)/step⌉ of integers; their difference may need 64 bits beside its sign.
std::uint64_t whole_count(const RangeAttributes& a) {
  const std::int64_t start = a.start.integer(), stop = a.stop.integer(), step = a.step.integer();
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const auto bits = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
  const std::uint64_t length = step > 0 ? bits(stop) - bits(start) : bits(start) - bits(stop);
  return (length - 1) / (step > 0 ? bits(step) : -bits(step)) + 1;
}

/// The same of any numbers, rounded.
double real_count(const RangeAttributes& a) {
  const double start = a.start.real(), stop = a.stop.real(), step = a.step.real();
  // The difference of two large numbers may be beyond all.
  const double length =
      std::isfinite(stop - start) ? (stop - start) / step : stop / step - start / step;
  return std::fmax(0, std::ceil(length));
}

/// Element i of a range of integers.
std::int64_t whole_element(const RangeAttributes& a, std::int64_t i) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a.start.integer()) +
                                   static_cast<std::uint64_t>(a.step.integer()) *
                                       static_cast<std::uint64_t>(i));
}

/// ⌈(stop − start)/step⌉ elements, none when step leads away from stop.
void infer_arange(InferContext& call) {
  const auto& a = call.attributes<RangeAttributes>();
  require_range_dtype(call, a);
  if (a.step.real() == 0 || !std::isfinite(a.step.real())) {
    call.fail(ErrorKind::kValue, "step must be finite and not 0, got " + a.step.str());
  }
  const bool whole = is_whole(a);
  const double count = whole ? static_cast<double>(whole_count(a)) : real_count(a);
  if (!(count < 0x1p53)) {
    call.fail(
        ErrorKind::kValue,
        "too many elements: from " + a.start.str() + " to " + a.stop.str() + " by " + a.step.str(),
        "take a larger step");
  }
  const auto n = static_cast<std::int64_t>(count);
  if (n > 0) {
    require_held(call, a.dtype, "start", a.start);
    if (n > 1) {
      if (!is_floating(a.dtype) && !a.step.is_integer()) {
        call.fail(ErrorKind::kValue, "step " + a.step.str() + " is not whole",
                  "choose a floating dtype");
      }
      require_held(call, a.dtype, "the last element",
                   whole ? ExactNumber(whole_element(a, n - 1))
                         : ExactNumber(a.start.real() + (count - 1) * a.step.real()));
    }
  }
  output_of_sizes(call, a.dtype, {n});
}

void evaluate_arange(EvalContext& call) {
  const auto& a = call.attributes<RangeAttributes>();
  const TensorView out = call.output();
  const std::int64_t n = out.count();
  const double start = a.start.real(), step = a.step.real();
  const bool whole = is_whole(a);
  const bool wide = !std::isfinite(static_cast<double>(n) * step);  // the sum is in range
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (whole) {
        out.as<T>()[i] = static_cast<T>(whole_element(a, i));
      } else if constexpr (std::is_floating_point_v<T>) {
        const auto k = static_cast<double>(i);
        out.as<T>()[i] = static_cast<T>(wide ? std::fma(k, step, start) : start + k * step);
      } else {  // start is whole, the step too where there is a second element
        out.as<T>()[i] = static_cast<T>(a.start.integer() + (n > 1 ? i * a.step.integer() : 0));
      }
    }
  });
}

void infer_linspace(InferContext& call) {
  const auto& a = call.attributes<RangeAttributes>();
  require_range_dtype(call, a);
  if (!is_floating(a.dtype)) {
    call.fail(ErrorKind::kDType,
              "the result must be float32 or float64, not " + std::string(name_of(a.dtype)),
              "arange makes integers");
  }
  if (a.count < 0) call.fail(ErrorKind::kShape, "negative count " + std::to_string(a.count));
  output_of_sizes(call, a.dtype, {a.count});
}

void evaluate_linspace(EvalContext& call) {
  const auto& a = call.attributes<RangeAttributes>();
  const TensorView out = call.output();
  const double start = a.start.real(), stop = a.stop.real();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < a.count; ++i) {
      // From the nearer end: both are exact, and the points lie symmetrically.
      const double t = a.count > 1 ? static_cast<double>(i) / static_cast<double>(a.count - 1) : 0;
      const double value = i == 0 ? start : i + 1 == a.count ? stop : start * (1 - t) + stop * t;
      out.as<T>()[i] = static_cast<T>(value);
    }
  });
}

void infer_eye(InferContext& call) {
  const auto& a = call.attributes<FillAttributes>();
  if (a.shape.size() != 2) {
    call.fail(ErrorKind::kShape, "needs rows and columns, got the shape " + a.shape.str());
  }
  output_of_sizes(call, a.dtype, a.shape);
}

void evaluate_eye(EvalContext& call) {
  const TensorView out = call.output();
  fill_output(out, 0);
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < out.sizes[0] && i < out.sizes[1]; ++i) {
      out.as<T>()[i * out.sizes[1] + i] = T(1);
    }
  });
}

constexpr OpDef creation(std::string_view name, const Documentation& doc,
                         void (*infer)(InferContext&), void (*evaluate)(EvalContext&),
                         const AttributeType* attributes, int inputs = 0) {
  OpDef op;
  op.name = name;
  op.doc = doc;
  op.min_inputs = op.max_inputs = inputs;
  op.infer = infer;
  op.evaluate = evaluate;
  op.attributes = attributes;
  op.keeps_order = inputs > 0 ? 1 : 0;
  return op;
}

constexpr std::string_view kNoGradient = "none: the result does not depend on any value";

}  // namespace

constinit const OpDef zeros_op =
    creation("zeros",
             {.summary = "A tensor of zeros.",
              .formula = "y[i…] = 0",
              .arguments = "shape: sizes ≥ 0; dtype: any",
              .gradient = kNoGradient,
              .source = "elementary"},
             infer_full, evaluate_full, &attribute_type<FillAttributes>);

constinit const OpDef ones_op =
    creation("ones",
             {.summary = "A tensor of ones.",
              .formula = "y[i…] = 1",
              .arguments = "shape: sizes ≥ 0; dtype: any, true for bool",
              .gradient = kNoGradient,
              .source = "elementary"},
             infer_full, evaluate_full, &attribute_type<FillAttributes>);

constinit const OpDef full_op = creation(
    "full",
    {.summary = "A tensor with one value everywhere.",
     .formula = "y[i…] = value",
     .arguments = "shape: sizes ≥ 0; value: must be one of the dtype (whole and in range for "
                  "integers); dtype: any",
     .gradient = kNoGradient,
     .source = "elementary"},
    infer_full, evaluate_full, &attribute_type<FillAttributes>);

constinit const OpDef arange_op = creation(
    "arange",
    {.summary = "Evenly spaced numbers from start to before stop.",
     .formula = "y[i] = start + i·step, i < ⌈(stop − start)/step⌉",
     .arguments = "start, stop: finite; step: finite, not 0, negative to count down; none when it "
                  "leads away from stop; dtype: floating, or integer with whole start and step",
     .gradient = kNoGradient,
     .source = "elementary"},
    infer_arange, evaluate_arange, &attribute_type<RangeAttributes>);

constinit const OpDef linspace_op = creation(
    "linspace",
    {.summary = "A number of evenly spaced points with both ends.",
     .formula = "y[i] = start·(1 − t) + stop·t, t = i/(count − 1); start alone for count 1",
     .arguments = "start, stop: finite, given exactly; count ≥ 0; dtype: float32 or float64",
     .gradient = kNoGradient,
     .source = "elementary"},
    infer_linspace, evaluate_linspace, &attribute_type<RangeAttributes>);

constinit const OpDef eye_op =
    creation("eye",
             {.summary = "A matrix with ones on the diagonal.",
              .formula = "y[i, j] = [i = j]",
              .arguments = "rows ≥ 0; columns ≥ 0, or −1 for as many as rows; dtype: any",
              .gradient = kNoGradient,
              .source = "elementary"},
             infer_eye, evaluate_eye, &attribute_type<FillAttributes>);

constinit const OpDef zeros_like_op =
    creation("zeros_like",
             {.summary = "Zeros of another tensor's shape and dtype.",
              .formula = "y[i…] = 0",
              .arguments = "x: any dtype and shape",
              .gradient = kNoGradient,
              .source = "elementary"},
             infer_like, evaluate_like<0>, nullptr, 1);

constinit const OpDef ones_like_op =
    creation("ones_like",
             {.summary = "Ones of another tensor's shape and dtype.",
              .formula = "y[i…] = 1",
              .arguments = "x: any dtype and shape",
              .gradient = kNoGradient,
              .source = "elementary"},
             infer_like, evaluate_like<1>, nullptr, 1);

}  // namespace ops

Var constant(const Tensor& value, std::source_location) { return Var(value); }

Var zeros(const Shape& shape, DType dtype, std::source_location where) {
  const ops::FillAttributes attributes = {shape, 0, dtype};
  return apply(ops::zeros_op, {}, attributes, where);
}

Var ones(const Shape& shape, DType dtype, std::source_location where) {
  const ops::FillAttributes attributes = {shape, 1, dtype};
  return apply(ops::ones_op, {}, attributes, where);
}

Var full(const Shape& shape, ExactNumber value, DType dtype, std::source_location where) {
  const ops::FillAttributes attributes = {shape, value, dtype};
  return apply(ops::full_op, {}, attributes, where);
}

Var arange(ExactNumber start, ExactNumber stop, ExactNumber step, DType dtype,
           std::source_location where) {
  const ops::RangeAttributes attributes = {start, stop, step, 0, dtype};
  return apply(ops::arange_op, {}, attributes, where);
}

Var linspace(double start, double stop, std::int64_t count, DType dtype,
             std::source_location where) {
  const ops::RangeAttributes attributes = {start, stop, 0, count, dtype};
  return apply(ops::linspace_op, {}, attributes, where);
}

Var eye(std::int64_t rows, std::int64_t columns, DType dtype, std::source_location where) {
  const ops::FillAttributes attributes = {{rows, columns == -1 ? rows : columns}, 1, dtype};
  return apply(ops::eye_op, {}, attributes, where);
}

Var zeros_like(const Var& x, std::source_location where) {
  return apply(ops::zeros_like_op, x, where);
}

Var ones_like(const Var& x, std::source_location where) {
  return apply(ops::ones_like_op, x, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/creation/creation_tests.h"
#endif
