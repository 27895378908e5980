#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <thread>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/storage.h"
#include "wengert/graph/text.h"
#include "wengert/io/file.h"
#include "wengert/io/folder_lock.h"
#include "wengert/io/safetensors.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/random_stream.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"
#include "wengert/tests/memory/faults.h"
#include "wengert/wengert.h"

// Programs in which the n-th request for memory fails, for every n. Each program does its steps one
// after the other, and does a step that failed again: what comes out must have the bits of a run in
// which nothing failed, and no block may be lost.
namespace wengert {
namespace {

using faults::Mode;

/// Does steps, of which one runs out of memory.
class Attempts {
 public:
  Attempts(std::int64_t failing, Mode mode) : failing_(failing), mode_(mode) {}

  /// Runs `step`; after a failure that was announced as one, runs it again with all memory.
  /// `check` sees the state that the failure left.
  template <class Step>
  auto operator()(Step&& step, const std::function<void()>& check = {}) {
    if (done_) return step();
    faults::arm(failing_, mode_);
    try {
      struct Disarm {
        Attempts& attempts;
        ~Disarm() { attempts.finish(); }
      } disarm{*this};
      return step();
    } catch (const std::bad_alloc&) {
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kMemory && error.kind() != ErrorKind::kFile) throw;
    }
    if (!done_) throw std::runtime_error("ran out of memory, but nobody refused any");
    if (check) check();
    return step();
  }

  bool failed() const { return done_; }

 private:
  void finish() {
    done_ = faults::disarm();
    failing_ -= faults::requests();
  }
  std::int64_t failing_;
  Mode mode_;
  bool done_ = false;
};

std::string bytes_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {reinterpret_cast<const char*>(dense.data()),
          static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype())};
}

std::string bytes_of(const ParameterSet& parameters) {
  std::string bytes;
  for (const Parameter* parameter : parameters.all()) {
    bytes += parameter->name() + "=" + bytes_of(parameter->value()) + "\n";
  }
  return bytes;
}

std::string bytes_of(const optim::Optimizer& optimizer) {
  std::string bytes;
  for (const auto& [name, value] : optimizer.state()) bytes += name + "=" + bytes_of(value) + "\n";
  return bytes;
}

/// First and second derivatives on one tape, with views, several outputs, attributes and names.
std::string differentiate(Attempts& attempt) {
  const Tensor start = Tensor::from({0.5, -1.5, 2.0, 0.25, -0.75, 1.0}, {2, 3});
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var x = attempt([&] { return variable(start); });
  const Var h = attempt([&] { return tanh(matmul(x, transpose(x)) * 0.5); });
  attempt([&] { tape->name(h, "a name that no short string holds"); });
  const Var y = attempt([&] {
    Scope scope("a scope that no short string holds");
    const std::vector<Var> parts = split(h, 2, 0);
    return sum(concat(parts, 0) * where(greater(parts[0], 0), parts[1], 1.0)) + sum(sort(h, 1)[0]);
  });
  const BackwardOptions again = {.create_graph = true};
  const Var dx = attempt([&] { return grad(y, x, again); });
  const Var ddx = attempt([&] { return grad(sum(square(dx)), x, {.retain = true}); });
  const Gradients all = attempt([&] { return backward(y, {.retain = true}); });
  return bytes_of(y.value()) + bytes_of(dx.value()) + bytes_of(ddx.value()) +
         bytes_of(all[x].value());
}

/// A pass that is not told to retain: after a failure it may refuse, but never be wrong.
std::string differentiate_once(Attempts& attempt) {
  const auto tape = attempt([] { return std::make_unique<Tape>(); });
  const Var x = variable(Tensor::from({0.5, -1.5, 2.0, 0.25}, {2, 2}));
  const Var y = attempt([&] { return sum(exp(matmul(x, x)) * x); });
  try {
    return bytes_of(attempt([&] { return grad(y, x); }).value());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kGraph || !attempt.failed()) throw;
    EXPECT_TRUE(error.message().starts_with("its saved values were given back by an earlier"))
        << error.what();
    return bytes_of(grad(sum(exp(matmul(x, x)) * x), x).value());
  }
}

