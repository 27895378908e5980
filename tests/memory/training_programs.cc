#include <gtest/gtest.h>

#include <filesystem>

#include "wengert/optim/methods.h"
#include "wengert/tests/memory/programs.h"

// Programs that train, with every optimizer and every feature of a training.
namespace wengert {
namespace {

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

/// A training that stops in the middle of an epoch, is saved, and goes on in another process's
/// place; after a failure it goes on where it was.
std::string train_and_resume(Attempts& attempt, const Features& features) {
  const std::string path = scratch_folder() + "/a training whose name is long.safetensors";
  std::filesystem::remove(path);
  Trainee first(features, features.contains(Feature::kMicroBatches) ? 3 : 6), second(features);
  attempt([&] { (void)first.training().run(); });
  attempt([&] { first.training().save(path); });
  const std::string before = second.bytes();
  attempt([&] { (void)second.training().load(path); },
          [&] {  // as it was, or it says that it is of no use
            try {
              second.training().save(path + "2");
            } catch (const Error& error) {
              EXPECT_EQ(error.kind(), ErrorKind::kMemory) << error.what();
              return;
            }
            EXPECT_TRUE(second.bytes() == before);
          });
  attempt([&] { (void)second.training().run(); });
  return second.bytes();
}

struct Training {
  const char* name;
  Features features;
};

}  // namespace

std::vector<Program> training_programs() {
  using enum Feature;
  std::vector<Program> result = {{"look_up", look_up}};
  for (const optim::MethodDef* method : optim::registered_methods()) {
    const std::string name(method->name);
    for (const bool closure : {false, true}) {
      result.push_back({name + (closure ? "_with_closure" : ""),
                        [=](Attempts& attempt) { return train(attempt, name, closure); }});
    }
  }
  const Training trainings[] = {
      {"train_plainly", {}},
      {"train_with_state", {kBuffers, kRandomStreams, kSchedule, kHook, kEarlyStop, kValidation}},
      {"train_in_parts", {kMicroBatches, kRowGradients, kParameterGroups}},
      {"train_rewritten", {kPasses, kCheckpoints, kRandomStreams}},
      {"train_on_threads", {kThreads, kBuffers}},
      {"train_with_everything", all_features()},
  };
  for (const auto& [name, features] : trainings) {
    result.push_back(
        {name,
         [features = features](Attempts& attempt) { return train_and_resume(attempt, features); },
         features, features.contains(kThreads)});
  }
  return result;
}

}  // namespace wengert
