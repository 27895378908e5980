#pragma once

#include <map>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert::io {

/// A tensor and the name that a file knows it by.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// What a safetensors file holds.
struct SafeTensors {
  std::vector<NamedTensor> tensors;             ///< in the order of the file's header
  std::map<std::string, std::string> metadata;  ///< free text by key
};

/// Writes tensors of any dtype and strides, atomically (see AtomicFile). The same input gives the
/// same bytes. The header lists the tensors in the order given; their data lie by falling element
/// size behind a header padded to 8 bytes, so that a reader may map them as they are.
/// Format: 8 bytes little-endian header length, JSON header, data
/// (https://huggingface.co/docs/safetensors).
///
/// Throws Error(kParameter) on repeated names and the reserved "__metadata__", Error(kValue) on
/// names or metadata that are not UTF-8 or too large for a header, IoError.
WENGERT_API void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                                   const std::map<std::string, std::string>& metadata = {},
                                   std::source_location where = std::source_location::current());

/// Reads a safetensors file whole, trusting nothing in it. Dtypes F32, F64, I32, I64, U8, BOOL.
///
/// Throws IoError when the file is missing or cut short; its header is longer than 100 MB, not
/// UTF-8, not JSON of the format's form, repeats or adds a key; a dtype is unknown or has no
/// counterpart here (F16, …); a shape overflows or has more than kMaxRank sizes; data overlap,
/// leave holes, end early or late, or differ from shape × dtype; a BOOL byte is neither 0 nor 1.
/// Memory taken is a small multiple of the file's size.
WENGERT_API SafeTensors read_safetensors(
    const std::string& path, std::source_location where = std::source_location::current());

}  // namespace wengert::io
