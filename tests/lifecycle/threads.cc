#include <pthread.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>

#include "wengert/graph/export/render.h"
#include "wengert/graph/storage.h"
#include "wengert/tests/autodiff/process.h"
#include "wengert/tests/lifecycle/lives.h"
#include "wengert/tests/memory/scratch.h"

// Threads that end in unusual ways.
namespace wengert::lifecycle {
namespace {

/// Runs `body` on a thread and waits; `meanwhile` may end it.
void on_thread(const std::function<void()>& body,
               const std::function<void(pthread_t)>& meanwhile = {}) {
  pthread_t thread;
  const auto run = [](void* function) -> void* {
    (*static_cast<const std::function<void()>*>(function))();
    return nullptr;
  };
  if (::pthread_create(&thread, nullptr, run, const_cast<std::function<void()>*>(&body)) != 0) {
    wrong("pthread_create");
  }
  if (meanwhile) meanwhile(thread);
  if (::pthread_join(thread, nullptr) != 0) wrong("pthread_join");
}

/// Wrong where what ended threads held is not given back.
class NothingHeld {
 public:
  ~NothingHeld() {
    const std::int64_t live = detail::storage_statistics().live_bytes;
    if (live != before_) wrong(std::to_string(live - before_) + " bytes are held");
    if (open_files() != files_) wrong("files are left open");
    if (has_children()) wrong("a child is left");
    differentiate();
  }

 private:
  int files_ = open_files();
  std::int64_t before_ = detail::storage_statistics().live_bytes;
};

void leave_with_live_tapes() {
  differentiate();
  const NothingHeld nothing;
  for (int i = 0; i < 50; ++i) {
    on_thread([] {
      const Tape tape;
      const Scope scope("left");
      const Var x = variable(Tensor::full({1000}, 0.5));
      const Tape inner;
      const Var y = exp(variable(x.value()));
      ::pthread_exit(nullptr);
    });
  }
}

/// Leaves the thread from inside the library's call of it.
struct LeaveHook : optim::TrainingHook {
  std::string_view name() const override { return "leave"; }
  void after_step(optim::Training&, const optim::StepRecord& record) override {
    if (record.step == 1) ::pthread_exit(nullptr);
  }
};

void leave_from_a_hook() {
  differentiate();
  const NothingHeld nothing;
  for (int i = 0; i < 20; ++i) {
    on_thread([] {
      LeaveHook hook;
      ParameterSet parameters;
      optim::Adam adam({});
      const optim::ArrayLoader loader(
          {Tensor::full({8, 3}, 0.5f, DType::kFloat32),
           Tensor::from(std::vector<std::int64_t>{1, 0, 1, 1, 0, 0, 1, 0}, {8})},
          {.batch_size = 4});
      optim::Training training(parameters, adam, loader,
                               optim::classifier([](ParameterSet& set, const Var& x) {
                                 return linear(set, "out", x, 2);
                               }),
                               {.epochs = 3, .hooks = {&hook}});
      (void)training.run();
    });
  }
}

void cancel_while_it_computes() {
  differentiate();
  const NothingHeld nothing;
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> began{false};
    on_thread(
        [&] {
          const Tape tape;
          const Var x = variable(Tensor::full({1000}, 0.5));
          while (true) {
            differentiate();
            const Var y = exp(x);
            began = true;
            ::pthread_testcancel();
          }
        },
        [&](pthread_t thread) {
          while (!began) std::this_thread::yield();
          ::pthread_cancel(thread);
        });
  }
}

/// A cancelled thread may be in any call that waits: in a file's open, read, write, close.
void cancel_while_it_saves_and_loads() {
  differentiate();
  const std::string path = scratch_folder() + "/file";
  {
    const NothingHeld nothing;
    for (int i = 0; i < 300; ++i) {
      std::atomic<bool> began{false};
      on_thread(
          [&] {
            const std::vector<io::NamedTensor> tensors = {{"a", Tensor::full({300}, 0.5)}};
            while (true) {
              io::write_safetensors(path, tensors);
              began = true;
              (void)io::read_safetensors(path);
            }
          },
          [&](pthread_t thread) {
            while (!began) std::this_thread::yield();
            for (int wait = 0; wait < i; ++wait)
              std::atomic_thread_fence(std::memory_order_seq_cst);
            ::pthread_cancel(thread);
          });
      if (io::read_safetensors(path).tensors.at(0).tensor.at(7) != 0.5) wrong("a torn file");
    }
  }
  std::filesystem::remove_all(scratch_folder());
}

void cancel_while_it_draws() {
  const NothingHeld nothing;
  for (int i = 0; i < 30; ++i) {
    std::atomic<bool> began{false};
    on_thread(
        [&] {
          while (true) {
            began = true;
            (void)render("digraph { a -> b }");
          }
        },
        [&](pthread_t thread) {
          while (!began) std::this_thread::yield();
          std::this_thread::sleep_for(std::chrono::milliseconds(i));
          ::pthread_cancel(thread);
        });
  }
}

/// Cancelled where the pool's threads are replaced.
void cancel_while_threads_are_replaced() {
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> began{false};
    on_thread(
        [&] {
          for (int count = 2;; count = 5 - count) {
            kernels::set_thread_count(count);
            differentiate();
            began = true;
            ::pthread_testcancel();
          }
        },
        [&](pthread_t thread) {
          while (!began) std::this_thread::yield();
          ::pthread_cancel(thread);
        });
    differentiate();
  }
}

/// Thread after thread, as a server does it.
void come_and_go() {
  differentiate();
  const NothingHeld nothing;
  for (int i = 0; i < 300; ++i) std::thread(differentiate).join();
}

}  // namespace

std::vector<Life> lives_of_threads() {
  return {
      {"leave_with_live_tapes", leave_with_live_tapes},
      {"leave_from_a_hook", leave_from_a_hook},
      {"cancel_while_it_computes", cancel_while_it_computes},
      {"cancel_while_it_saves_and_loads", cancel_while_it_saves_and_loads, true},
      {"cancel_while_it_draws", cancel_while_it_draws, true},
      {"cancel_while_threads_are_replaced", cancel_while_threads_are_replaced},
      {"come_and_go", come_and_go},
  };
}

}  // namespace wengert::lifecycle
