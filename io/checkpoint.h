#pragma once

#include <map>
#include <set>
#include <source_location>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/safetensors.h"

namespace wengert::io {

/// Writes the parameters and then the buffers of a set as a safetensors file, atomically. The
/// metadata entry "buffers" names the buffers, a line each; without buffers it is not there.
/// Throws Error(kValue) on a buffer's name with a line break or metadata of that key, and what
/// write_safetensors throws.
WENGERT_API void write_checkpoint(const std::string& path, const ParameterSet& parameters,
                                  std::map<std::string, std::string> metadata = {},
                                  std::source_location where = std::source_location::current());

/// Reads such a file into a set: what the set has takes the file's values, what it has not is
/// added; other tools' safetensors files are all parameters. Gives the metadata. Throws IoError
/// when something of the set is missing in the file, of another dtype or shape, or a parameter
/// here and a buffer there, and what read_safetensors throws; the set is unchanged then.
WENGERT_API std::map<std::string, std::string> read_checkpoint(const std::string& path,
                                                               ParameterSet& parameters);

/// Which of a file's tensors are buffers.
WENGERT_API std::set<std::string> buffers_of(const SafeTensors& file);

}  // namespace wengert::io
