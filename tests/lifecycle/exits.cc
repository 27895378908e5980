#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

#include "wengert/tests/lifecycle/lives.h"

// Processes that end while tapes, parameters and trainings live, and what runs then.
namespace wengert::lifecycle {
namespace {

/// What a program of the user's may have alive at any time.
struct Belongings {
  std::optional<Tape> tape{std::in_place};
  Var x = variable(Tensor::full({1000}, 0.5)), y = sum(exp(x) * x);
  Gradients gradients = backward(y, {.retain = true});
  ParameterSet parameters{7};
  Trainee trainee{all_features(), 3};
  Belongings() { (void)trainee.training().run(); }
};

void return_with_everything_alive() {
  differentiate();
  static Belongings belongings;
  static thread_local std::unique_ptr<Belongings> of_this_thread;
  of_this_thread = std::make_unique<Belongings>();
}

void exit_with_everything_alive() {
  const Belongings belongings;
  std::exit(0);
}

void exit_from_another_thread() {
  const Belongings belongings;
  std::thread([] {
    const Belongings others;
    std::exit(0);
  }).join();
}

/// Exits in the middle of a step's end.
struct ExitHook : optim::TrainingHook {
  std::string_view name() const override { return "exit"; }
  void after_step(optim::Training&, const optim::StepRecord& record) override {
    if (record.epoch == 2) end();
  }
  std::function<void()> end;
};

void train_until(const std::function<void()>& end) {
  Trainee trainee(all_features());
  ExitHook hook;
  hook.end = end;
  const optim::ArrayLoader loader(
      {Tensor::full({8, 3}, 0.5f, DType::kFloat32),
       Tensor::from(std::vector<std::int64_t>{1, 0, 1, 1, 0, 0, 1, 0}, {8})},
      {.batch_size = 4});
  optim::Training training(trainee.parameters(), trainee.optimizer(), loader,
                           optim::classifier([](ParameterSet& set, const Var& x) {
                             return linear(set, "out", tanh(linear(set, "first", x, 3)), 2);
                           }),
                           {.epochs = 3, .hooks = {&hook}});
  (void)training.run();
  wrong("training went on");
}

void exit_in_a_training() {
  train_until([] { std::exit(0); });
}

void exit_in_a_training_of_another_thread() {
  std::thread([] { train_until([] { std::exit(0); }); }).join();
}

void exit_while_others_train() {
  for (int i = 0; i < 2; ++i) {
    std::thread([] {
      while (true) (void)train();
    }).detach();
  }
  differentiate();
  std::exit(0);
}

void exit_while_others_hold_tapes() {
  std::atomic<int> ready{0};
  for (int i = 0; i < 2; ++i) {
    std::thread([&ready] {
      const Belongings belongings;
      ++ready;
      ::pause();
    }).detach();
  }
  while (ready < 2) std::this_thread::yield();
  std::exit(0);
}

void return_while_detached_threads_compute() {
  for (int i = 0; i < 2; ++i) {
    std::thread([] {
      while (true) differentiate();
    }).detach();
  }
  differentiate();
}

void exit_quickly() {
  if (std::at_quick_exit(differentiate) != 0) wrong("at_quick_exit");
  const Belongings belongings;
  std::quick_exit(0);
}

void terminate_in_the_middle() {
  std::set_terminate([] {
    differentiate();
    (void)train();
    ::_exit(0);
  });
  const Belongings belongings;
  const std::function<void()> fail = [] { throw std::runtime_error("nobody catches this"); };
  [&]() noexcept { fail(); }();
}

void differentiate_in_exit_handlers() {
  if (std::atexit(differentiate) != 0) wrong("atexit");  // before the library's first use
  (void)train();
  if (std::atexit(differentiate) != 0) wrong("atexit");
}

/// Computes when it is destroyed.
struct Late {
  std::unique_ptr<Belongings> belongings;
  ~Late() {
    differentiate();
    (void)train();
    belongings.reset();
    const Belongings more;
  }
};

void differentiate_in_static_destructors() {
  static Late before;  // the library's own statics are made after it, and gone before
  differentiate();
  static Late after;
  before.belongings = std::make_unique<Belongings>();
  after.belongings = std::make_unique<Belongings>();
}

void differentiate_in_thread_local_destructors() {
  static thread_local Late late;
  late.belongings = std::make_unique<Belongings>();
  std::thread([] {
    static thread_local Late others;
    others.belongings = std::make_unique<Belongings>();
  }).join();
}

}  // namespace

std::vector<Life> lives_that_exit() {
  return {
      {"return_with_everything_alive", return_with_everything_alive},
      {"exit_with_everything_alive", exit_with_everything_alive},
      {"exit_from_another_thread", exit_from_another_thread},
      {"exit_in_a_training", exit_in_a_training},
      {"exit_in_a_training_of_another_thread", exit_in_a_training_of_another_thread},
      {"exit_while_others_train", exit_while_others_train},
      {"exit_while_others_hold_tapes", exit_while_others_hold_tapes},
      {"return_while_detached_threads_compute", return_while_detached_threads_compute},
      {"exit_quickly", exit_quickly},
      {"terminate_in_the_middle", terminate_in_the_middle},
      {"differentiate_in_exit_handlers", differentiate_in_exit_handlers},
      {"differentiate_in_static_destructors", differentiate_in_static_destructors},
      {"differentiate_in_thread_local_destructors", differentiate_in_thread_local_destructors},
  };
}

}  // namespace wengert::lifecycle
