#include "wengert/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/io/file.h"
#include "wengert/io/safetensors_header.h"

namespace wengert::io {
namespace {

static_assert(std::endian::native == std::endian::little, "the format's data are little-endian");

using detail::kMaxSafeTensorsHeader;
using detail::SafeTensorsHeader;
using detail::TensorEntry;

constexpr char kDamagedFix[] = "the file is damaged: copy or download it again";
constexpr std::int64_t kLengthBytes = 8;

std::int64_t bytes_of(const Tensor& tensor) {
  return tensor.element_count() * static_cast<std::int64_t>(size_of(tensor.dtype()));
}

void check_names(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const NamedTensor& named : tensors) {
    if (named.name == "__metadata__") {
      throw Error(ErrorKind::kParameter, "write_safetensors",
                  "the name __metadata__ is reserved by the format", "rename the tensor");
    }
    if (!names.insert(named.name).second) {
      throw Error(ErrorKind::kParameter, "write_safetensors",
                  "two tensors have the name \"" + named.name + "\"", "rename one of them");
    }
  }
}

// Positions of the tensors as their data lie: wide elements first, so that all are aligned.
std::vector<std::size_t> data_order(std::span<const NamedTensor> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return size_of(tensors[a].tensor.dtype()) > size_of(tensors[b].tensor.dtype());
  });
  return order;
}

std::string read_header_text(InputFile& file) {
  if (file.size() < kLengthBytes) {
    throw IoError(file.path(),
                  "has " + std::to_string(file.size()) +
                      " bytes, too few for a safetensors file (8 hold the header's length)",
                  kDamagedFix);
  }
  std::uint64_t length = 0;
  file.read_exactly(&length, kLengthBytes);
  constexpr std::uint32_t kZip = 0x04034b50;  // "PK\3\4"
  if (static_cast<std::uint32_t>(length) == kZip) {
    throw IoError(file.path(), "is a zip archive (a .pt or .npz file?), no safetensors file",
                  "save the tensors as safetensors where they come from");
  }
  if (length > static_cast<std::uint64_t>(kMaxSafeTensorsHeader)) {
    throw IoError(file.path(),
                  "says that its header has " + std::to_string(length) +
                      " bytes; at most 100,000,000 are allowed",
                  "check that this is a safetensors file");
  }
  if (static_cast<std::int64_t>(length) > file.size() - kLengthBytes) {
    throw IoError(file.path(),
                  "is cut short: its header has " + std::to_string(length) + " bytes, the file " +
                      std::to_string(file.size()),
                  kDamagedFix);
  }
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read_exactly(text.data(), text.size());
  return text;
}

// The entries as their data lie, which must be one after the other from 0 to the file's end.
std::vector<std::size_t> checked_order(const InputFile& file, const SafeTensorsHeader& header,
                                       std::int64_t data_bytes) {
  const std::vector<TensorEntry>& entries = header.entries;
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(entries[a].begin, entries[a].end, a) <
           std::tie(entries[b].begin, entries[b].end, b);
  });
  std::int64_t end = 0;
  for (std::size_t i : order) {
    if (entries[i].begin != end) {
      throw IoError(file.path(),
                    std::string("has data that ") +
                        (entries[i].begin < end ? "overlap" : "leave a hole") + " at byte " +
                        std::to_string(std::min(entries[i].begin, end)) + " of its data",
                    "write the file again with a safetensors library");
    }
    end = entries[i].end;
  }
  if (end != data_bytes) {
    throw IoError(file.path(),
                  (data_bytes < end ? "is cut short: " : "has bytes after its last tensor: ") +
                      std::string("its tensors need ") + std::to_string(end) +
                      " bytes of data, and it has " + std::to_string(data_bytes),
                  kDamagedFix);
  }
  return order;
}

Tensor read_tensor(InputFile& file, const TensorEntry& entry) {
  Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  WriteGuard guard(tensor, "read_safetensors");
  const auto count = static_cast<std::size_t>(entry.end - entry.begin);
  file.read_exactly(guard.data(), count);
  if (entry.dtype == DType::kBool) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = std::to_integer<int>(guard.data()[i]);
      if (value <= 1) continue;
      throw IoError(file.path(),
                    "has a BOOL byte " + std::to_string(value) + " at byte " +
                        std::to_string(entry.begin + static_cast<std::int64_t>(i)) +
                        " of its data; only 0 and 1 are allowed",
                    kDamagedFix);
    }
  }
  return tensor;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata,
                       std::source_location where) {
  const wengert::detail::CallSite site(where);
  check_names(tensors);
  const std::vector<std::size_t> order = data_order(tensors);
  SafeTensorsHeader header{.entries = {}, .metadata = metadata};
  for (const NamedTensor& named : tensors) {
    header.entries.push_back({named.name, named.tensor.dtype(), named.tensor.shape(), 0, 0});
  }
  std::int64_t end = 0;
  for (std::size_t i : order) {
    header.entries[i].begin = end;
    end += bytes_of(tensors[i].tensor);
    header.entries[i].end = end;
  }
  std::string text = detail::format_safetensors_header(header);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  const std::uint64_t length = text.size();
  if (length > static_cast<std::uint64_t>(kMaxSafeTensorsHeader)) {
    throw Error(ErrorKind::kValue, "write_safetensors",
                "names and metadata take " + std::to_string(length) +
                    " bytes; a header has at most 100,000,000",
                "spread the tensors over several files");
  }
  AtomicFile file(path);
  file.write(&length, kLengthBytes);
  file.write(text);
  for (std::size_t i : order) {
    const Tensor dense = tensors[i].tensor.contiguous();
    file.write(dense.data(), static_cast<std::size_t>(bytes_of(dense)));
  }
  file.commit();
}

SafeTensors read_safetensors(const std::string& path, std::source_location where) {
  const wengert::detail::CallSite site(where);
  InputFile file(path);
  SafeTensorsHeader header;
  std::int64_t data_bytes = file.size() - kLengthBytes;
  {
    const std::string text = read_header_text(file);
    data_bytes -= static_cast<std::int64_t>(text.size());
    header = detail::parse_safetensors_header(path, text);
  }
  const std::vector<std::size_t> order = checked_order(file, header, data_bytes);
  SafeTensors result;
  result.metadata = std::move(header.metadata);
  result.tensors.resize(header.entries.size());
  for (std::size_t i : order) {
    result.tensors[i] = {std::move(header.entries[i].name), read_tensor(file, header.entries[i])};
  }
  return result;
}

}  // namespace wengert::io
