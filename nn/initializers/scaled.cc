#include <cmath>
#include <cstdint>

#include "wengert/nn/initializers/record.h"

// Initializers whose variance comes from the fans: g²/n of a count n.
namespace wengert::nn {
namespace {

std::string_view refuse_gain(double gain, double) { return gain < 0 ? "the gain is negative" : ""; }

std::int64_t in(const Fans& fans) { return fans.fan_in; }
std::int64_t both(const Fans& fans) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(fans.fan_in, fans.fan_out, &sum) ? INT64_MAX : sum;
}
double of_gain(double gain) { return gain * gain; }
double of_both(double gain) { return 2 * gain * gain; }  // the mean of the fans is half their sum
/// A rectifier with that slope below 0 leaves (1 + slope²)/2 of a variance.
double of_rectifier(double slope) { return 2 / (1 + slope * slope); }

/// g²/n by the first number of the initializer and a count of the fans.
template <double (*kSquaredGain)(double), std::int64_t (*kCount)(const Fans&)>
double variance(const Initializer& self, const Fans& fans, const Tensor& out) {
  return kSquaredGain(self.first) / fan_count(kCount(fans), self, fans, out);
}

template <double (*kSquaredGain)(double), std::int64_t (*kCount)(const Fans&)>
void fill_scaled_normal(const Initializer& self, std::uint64_t seed, std::string_view name,
                        const Fans& fans, Tensor& out) {
  fill_normal(out, seed, name, 0, 0, std::sqrt(variance<kSquaredGain, kCount>(self, fans, out)));
}

/// U(−r, r) has the variance r²/3.
template <double (*kSquaredGain)(double), std::int64_t (*kCount)(const Fans&)>
void fill_scaled_uniform(const Initializer& self, std::uint64_t seed, std::string_view name,
                         const Fans& fans, Tensor& out) {
  const double r = std::sqrt(3 * variance<kSquaredGain, kCount>(self, fans, out));
  fill_uniform(out, seed, name, 0, -r, r);
}

constexpr const char* kLeCun =
    "Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp, 1998, section 4.6";
constexpr const char* kGlorot =
    "X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural "
    "networks, 2010";
constexpr const char* kHe = "K. He et al., Delving deep into rectifiers, 2015, eq. 10 and 15";

}  // namespace

constinit const InitializerDef lecun_normal_initializer = {
    .name = "lecun_normal",
    .doc =
        {.summary = "Keeps the variance of signals that pass forward through linear units.",
         .formula = "w ~ N(0, gain²/fan_in)",
         .notes =
             "gain(activation) gives the gain. Also called Xavier's fan-in form (Caffe). For SELU "
             "nets this with gain 1. Keras cuts the tails off.",
         .source = kLeCun},
    .numbers = {{"gain", "what follows takes of the deviation, not negative", 1.5}},
    .refuse = refuse_gain,
    .fill = fill_scaled_normal<of_gain, in>};

constinit const InitializerDef lecun_uniform_initializer = {
    .name = "lecun_uniform",
    .doc = {.summary = "As lecun_normal, of an interval.",
            .formula = "w ~ U[−r, r), r = gain·√(3/fan_in)",
            .notes =
                "gain(activation) gives the gain. PyTorch's default of its layers, U(−1/√fan_in, "
                "1/√fan_in), is that with gain 1/√3.",
            .source = kLeCun},
    .numbers = {{"gain", "what follows takes of the deviation, not negative", 1.5}},
    .refuse = refuse_gain,
    .fill = fill_scaled_uniform<of_gain, in>};

constinit const InitializerDef xavier_normal_initializer = {
    .name = "xavier_normal",
    .doc = {.summary =
                "A compromise between signals that pass forward and gradients that pass back.",
            .formula = "w ~ N(0, gain²·2/(fan_in + fan_out))",
            .notes =
                "Also called Glorot's. For tanh and what is linear about 0; gain(activation) gives "
                "the gain.",
            .source = kGlorot},
    .numbers = {{"gain", "what follows takes of the deviation, not negative", 1.5}},
    .refuse = refuse_gain,
    .fill = fill_scaled_normal<of_both, both>};

constinit const InitializerDef xavier_uniform_initializer = {
    .name = "xavier_uniform",
    .doc = {.summary = "As xavier_normal, of an interval.",
            .formula = "w ~ U[−r, r), r = gain·√(6/(fan_in + fan_out))",
            .notes = "Equation 16 of the paper. Keras' default of its layers.",
            .source = kGlorot},
    .numbers = {{"gain", "what follows takes of the deviation, not negative", 1.5}},
    .refuse = refuse_gain,
    .fill = fill_scaled_uniform<of_both, both>};

constinit const InitializerDef he_normal_initializer = {
    .name = "he_normal",
    .doc = {.summary = "Keeps the variance of signals that pass forward through rectifiers.",
            .formula = "w ~ N(0, 2/((1 + slope²)·fan_in))",
            .notes = "slope is that of a leaky rectifier below 0. The default of layers here.",
            .source = kHe},
    .numbers = {{"slope", "of the rectifier below 0", 0.5}},
    .fill = fill_scaled_normal<of_rectifier, in>};

constinit const InitializerDef he_uniform_initializer = {
    .name = "he_uniform",
    .doc = {.summary = "As he_normal, of an interval.",
            .formula = "w ~ U[−r, r), r = √(6/((1 + slope²)·fan_in))",
            .notes = "slope is that of a leaky rectifier below 0.",
            .source = kHe},
    .numbers = {{"slope", "of the rectifier below 0", 0.5}},
    .fill = fill_scaled_uniform<of_rectifier, in>};

}  // namespace wengert::nn
