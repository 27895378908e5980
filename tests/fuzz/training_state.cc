#include "wengert/graph/error.h"
#include "wengert/io/file.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"
#include "wengert/tests/fuzz/target.h"

// The state of a training that is read by another one: it goes on from it, or refuses it and is as
// it was.
namespace wengert::fuzz {
namespace {

optim::Batch data() {
  return {Tensor::from({0.5f, -1.5f, 2.0f, 0.25f, -0.75f, 1.0f}, {3, 2}),
          Tensor::from(std::vector<std::int64_t>{1, 0, 1}, {3})};
}

Var logits(ParameterSet& set, const Var& x) {
  return linear(set, "out", dropout(set, "drop", linear(set, "in", x, 2), 0.5), 2);
}

struct Bench {
  Bench()
      : loader(data(), {.batch_size = 2}),
        training(
            parameters, adam, loader, optim::classifier(logits),
            {.epochs = 2, .schedule = optim::ReduceOnPlateau({.patience = 0}), .hooks = {&early}}) {
  }
  std::string saved() const {
    const ScratchFolder folder;
    const std::string path = folder / "state";
    training.save(path);
    return io::read_file(path);
  }
  ParameterSet parameters{7};
  optim::Adam adam{{}};
  optim::ArrayLoader loader;
  optim::EarlyStop early{{.patience = 5}};
  optim::Training training;
};

}  // namespace

FUZZ_TARGET(training_state) {
  static const std::string fresh = Bench().saved();
  const MemoryFile file(input.rest());
  Bench bench;
  try {
    (void)bench.training.load(file.path());
  } catch (const IoError& error) {
    require(error.path() == file.path(), "an error of another file");
    require(bench.saved() == fresh, "a refused state has changed the training");
    return;
  }
  accept();
  require(bench.training.epoch() >= 1 && bench.training.epoch() <= 3, "an epoch that is none");
  try {
    (void)bench.training.run();
  } catch (const Error& error) {
    // Numbers that train to nothing; a set without some of the model's parameters, which only the
    // model's first call can know of.
    require(error.kind() == ErrorKind::kNonFinite || error.kind() == ErrorKind::kParameter,
            error.what());
  }
}

}  // namespace wengert::fuzz
