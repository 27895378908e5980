#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/pass.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/hook.h"
#include "wengert/optim/training/loader.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {

struct FitOptions {
  std::int64_t epochs = 10;
  /// Measured after each epoch, for inference; null: nothing is held out.
  const Loader* validation = nullptr;
  const PassPipeline* passes = nullptr;
  /// Multiplies the rate that the optimizer came with and has again afterwards. Without one the
  /// rate is the optimizer's, which hooks may set.
  std::optional<Schedule> schedule = {};
  /// Asked and told in this order; who saves the training comes last.
  std::vector<TrainingHook*> hooks = {};
  /// How many batches of the loader make one step; an epoch's last step may have fewer.
  std::int64_t micro_batches = 1;
};

struct FitResult {
  std::vector<EpochRecord> epochs;
  bool stopped = false;  ///< a hook ended it; a part of an epoch is not among `epochs`
  double seconds = 0;    ///< of training, without validation
};

/// A training under way: it can stop, be saved whole, and go on to the same bits.
class WENGERT_API Training {
 public:
  /// What is given outlives it. Throws Error(kValue) on fewer than one epoch or micro-batch, or two
  /// hooks of one name.
  Training(ParameterSet& parameters, Optimizer& optimizer, const Loader& loader, Model model,
           FitOptions options = {}, std::source_location where = std::source_location::current());
  /// It keeps no loader alive: give one that stays.
  Training(ParameterSet&, Optimizer&, const Loader&&, Model, FitOptions = {}) = delete;
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  /// Trains from where it stands to the end, or until a hook stops it. Every bit of the result
  /// depends on seeds, data and options alone. After an error of the model, a hook or the machine
  /// it may be called again and goes on; hooks that had not been told of an epoch then are. Throws
  /// Error(kNonFinite) when a loss is not finite,
  /// naming the first op whose result was not (the step has changed nothing), or when a parameter
  /// is not after an epoch.
  FitResult run();

  /// The whole state in one safetensors file, also in the middle of an epoch: parameters and
  /// buffers by their names (io::load reads them as a model), and the states of optimizer, schedule
  /// and hooks, the place in the data, the epochs so far. Written atomically. Throws what
  /// write_safetensors throws, and Error(kParameter) where a parameter's name is that of a state.
  void save(const std::string& path, std::map<std::string, std::string> metadata = {},
            std::source_location where = std::source_location::current()) const;
  /// Goes on from a saved state, with the same model, data and options. Gives the metadata. Throws
  /// IoError on a file that holds no such state or another training's; everything is as before
  /// then, or, where there is no memory to put it back, run and save throw.
  std::map<std::string, std::string> load(
      const std::string& path, std::source_location where = std::source_location::current());

  ParameterSet& parameters() const { return step_.parameters(); }
  Optimizer& optimizer() const { return optimizer_; }
  const Loader& loader() const { return loader_; }
  TrainingStep& step() { return step_; }
  const FitOptions& options() const { return options_; }
  /// The epoch under way, from 1; beyond options().epochs when all are done.
  std::int64_t epoch() const { return epoch_; }
  const std::vector<EpochRecord>& history() const { return history_; }
  std::int64_t steps_per_epoch() const;

 private:
  bool run_epoch();
  StepRecord take_step(PassContext& context);
  void finish_epoch();
  void tell_of_epoch();
  void check_finite() const;
  void check_whole() const;
  bool stop_wanted() const;
  template <class Tell>
  void tell(Tell&& tell);
  std::vector<io::NamedTensor> state() const;
  class StateReader;

  Optimizer& optimizer_;
  const Loader& loader_;
  FitOptions options_;
  TrainingStep step_;
  std::source_location where_;
  double base_rate_;
  bool begun_ = false;
  bool torn_ = false;  ///< a load failed half way
  // Where it stands.
  std::int64_t epoch_ = 1;
  std::int64_t done_ = 0;  ///< steps of this epoch
  Totals so_far_;          ///< of this epoch
  double epoch_rate_ = 0, epoch_seconds_ = 0;
  std::vector<EpochRecord> history_;
  std::size_t untold_ = 0;  ///< the last hooks, who do not know of the last epoch yet
};

/// Trains a model on any task and gives what each epoch came to: Training(…).run().
WENGERT_API FitResult fit(ParameterSet& parameters, Optimizer& optimizer, const Loader& loader,
                          Model model, FitOptions options = {},
                          std::source_location where = std::source_location::current());

/// What a model makes of all batches of a loader's first epoch, for inference; `passes`, where they
/// are given, may stand in the place of parameters (PassStage::kParameters).
WENGERT_API Totals measure(ParameterSet& parameters, const Loader& loader, const Model& model,
                           const PassPipeline* passes = nullptr,
                           std::source_location where = std::source_location::current());

}  // namespace wengert::optim
