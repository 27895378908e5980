#include "wengert/graph/shape.h"

#include "wengert/graph/error.h"

namespace wengert {

void Dims::fail_rank(std::source_location where) {
  throw Error(ErrorKind::kShape, "shape", "more than " + std::to_string(kMaxRank) + " dimensions",
              "reshape to fewer dimensions first", where);
}

void Dims::push_back(std::int64_t value, std::source_location where) {
  if (size_ == kMaxRank) fail_rank(where);
  values_[size_++] = value;
}

void Dims::resize(int size, std::int64_t fill, std::source_location where) {
  if (size < 0 || size > kMaxRank) fail_rank(where);
  for (int i = size_; i < size; ++i) values_[i] = fill;
  size_ = size;
}

void Dims::insert(int position, std::int64_t value) {
  push_back(0);
  for (int i = size_ - 1; i > position; --i) values_[i] = values_[i - 1];
  values_[position] = value;
}

void Dims::erase(int position) {
  for (int i = position; i + 1 < size_; ++i) values_[i] = values_[i + 1];
  --size_;
}

std::string Dims::str() const { return to_string(span()); }

std::int64_t element_count(std::span<const std::int64_t> sizes) {
  std::int64_t count = 1;
  bool zero = false;
  for (std::int64_t size : sizes) {
    if (size < 0) {
      throw Error(ErrorKind::kShape, "shape", "negative size in " + to_string(sizes));
    }
    zero |= size == 0;
    if (size > 0 && __builtin_mul_overflow(count, size, &count)) {
      throw Error(ErrorKind::kShape, "shape",
                  "the product of " + to_string(sizes) + " overflows 64 bits");
    }
  }
  return zero ? 0 : count;
}

std::size_t byte_count(DType dtype, std::span<const std::int64_t> sizes) {
  if (static_cast<int>(dtype) >= kDTypeCount) {
    throw Error(ErrorKind::kDType, "shape", "no such dtype");
  }
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(element_count(sizes), static_cast<std::int64_t>(size_of(dtype)),
                             &bytes)) {
    throw Error(ErrorKind::kShape, "shape",
                to_string(dtype, sizes) + " needs more than 2⁶³ − 1 bytes");
  }
  return static_cast<std::size_t>(bytes);
}

Strides dense_strides(std::span<const std::int64_t> sizes) {
  Strides strides;
  strides.resize(static_cast<int>(sizes.size()));
  std::uint64_t step = 1;  // wraps only for sizes that no tensor has
  for (int i = strides.size() - 1; i >= 0; --i) {
    strides[i] = static_cast<std::int64_t>(step);
    step *= sizes[i] > 0 ? static_cast<std::uint64_t>(sizes[i]) : 1;
  }
  return strides;
}

Packing packing_of(std::span<const std::int64_t> sizes, std::span<const std::int64_t> strides) {
  const int rank = static_cast<int>(sizes.size());
  std::uint64_t count = 1;  // wraps only for sizes that no tensor has
  bool row_major = true;
  for (int d = rank - 1; d >= 0; --d) {
    const auto at = static_cast<std::size_t>(d);
    row_major &= sizes[at] == 1 || static_cast<std::uint64_t>(strides[at]) == count;
    count *= static_cast<std::uint64_t>(sizes[at]);
  }
  if (row_major || count <= 1) return Packing::kRowMajor;
  // Axis by axis from the fastest on: each begins where the elements of those before it end.
  std::uint64_t step = 1;
  for (int found = 0; step != count; ++found) {
    std::size_t next = 0;
    const auto is_next = [&](std::size_t d) {
      return sizes[d] != 1 && static_cast<std::uint64_t>(strides[d]) == step;
    };
    while (next < sizes.size() && !is_next(next)) ++next;
    if (next == sizes.size() || found == rank) return Packing::kLoose;
    step *= static_cast<std::uint64_t>(sizes[next]);
  }
  return Packing::kPermuted;
}

std::string to_string(std::span<const std::int64_t> sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += ",";
    text += std::to_string(sizes[i]);
  }
  return text + "]";
}

std::string to_string(DType dtype, std::span<const std::int64_t> sizes) {
  return std::string(short_name(dtype)) + to_string(sizes);
}

}  // namespace wengert