/// Tapes inside a tape, whose leaves stand for those outside.
std::string nest(Attempts& attempt) {
  const Tape outer;
  const Var x = variable(0.5);
  const Var y = x * x;
  const Var inside = attempt([&] {
    const Tape inner;
    return Var(grad(exp(x) * x, x).value());
  });
  const auto inner = std::make_unique<Tape>();
  const Var leaf = variable(2.0);
  const Var z = attempt([&] { return leaf * x; });
  const Var dz = attempt([&] { return grad(z, x, {.retain = true}); });
  return inside.str() + dz.str();
}

/// Two steps of an optimizer of the table, by gradients or with a closure that computes them.
std::string train(Attempts& attempt, const std::string& method, bool closure) {
  ParameterSet parameters(7);
  const auto optimizer = attempt([&] { return optim::make_optimizer(method); });
  const Tensor batch = Tensor::from({0.5f, -1.5f, 2.0f, 0.25f, -0.75f, 1.0f}, {2, 3});
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 0}, {2});
  const auto gradients = [&] {
    const Tape tape;
    const Var h = relu(linear(parameters, "a layer that no short string holds", batch, 4));
    return backward(softmax_cross_entropy(linear(parameters, "second", h, 2), labels));
  };
  for (int step = 0; step < 2; ++step) {
    const std::string before = bytes_of(parameters);
    const std::int64_t steps = optimizer->steps();
    attempt(
        [&] {
          if (closure) {
            optimizer->step(parameters, gradients);
          } else {
            optimizer->step(parameters, gradients());
          }
        },
        [&] {  // all or nothing: parameters may have been made, none changed
          EXPECT_TRUE(bytes_of(parameters).starts_with(before));
          EXPECT_EQ(optimizer->steps(), steps);
        });
  }
  const auto state = attempt([&] { return optimizer->state(); });
  const auto restored = optim::make_optimizer(method);
  attempt([&] { restored->restore(state); });
  return bytes_of(parameters) + bytes_of(*optimizer) + bytes_of(*restored);
}

/// Steps of a table by gradients of a few rows, in two parts, beside one dense use.
std::string look_up(Attempts& attempt) {
  ParameterSet parameters(7);
  parameters.add("a table that no short string holds", Tensor::full({40, 3}, 0.5));
  Parameter& table = parameters.at("a table that no short string holds");
  optim::Adam adam({.rate = 0.1});
  for (const bool mixed : {false, true}) {
    const std::string before = bytes_of(parameters);
    const auto part = [&](const std::vector<std::int64_t>& rows) {
      const Tape tape;
      const Var t = use(table);
      const Var y = embedding(t, Tensor::from(rows, {static_cast<std::int64_t>(rows.size())}), 1);
      return backward(mixed ? sum(square(y)) + sum(t) : sum(square(y)));
    };
    attempt(
        [&] {
          Gradients gradients = part({39, 2, 39, 1, 39});
          gradients += part({3, 2});
          adam.step(parameters, gradients);
        },
        [&] { EXPECT_EQ(bytes_of(parameters), before); });
  }
  return bytes_of(parameters) + bytes_of(adam);
}

std::string scratch_folder() {
  const auto path =
      std::filesystem::temp_directory_path() / ("wengert_memory_" + std::to_string(::getpid()));
  std::filesystem::create_directory(path);
  return path.string();
}

std::string save_and_load(Attempts& attempt) {
  const std::string folder = scratch_folder();
  const std::string path = folder + "/a file whose name no short string holds.safetensors";
  const Tensor old = Tensor::from({1.0, 2.0}, {2});
  const std::vector<io::NamedTensor> before = {{"old", old}};
  io::write_safetensors(path, before);
  const std::string bytes = io::read_file(path);
  const std::vector<io::NamedTensor> tensors = {
      {"a tensor that no short string holds", Tensor::from({1.5f, 2.5f}, {2})},
      {"strided", Var(transpose(Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 2}))).value()}};
  attempt(
      [&] {
        io::write_safetensors(path, tensors, {{"format", "test"}});
      },
      [&] { EXPECT_TRUE(io::read_file(path) == bytes) << "the old file is no longer whole"; });
  bool refused = false;
  attempt([&] {
    const io::FolderLock lock(folder);
    try {
      const io::FolderLock again(folder);
    } catch (const std::exception&) {  // in use, or no memory to say so
      refused = true;
    }
  });
  EXPECT_TRUE(refused);
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
  }
  EXPECT_EQ(files, 1) << "a temporary file is left";
  const io::SafeTensors read = attempt([&] { return io::read_safetensors(path); });
  ParameterSet parameters;
  std::string loaded;
  for (const auto& [name, tensor] : read.tensors) {
    attempt([&] { parameters.add(name, tensor); });
    loaded += bytes_of(parameters.at(name).value());
  }
  return io::read_file(path) + loaded + std::to_string(parameters.size());
}

