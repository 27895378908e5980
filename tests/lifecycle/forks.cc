#include <sys/wait.h>

#include <cstdlib>
#include <functional>
#include <memory>

#include "wengert/tests/lifecycle/lives.h"

// Processes that fork, with and without exec, while they and others compute.
namespace wengert::lifecycle {
namespace {

/// Runs `body` in a child, which then exits; wrong unless it ends well.
void in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child < 0) wrong("fork");
  if (child == 0) {
    ::alarm(kMostSeconds);
    body();
    std::exit(0);  // with exit handlers and destructors of statics
  }
  int status = -1;
  if (::waitpid(child, &status, 0) != child) wrong("waitpid");
  if (!WIFEXITED(status)) wrong("a child was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) wrong("a child's status is " + std::to_string(WEXITSTATUS(status)));
}

/// All that a process does: on its threads, on new ones, in a training.
void compute() {
  differentiate();
  std::thread(differentiate).join();
  (void)train();
}

void fork_and_compute() {
  compute();
  in_child(compute);
  compute();
}

void fork_before_the_first_use() {
  in_child(compute);
  compute();
}

void fork_a_grandchild() {
  compute();
  in_child([] {
    differentiate();
    in_child([] {
      compute();
      in_child(compute);
    });
    compute();
  });
}

void fork_with_exit_handlers() {
  if (std::atexit(differentiate) != 0) wrong("atexit");
  compute();
  in_child([] {});
}

void fork_while_others_compute() {
  const Busy busy(2);
  differentiate();
  for (int i = 0; i < 10; ++i) in_child(compute);
  for (int i = 0; i < 10; ++i) {
    in_child([] { in_child(differentiate); });
  }
}

void fork_from_a_thread() {
  compute();
  std::thread([] {
    differentiate();
    in_child(compute);
    in_child([] {});
  }).join();
}

void fork_and_exec() {
  const Busy busy(2);
  for (int i = 0; i < 5; ++i) {
    in_child([] {
      ::execl("/proc/self/exe", "lifecycle", "--life", "differentiate_in_exit_handlers", nullptr);
      wrong("exec");
    });
  }
}

void exec_with_everything_alive() {
  const Tape tape;
  const Var x = exp(variable(Tensor::full({1000}, 0.5)));
  for (int i = 0; i < 2; ++i) {
    std::thread([] {
      while (true) differentiate();
    }).detach();
  }
  differentiate();
  ::execl("/proc/self/exe", "lifecycle", "--life", "differentiate_in_exit_handlers", nullptr);
  wrong("exec");
}

/// Parent and child go on with one tape and one training, each with its own copy.
void fork_in_the_middle() {
  const std::string whole = train();
  const Tape tape;
  const Var x = variable(Tensor::full({50000}, 0.5, DType::kFloat64));
  const Var y = sum(exp(x) * x);
  Trainee trainee(all_features(), 3);
  (void)trainee.training().run();
  const auto go_on = [&] {
    const Tensor dx = grad(y, x, {.retain = true}).value();
    if (std::abs(dx.at(7) - 1.5 * std::exp(0.5)) > 1e-12) wrong("the gradient is " + dx.str());
    (void)trainee.training().run();
    while (trainee.training().epoch() <= trainee.training().options().epochs) {
      (void)trainee.training().run();
    }
    if (trainee.bytes() != whole) wrong("the training came to other bits");
  };
  in_child(go_on);
  go_on();
}

}  // namespace

std::vector<Life> lives_that_fork() {
  return {
      {"fork_and_compute", fork_and_compute},
      {"fork_before_the_first_use", fork_before_the_first_use},
      {"fork_a_grandchild", fork_a_grandchild},
      {"fork_with_exit_handlers", fork_with_exit_handlers},
      {"fork_while_others_compute", fork_while_others_compute, true},
      {"fork_from_a_thread", fork_from_a_thread},
      {"fork_and_exec", fork_and_exec, true},
      {"exec_with_everything_alive", exec_with_everything_alive},
      {"fork_in_the_middle", fork_in_the_middle},
  };
}

}  // namespace wengert::lifecycle
