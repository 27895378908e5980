#pragma once

#include <cstdint>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"
#include "wengert/io/safetensors.h"

// NumPy's files of arrays.
namespace wengert::io {

/// Reads an array that numpy.save wrote: format versions 1 to 3, little or big endian, rows or
/// (Fortran order) columns first; the tensor is row-major in any case. Dtypes: bool, uint8, int32,
/// int64, float32, float64. Rank 0 to kMaxRank; sizes may be 0.
/// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
///
/// Throws IoError when the file is missing, no NumPy file, cut short, or longer than its header
/// says; on a version or a header of another form, another dtype (pickled objects are never read),
/// sizes whose product overflows, a bool that is neither 0 nor 1. Memory is taken only for elements
/// that the file really has.
WENGERT_API Tensor read_npy(const std::string& path,
                            std::source_location where = std::source_location::current());

/// Writes an array for numpy.load, atomically: version 1, little endian, rows first. A tensor of
/// any dtype and strides. The same tensor gives the same bytes. Throws IoError.
WENGERT_API void write_npy(const std::string& path, const Tensor& tensor,
                           std::source_location where = std::source_location::current());

/// Reads the arrays that numpy.savez or savez_compressed wrote, a zip of .npy files, under their
/// names without the ending, in the order of the zip.
///
/// `unpacked_limit`: bytes that all of them may unpack to; 0: 32 times the file, 64 MiB at least.
///
/// Throws IoError on what read_npy refuses of one of them, naming it; on a file that is no zip or a
/// damaged one (another checksum, entries that overlap or differ from the table at the end), zip64
/// (arrays beyond 4 GiB), encryption, packing other than stored and deflated, entries that are no
/// .npy file, names that come twice or are not UTF-8, more data than the limit.
WENGERT_API std::vector<NamedTensor> read_npz(
    const std::string& path, std::int64_t unpacked_limit = 0,
    std::source_location where = std::source_location::current());

enum class NpzPacking { kStored, kDeflated };

/// Writes arrays for numpy.load, atomically, as savez (kStored) or savez_compressed do. The same
/// arrays give the same bytes, deflated ones with the same zlib.
///
/// Throws Error(kParameter) on names that come twice, Error(kValue) on empty ones, those that are
/// not UTF-8, and what needs zip64: an array or a file of 4 GiB or more, 65,535 arrays or more;
/// IoError.
WENGERT_API void write_npz(const std::string& path, std::span<const NamedTensor> tensors,
                           NpzPacking packing = NpzPacking::kStored,
                           std::source_location where = std::source_location::current());

}  // namespace wengert::io