/// Two epochs of a training, which goes on after a failure; then its whole state saved and loaded.
std::string fit_and_resume(Attempts& attempt) {
  const std::string path = scratch_folder() + "/a training whose name is long.safetensors";
  ParameterSet parameters(7), others(7);
  optim::Adam adam({}), other_adam({});
  optim::EarlyStop early({.patience = 5}), other_early({.patience = 5});
  const optim::ArrayLoader loader({Tensor::from({0.5f, -1.5f, 2.0f, 0.25f, -0.75f, 1.0f}, {3, 2}),
                                   Tensor::from(std::vector<std::int64_t>{1, 0, 1}, {3})},
                                  {.batch_size = 2});
  const auto model = optim::classifier([](ParameterSet& set, const Var& x) {
    return linear(set, "second", dropout(set, "drop", linear(set, "first", x, 3), 0.5), 2);
  });
  const auto options = [&](optim::EarlyStop& hook) {
    return optim::FitOptions{.epochs = 2,
                             .schedule = optim::ReduceOnPlateau({.patience = 0}),
                             .hooks = {&hook},
                             .micro_batches = 1};
  };
  optim::Training training(parameters, adam, loader, model, options(early));
  attempt([&] { training.run(); });
  attempt([&] { training.save(path); });
  optim::Training resumed(others, other_adam, loader, model, options(other_early));
  attempt([&] { (void)resumed.load(path); },
          [&] {  // as it was, or it says that it is of no use
            try {
              resumed.save(path + "2");
            } catch (const Error& error) {
              EXPECT_EQ(error.kind(), ErrorKind::kMemory) << error.what();
              return;
            }
            EXPECT_EQ(other_adam.steps(), 0);
            EXPECT_EQ(other_early.best_epoch(), 0);
            EXPECT_EQ(resumed.epoch(), 1);
            EXPECT_EQ(others.size(), 0u);
          });
  return bytes_of(parameters) + bytes_of(adam) + bytes_of(others) + bytes_of(other_adam) +
         std::to_string(early.best_epoch()) + format_number(training.history()[1].train.loss(), 17);
}

std::string draw(Attempts& attempt) {
  RandomStream stream(3, "a stream that no short string holds");
  const Tape tape;
  const Var noise = attempt([&] { return random_normal(stream, {40}); });
  const Var x = variable(Tensor::full({40}, 0.5, DType::kFloat32));
  Scope scope("drawn");
  const Var y = sum(tanh(x * noise));
  GradientFlow flow;
  (void)attempt([&] { return backward(y, {.retain = true, .observer = &flow}); });
  const GraphView view = attempt([&] { return graph_view(tape, {.gradients = &flow.record()}); });
  const std::string dot = attempt([&] { return to_dot(view); });
  const std::string json = attempt([&] { return to_json(view); });
  return bytes_of(noise.value()) + dot + json;
}

struct Program {
  std::string name;
  std::function<std::string(Attempts&)> run;
};

std::vector<Program> programs() {
  std::vector<Program> result = {{"differentiate", differentiate},
                                 {"differentiate_once", differentiate_once},
                                 {"nest", nest},
                                 {"look_up", look_up},
                                 {"save_and_load", save_and_load},
                                 {"fit_and_resume", fit_and_resume},
                                 {"draw", draw}};
  for (const optim::MethodDef* method : optim::registered_methods()) {
    const std::string name(method->name);
    for (const bool closure : {false, true}) {
      result.push_back({name + (closure ? "_with_closure" : ""),
                        [=](Attempts& attempt) { return train(attempt, name, closure); }});
    }
  }
  return result;
}

