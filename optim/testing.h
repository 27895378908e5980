#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "wengert/optim/options.h"

// What an optimizer's file says for the tests: a reference straight from the paper, in double and
// one element after the other, and two steps by hand. This belongs to the testing library.
namespace wengert::testing {

using optim::OptionSetting;
using Numbers = std::vector<double>;

/// Updates one tensor θ in place by its gradient at a rate; keeps what the method keeps.
using ReferenceStep = std::function<void(Numbers& w, const Numbers& g, double rate)>;

struct OptimizerCase {
  std::vector<OptionSetting> settings;  ///< the others have their defaults
  /// θ after one step and after two, from θ = 1 with gradients 2 and −1; may be left out.
  Numbers by_hand = {};
  std::function<ReferenceStep()> reference;  ///< a fresh one, which has taken no step
};

struct OptimizerTests {
  std::vector<OptimizerCase> cases;
  std::string name = {};  ///< filled in from the table
};

/// Those of the table's optimizers, in its order.
std::vector<OptimizerTests> all_optimizer_tests();

}  // namespace wengert::testing

/// Opens the function that returns an optimizer's tests: WENGERT_OPTIMIZER_TESTS(sgd) { return …; }
#define WENGERT_OPTIMIZER_TESTS(name)      \
  namespace wengert::testing {             \
  OptimizerTests name##_optimizer_tests(); \
  }                                        \
  wengert::testing::OptimizerTests wengert::testing::name##_optimizer_tests()
