#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

#include "wengert/tests/memory/trainee.h"

// What lives do, and how they say that it was wrong.
namespace wengert::lifecycle {

/// Ends the process, saying what was wrong.
[[noreturn]] inline void wrong(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  ::_exit(3);
}

/// A gradient through scalars, storage and a product on several threads; wrong unless right.
inline void differentiate() {
  const Tape tape;
  const Var x = variable(0.5);
  const Var y = grad(x * x * x, x);
  const Var ones = variable(Tensor::full({160, 160}, 1, DType::kFloat64));
  const Scope scope("lived");
  const Gradients gradients = backward(sum(matmul(ones, ones)));
  if (y.item<double>() != 0.75) wrong("y' is " + y.str());
  if (gradients[ones].value().at(7) != 320) wrong("the gradient of a product is not right");
}

/// A few steps with every feature of a training; gives what it came to.
inline std::string train() {
  Trainee trainee(all_features());
  (void)trainee.training().run();
  return trainee.bytes();
}

/// Threads that differentiate until the end of this object, each on threads of its own too.
class Busy {
 public:
  explicit Busy(int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this] {
        while (!done_) std::thread(differentiate).join();
      });
    }
  }
  ~Busy() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Busy(const Busy&) = delete;

 private:
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

}  // namespace wengert::lifecycle
