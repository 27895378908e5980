#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/safetensors.h"

// Transfer learning: a part of a trained network becomes the beginning of another one.
namespace wengert::io {

struct TransferOptions {
  /// Which parameters and buffers of the set are asked for, by their names here; `*` stands for any
  /// characters: {"conv*", "fc1/*"}. One that fits one of these is loaded if the file has it.
  std::vector<std::string> wanted = {"*"};
  /// What the file calls a tensor, and what it is here, as in LoadOptions: {{"net.*",
  /// "encoder/*"}}. The first that fits counts.
  std::vector<std::pair<std::string, std::string>> rename = {};
  /// Freezes the parameters that were loaded: the rest is trained. thaw lets them follow later.
  bool freeze = true;
};

/// Why something of the set was not loaded.
enum class TransferSkip {
  kNotWanted,   ///< no pattern of `wanted` fits it
  kNotInFile,   ///< the file has nothing of that name
  kOtherShape,  ///< the file has it in another shape
  kOtherDType,  ///< … in another dtype
  kOtherKind,   ///< a buffer there, a parameter here, or the other way round
};
/// "not asked for", "not in the file", "other shape", "other dtype", "other kind".
WENGERT_API std::string_view name_of(TransferSkip reason);

/// What a transfer did with each parameter and buffer of the set, in the order of the set.
struct TransferReport {
  struct Loaded {
    std::string name;  ///< here
    std::string from;  ///< in the file
    std::string what;  ///< "f32[784,256]"
    bool is_buffer = false;
    bool frozen = false;  ///< it was trained, and no longer is
  };
  struct Skipped {
    std::string name;
    TransferSkip reason = TransferSkip::kNotInFile;
    std::string words;    ///< "f32[256,20] there, here f32[256,10]", "the closest there is 'fc/w'"
    std::string initial;  ///< how it was filled instead, "he_normal(0, 0; fan_in=3, fan_out=4)"
    bool is_buffer = false;
  };
  std::vector<Loaded> loaded;
  std::vector<Skipped> skipped;      ///< they stay as they were
  std::vector<std::string> unused;   ///< the file's names that nothing of the set bears
  std::int64_t loaded_elements = 0;  ///< of parameters
  std::int64_t elements = 0;         ///< of all parameters of the set

  /// Names of skipped parameters: left as they were initialized.
  WENGERT_API std::vector<std::string> left() const;
  /// A line each for what was loaded, skipped and why, and what of the file was not used, under a
  /// line that counts.
  WENGERT_API std::string str() const;
};

/// Loads what fits of a safetensors file into a set whose model has run once
/// (TrainingStep::make_parameters), and freezes it: dtype and shape must be the same, all else
/// stays as it was initialized. What an optimizer left in the file is passed over.
///
/// Throws Error(kParameter) on a set without parameters, and on a pattern of `wanted` that fits
/// nothing there; IoError on a rule of `rename` that fits nothing in the file, two names made one
/// by it, a file of which nothing is loaded, and what read_safetensors throws. The set is unchanged
/// then.
WENGERT_API TransferReport transfer(ParameterSet& parameters, const std::string& path,
                                    const TransferOptions& options = {},
                                    std::source_location where = std::source_location::current());
/// The same of a file's content; `path` is for messages.
WENGERT_API TransferReport transfer(ParameterSet& parameters, const SafeTensors& file,
                                    const std::string& path, const TransferOptions& options = {},
                                    std::source_location where = std::source_location::current());

}  // namespace wengert::io
