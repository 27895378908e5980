#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <vector>

#include "wengert/autodiff/gradcheck.h"

namespace wengert::testing {

/// What PassesGradcheck matches with.
class GradcheckMatcher {
 public:
  GradcheckMatcher(std::vector<Tensor> inputs, const GradcheckOptions& options)
      : inputs_(std::move(inputs)), options_(options) {}

  template <class Function>
  bool MatchAndExplain(const Function& function, ::testing::MatchResultListener* listener) const {
    const GradcheckResult result = gradcheck(function, inputs_, options_);
    if (!result.passed) *listener << result.message;
    return result.passed;
  }
  void DescribeTo(std::ostream* out) const {
    *out << "has derivatives of order " << options_.order << " that equal differences";
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "has a derivative of order " << options_.order << " that differs from differences";
  }

 private:
  std::vector<Tensor> inputs_;
  GradcheckOptions options_;
};

/// A GoogleTest matcher for functions of Vars:
///   EXPECT_THAT([](std::span<const Var> x) { return my_op(x[0]); },
///               PassesGradcheck({Tensor::from({0.5, 1.5}, {2})}, {.order = 2}));
inline ::testing::PolymorphicMatcher<GradcheckMatcher> PassesGradcheck(
    std::vector<Tensor> inputs, const GradcheckOptions& options = {}) {
  return ::testing::MakePolymorphicMatcher(GradcheckMatcher(std::move(inputs), options));
}

}  // namespace wengert::testing
