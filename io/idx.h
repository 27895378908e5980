#pragma once

#include <cstdint>
#include <source_location>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert::io {

/// Reads an IDX file (the format of MNIST: two zero bytes, a type code, the rank, the sizes as
/// big-endian 32-bit numbers, then the elements, big-endian, row-major), plain or gzipped.
///
/// Type codes: 08 gives u8, 0C i32, 0D f32, 0E f64; 09 (signed bytes) and 0B (16-bit) are widened
/// to i32, which holds all their values. Rank 0 (one element) to kMaxRank; sizes may be 0.
///
/// A gzipped file may have data of `unpacked_limit` bytes; 0: 32 times the file, 64 MiB at least.
///
/// Throws IoError when the file is missing, not IDX, cut short, longer than its sizes say, promises
/// more than it can hold, or has more data than allowed. Memory is taken only for elements that the
/// file really has.
WENGERT_API Tensor read_idx(const std::string& path, std::int64_t unpacked_limit = 0,
                            std::source_location where = std::source_location::current());

/// Writes an IDX file, not gzipped, atomically; u8, i32, f32 and f64 tensors of any strides.
/// Throws Error(kDType) for others, Error(kShape) for sizes above 2³²−1, IoError.
WENGERT_API void write_idx(const std::string& path, const Tensor& tensor,
                           std::source_location where = std::source_location::current());

}  // namespace wengert::io
