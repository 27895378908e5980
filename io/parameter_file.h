#pragma once

#include <map>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/safetensors.h"

// Parameters and buffers of a set as a safetensors file.
namespace wengert::io {

/// Writes the parameters and then the buffers of a set, atomically. The metadata entry "buffers"
/// names the buffers, a line each; without buffers it is not there. Throws Error(kValue) on a
/// buffer's name with a line break, metadata of the keys "buffers" and "state", and what
/// write_safetensors throws.
WENGERT_API void save(const ParameterSet& parameters, const std::string& path,
                      std::map<std::string, std::string> metadata = {},
                      std::source_location where = std::source_location::current());
/// The same as a file's content. `state` are tensors beside the set's own, of an optimizer for
/// instance, which the metadata entry "state" names: load passes them over.
WENGERT_API SafeTensors to_file(const ParameterSet& parameters,
                                std::map<std::string, std::string> metadata = {},
                                std::vector<NamedTensor> state = {},
                                std::source_location where = std::source_location::current());

struct LoadOptions {
  /// What the file calls a tensor, and what it is here; a `*` on both sides stands for the same
  /// characters: {{"net.*", "encoder/*"}}. The first that fits counts.
  std::vector<std::pair<std::string, std::string>> rename = {};
  /// What the file lacks stays as it is here. Without it an error, and a set that was empty takes
  /// no parameters beyond the file's later on: nothing is silently random.
  bool allow_missing = false;
  /// Parameters that the set lacks are passed over. Without it an error, if the set was not empty.
  /// Buffers are always added: models make some (counters of streams) when they first train.
  bool allow_unused = false;
  /// Parameters that the set lacks are added, as they always are to an empty set.
  bool add = false;
};

/// What load did, by the names that the set uses.
struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;                          ///< in the set, not in the file
  std::vector<std::string> unused;                           ///< the file's names, not in the set
  std::vector<std::pair<std::string, std::string>> renamed;  ///< from, to
  std::map<std::string, std::string> metadata;               ///< the user's
  /// "loaded 4, missing 1 ('fc3/bias'), unused 2 ('head.weight', 'head.bias'), renamed 4"
  WENGERT_API std::string str() const;
};

/// Reads a safetensors file of this or another program into a set. What the set has takes the
/// file's values in its own memory; into an empty set everything is added. Call it after the model
/// has run once, or before: a set that was empty then takes no parameter that the file lacks
/// (ParameterSet::seal). Throws IoError on missing or unused names, another dtype or shape, a
/// buffer where a parameter is, two names made one by `rename`, and what read_safetensors throws;
/// the set is unchanged then.
WENGERT_API LoadReport load(ParameterSet& parameters, const std::string& path,
                            const LoadOptions& options = {},
                            std::source_location where = std::source_location::current());
/// The same of a file's content; `path` is for messages.
WENGERT_API LoadReport load(ParameterSet& parameters, const SafeTensors& file,
                            const std::string& path, const LoadOptions& options = {},
                            std::source_location where = std::source_location::current());

/// The file's tensors that metadata entry "state" names, those of to_file.
WENGERT_API std::vector<NamedTensor> state_of(const SafeTensors& file);

}  // namespace wengert::io
