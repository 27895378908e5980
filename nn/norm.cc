#include "wengert/nn/norm.h"

#include <algorithm>
#include <string>

#include "wengert/graph/text.h"
#include "wengert/nn/initializers.h"

namespace wengert {
namespace {

[[noreturn]] void fail(ErrorKind kind, const char* layer, std::string message, std::string fix,
                       std::source_location where) {
  throw Error({.kind = kind,
               .op = layer,
               .message = std::move(message),
               .scope = Scope::path(),
               .file = where.file_name(),
               .line = where.line(),
               .fix = std::move(fix),
               .users_line = true});
}

/// The parts of x's shape that the parameters have; the op says what is wrong with x, where
/// anything is.
Shape channels_of(const Var& x, int axis) {
  const int rank = x.rank(), at = axis < 0 ? axis + rank : axis;
  return at >= 0 && at < rank ? Shape{x.size(at)} : Shape{1};
}

Shape row_of(const Var& x, int first_axis) {
  const int rank = x.rank(), first = first_axis < 0 ? first_axis + rank : first_axis;
  Shape shape;
  for (int d = first < 0 ? 0 : first; d < rank; ++d) shape.push_back(x.size(d));
  return shape;
}

/// Refuses what no parameter can be made for.
void check_floating(const Var& x, const char* layer, std::source_location where) {
  if (!is_floating(x.dtype())) {
    fail(ErrorKind::kDType, layer, "the input is " + to_string(x.dtype(), x.shape()),
         "convert it with cast(x, DType::kFloat32)", where);
  }
}

struct GainAndBias {
  Var gain, bias;
  GainAndBias(ParameterSet& parameters, const Var& x, const Shape& shape, bool affine,
              bool with_bias, std::source_location where) {
    if (!affine) return;
    gain = use(parameters.declare("gain", shape, x.dtype(), nn::constant(1), {}, where), where);
    if (!with_bias) return;
    bias = use(parameters.declare("bias", shape, x.dtype(), nn::constant(0), {}, where), where);
  }
};

}  // namespace

Var batch_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
               const BatchNormOptions& options, std::source_location where) {
  const Scope scope(name);
  check_floating(x, "batch_norm", where);
  if (!(options.keep >= 0 && options.keep < 1)) {
    fail(ErrorKind::kValue, "batch_norm",
         "keep must lie in [0, 1), got " + format_number(options.keep),
         "it is the share of the old running value, 0.9 is usual", where);
  }
  const Shape channels = channels_of(x, options.axis);
  const GainAndBias affine(parameters, x, channels, options.affine, true, where);
  Buffer& mean = parameters.declare_buffer("running_mean", channels, x.dtype(), 0, where);
  Buffer& variance = parameters.declare_buffer("running_variance", channels, x.dtype(), 1, where);
  if (current_mode() == Mode::kInference) {
    return batch_norm_inference(x, use(mean, where), use(variance, where), affine.gain, affine.bias,
                                options.axis, options.epsilon, where);
  }
  const auto [y, batch_mean, batch_variance] =
      batch_norm(x, affine.gain, affine.bias, options.axis, options.epsilon, where);
  const NoGrad none;
  const double keep = options.keep, share = 1 - keep;
  const auto n =
      static_cast<double>(element_count(x.shape()) / std::max<std::int64_t>(1, channels[0]));
  const bool unbiased = options.running_variance == RunningVariance::kUnbiased;
  update(mean, keep * use(mean, where) + share * batch_mean, where);
  update(variance,
         keep * use(variance, where) + (unbiased ? share * (n / (n - 1)) : share) * batch_variance,
         where);
  return y;
}

Var layer_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
               const NormOptions& options, std::source_location where) {
  const Scope scope(name);
  check_floating(x, "layer_norm", where);
  const GainAndBias affine(parameters, x, row_of(x, options.first_axis), options.affine, true,
                           where);
  return layer_norm(x, affine.gain, affine.bias, options.first_axis, options.epsilon, where);
}

Var rms_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
             const NormOptions& options, std::source_location where) {
  const Scope scope(name);
  check_floating(x, "rms_norm", where);
  const GainAndBias affine(parameters, x, row_of(x, options.first_axis), options.affine, false,
                           where);
  return rms_norm(x, affine.gain, options.first_axis, options.epsilon, where);
}

Var group_norm(ParameterSet& parameters, const ScopeName& name, const Var& x, std::int64_t groups,
               const NormOptions& options, std::source_location where) {
  const Scope scope(name);
  check_floating(x, "group_norm", where);
  const GainAndBias affine(parameters, x, channels_of(x, 1), options.affine, true, where);
  return group_norm(x, groups, affine.gain, affine.bias, options.epsilon, where);
}

Var instance_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                  const NormOptions& options, std::source_location where) {
  const Scope scope(name);
  check_floating(x, "instance_norm", where);
  const GainAndBias affine(parameters, x, channels_of(x, 1), options.affine, true, where);
  return instance_norm(x, affine.gain, affine.bias, options.epsilon, where);
}

}  // namespace wengert
