#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wengert/graph/tensor.h"

// Rows of a gradient, sorted and added up. Private to the library.
namespace wengert::detail {

/// What one consumer sends to a few rows of a leaf.
struct RowPart {
  std::vector<std::int64_t> indices;  ///< along axis 0, none of them negative
  Tensor rows;                        ///< [indices, …], dense
};

/// Positions along an axis of `height` from int32 or int64 [k], negative ones from the back. Gives
/// the place of the first one that is out of range, or −1.
std::int64_t read_positions(const Tensor& indices, std::int64_t height,
                            std::vector<std::int64_t>& positions);

struct SortedRows {
  Tensor indices;  ///< int64 [k], each once and ascending
  Tensor rows;     ///< [k, …], memory of its own
};
/// All rows of the parts, of which those of one index are added up: as one list in the order of the
/// parts, its halves first. The order depends on nothing else, so neither do the bits. `shape` is
/// the leaf's.
SortedRows sum_rows(std::span<const RowPart> parts, const Shape& shape, DType dtype);

/// The rows of two in one.
SortedRows merge_rows(const SortedRows& a, const SortedRows& b);

/// Adds rows to a dense tensor's memory.
void add_rows(std::byte* dense, const SortedRows& rows);

}  // namespace wengert::detail
