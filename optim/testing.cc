#include "wengert/optim/testing.h"

#include "wengert/optim/optimizer.h"

namespace wengert::testing {

#define OPTIMIZER(name, Class, members) OptimizerTests name##_optimizer_tests();
#include "wengert/optim/optimizers.def"
#undef OPTIMIZER

std::vector<OptimizerTests> all_optimizer_tests() {
  std::vector<OptimizerTests> all;
#define OPTIMIZER(method, Class, members)    \
  all.push_back(method##_optimizer_tests()); \
  all.back().name = #method;
#include "wengert/optim/optimizers.def"
#undef OPTIMIZER
  return all;
}

}  // namespace wengert::testing
