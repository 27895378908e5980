#pragma once

// Private to the library.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "wengert/graph/dtype.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/tensor.h"

// An array as NumPy writes it, in a file of its own or in a zip.
namespace wengert::io::detail {

/// Where its bytes come from, and how messages name it.
struct NpyInput {
  std::string path;
  std::string member;     ///< "'a.npy' ", or empty
  std::int64_t size = 0;  ///< bytes of the array's file
  /// Reads up to `count` bytes; fewer at the end alone.
  std::function<std::size_t(void* bytes, std::size_t count)> read;

  [[noreturn]] void fail(const std::string& problem, const std::string& fix = {}) const;
};

struct NpyHeader {
  DType dtype = DType::kFloat32;
  bool swapped = false;  ///< big endian
  bool fortran = false;  ///< columns first
  Shape shape;
  std::int64_t data_bytes = 0;
};

/// Reads the header, and holds the size of the file to be what it says. Throws IoError.
NpyHeader read_npy_header(const NpyInput& input);
/// Reads the elements behind it: row-major, native. Throws IoError.
Tensor read_npy_elements(const NpyInput& input, const NpyHeader& header);

/// The bytes before the elements of a dense tensor; their count is a multiple of 64.
std::string format_npy_header(const Tensor& tensor);

}  // namespace wengert::io::detail
