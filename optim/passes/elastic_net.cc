#include "wengert/optim/passes/penalty.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ElasticNet) {
  option("lambda1", o.lambda1, kNotNegative, "λ₁, how much magnitudes cost");
  option("lambda2", o.lambda2, kNotNegative, "λ₂, how much squares cost");
}

WENGERT_OPTIONS(ElasticNetBeta) {
  option("lambda", o.lambda, kNotNegative, "λ, how much weights cost");
  option("beta", o.beta, kNotNegative, "β, how much squares cost beside magnitudes");
}

WENGERT_OPTIONS(ElasticNetShared) {
  option("lambda", o.lambda, kNotNegative, "λ, how much magnitudes and squares cost");
}

namespace {

bool add_two_factors(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                     PassContext& context) {
  const auto o = options_as<ElasticNet>(options);
  return add_penalty("elastic_net", {.squares = o.lambda2 / 2, .magnitudes = o.lambda1}, filter,
                     roots, context);
}

bool add_beta_form(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                   PassContext& context) {
  const auto o = options_as<ElasticNetBeta>(options);
  return add_penalty("elastic_net_beta", {.squares = o.lambda * o.beta, .magnitudes = o.lambda},
                     filter, roots, context);
}

bool add_one_factor(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                    PassContext& context) {
  const double lambda = options_as<ElasticNetShared>(options).lambda;
  return add_penalty("elastic_net_shared", {.squares = lambda, .magnitudes = lambda}, filter, roots,
                     context);
}

constexpr const char* kSource =
    "H. Zou, T. Hastie, Regularization and variable selection via the elastic net, 2005";

}  // namespace

WENGERT_PASS(elastic_net, ElasticNet) = {
    .name = "elastic_net",
    .doc = {.summary = "Adds magnitudes and squares of weights to the loss.",
            .formula = "loss ← loss + λ₁·Σ|w| + (λ₂/2)·Σw²",
            .notes = "l1_penalty and l2_penalty in one. scikit-learn's alpha and l1_ratio r are "
                     "λ₁ = αr and λ₂ = α(1 − r). Over weights (matrices and higher) unless a "
                     "filter says otherwise.",
            .source = kSource},
    .stage = PassStage::kLoss,
    .options = list_options<ElasticNet>,
    .rewrite = add_two_factors,
};

WENGERT_PASS(elastic_net_beta, ElasticNetBeta) = {
    .name = "elastic_net_beta",
    .doc = {.summary = "The elastic net by one factor and the share of squares.",
            .formula = "loss ← loss + λ·Σ(β·w² + |w|)",
            .notes = "elastic_net with λ₁ = λ and λ₂ = 2λβ: the squares come without a half here. "
                     "Over weights (matrices and higher) unless a filter says otherwise.",
            .source = kSource},
    .stage = PassStage::kLoss,
    .options = list_options<ElasticNetBeta>,
    .rewrite = add_beta_form,
};

WENGERT_PASS(elastic_net_shared, ElasticNetShared) = {
    .name = "elastic_net_shared",
    .doc = {.summary = "The elastic net whose magnitudes and squares cost alike.",
            .formula = "loss ← loss + λ·Σ(w² + |w|)",
            .notes = "elastic_net with λ₁ = λ and λ₂ = 2λ. Over weights (matrices and higher) "
                     "unless a filter says otherwise.",
            .source = kSource},
    .stage = PassStage::kLoss,
    .options = list_options<ElasticNetShared>,
    .rewrite = add_one_factor,
};

}  // namespace wengert::optim