/// What one run of a program gives.
struct Trial {
  std::string digest;
  bool failed = false;  ///< a request failed
};

/// Runs a program on a thread of its own, whose pools are empty, and are gone afterwards.
Trial try_once(const Program& program, std::int64_t failing, Mode mode) {
  Trial trial;
  std::thread([&] {
    Attempts attempts(failing, mode);
    try {
      trial.digest = program.run(attempts);
    } catch (const std::exception& error) {
      trial.digest = std::string("threw ") + error.what();
    }
    trial.failed = attempts.failed();
  }).join();
  return trial;
}

/// Blocks that a run loses, each time: what it makes once for the process does not count.
std::int64_t lost_blocks(const Program& program, std::int64_t failing, Mode mode) {
  std::int64_t lost = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const std::int64_t before = faults::live_blocks();
    try_once(program, failing, mode);
    lost = faults::live_blocks() - before;
    if (lost <= 0) break;
  }
  return lost;
}

class FailedAllocations : public ::testing::TestWithParam<std::size_t> {
 protected:
  Program program() const { return programs()[GetParam()]; }
};

TEST_P(FailedAllocations, AreAsIfTheyHadNotBeen) {
  kernels::set_thread_count(1);
  const bool all = std::getenv("WENGERT_LONG_TESTS") != nullptr;
  const Program tried = program();
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  const Trial whole = try_once(tried, kNever, Mode::kOne);
  ASSERT_EQ(whole.digest.find("threw"), std::string::npos) << whole.digest;
  const Trial again = try_once(tried, kNever, Mode::kOne);
  ASSERT_TRUE(again.digest == whole.digest) << "the program itself is not the same twice";
  const std::int64_t live = detail::storage_statistics().live_bytes;
  for (const Mode mode : {Mode::kOne, Mode::kFrom}) {
    std::int64_t runs = 0;
    // All of the first ones, where threads and tables begin; then, in the short form, every
    // seventh.
    for (std::int64_t n = 1;; n += all || n < 60 ? 1 : 7) {
      const std::int64_t before = faults::live_blocks();
      const Trial trial = try_once(tried, n, mode);
      const std::int64_t lost = faults::live_blocks() - before;
      if (!trial.failed) break;
      ++runs;
      ASSERT_TRUE(trial.digest == whole.digest)
          << "request " << n << (mode == Mode::kOne ? "" : " and all after it")
          << (trial.digest.starts_with("threw") ? ": " + trial.digest : ": other bits");
      if (lost > static_cast<std::int64_t>(trial.digest.capacity() > 15)) {
        ASSERT_LE(lost_blocks(tried, n, mode), 0) << "request " << n << " loses blocks";
      }
      ASSERT_EQ(detail::storage_statistics().live_bytes, live) << "request " << n;
    }
    EXPECT_GE(runs, 10);
    RecordProperty(mode == Mode::kOne ? "one" : "from", static_cast<int>(runs));
  }
  std::filesystem::remove_all(scratch_folder());
}

INSTANTIATE_TEST_SUITE_P(Programs, FailedAllocations,
                         ::testing::Range(std::size_t{0}, programs().size()),
                         [](const auto& info) { return programs()[info.param].name; });

TEST(Faults, HooksSeeAllMemory) {
  faults::arm(1, Mode::kOne);
  bool refused = false;
  try {
    ::operator delete(::operator new(1));
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  EXPECT_TRUE(faults::disarm());
  EXPECT_TRUE(refused);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::thread([] {
    Tensor::zeros({1}, DType::kFloat32);
    detail::trim_storage();
    faults::arm(1, Mode::kFrom);  // the pool asks twice
    bool refused = false;
    try {
      Tensor::zeros({1000000}, DType::kFloat32);
    } catch (const std::exception&) {
      refused = true;
    }
    EXPECT_TRUE(faults::disarm());
    EXPECT_TRUE(refused);
  }).join();
#endif
}

}  // namespace
}  // namespace wengert
