#include "wengert/graph/tape_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "wengert/graph/thread_state.h"

namespace wengert::detail {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{2} << 20;  // 32768 nodes of 56 bytes
constexpr std::size_t kKeptChunks = 16;

std::byte* system_block(std::size_t alignment, std::size_t bytes) {
  auto* block = static_cast<std::byte*>(std::aligned_alloc(alignment, bytes));
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

/// Appends a block from the system, all or nothing.
template <class Block>
std::byte* append_block(std::vector<Block*>& list, std::size_t alignment, std::size_t bytes) {
  if (list.size() == list.capacity()) list.reserve(2 * list.size() + 8);
  std::byte* block = system_block(alignment, bytes);
  list.push_back(reinterpret_cast<Block*>(block));
  return block;
}

}  // namespace

TapeMemory::~TapeMemory() {
  for (Node* chunk : chunks) std::free(chunk);
  for (std::byte* memory : blocks) std::free(memory);
  for (std::byte* memory : large_blocks) std::free(memory);
}

void* TapeMemory::allocate(std::size_t bytes) {
  bytes = (bytes + 15) / 16 * 16;
  if (bytes > kBlockBytes / 4) return append_block(large_blocks, 64, (bytes + 63) / 64 * 64);
  if (blocks.empty() || used + bytes > kBlockBytes) {
    const std::size_t next = blocks.empty() ? 0 : block + 1;
    if (next >= blocks.size()) append_block(blocks, 64, kBlockBytes);
    block = next;
    used = 0;
  }
  void* result = blocks[block] + used;
  used += bytes;
  return result;
}

void TapeMemory::add_chunk() {
  std::byte* memory = append_block(chunks, kChunkBytes, kChunkBytes);
  // Small programs touch a few pages of the first chunk; long tapes want huge pages.
  if (chunks.size() > 1) madvise(memory, kChunkBytes, MADV_HUGEPAGE);
}

namespace {

constexpr std::size_t kKeptBuckets = 4096;

/// Empties a table; one that was large gives its memory back.
template <class Map>
void clear_table(Map& map) {
  if (map.empty()) return;
  if (map.bucket_count() > kKeptBuckets) {
    Map().swap(map);
  } else {
    map.clear();
  }
}

}  // namespace

void TapeMemory::forget_from(std::uint32_t first) noexcept {
  for (Number& number : numbers) {
    if (number.id >= first) number = {};
  }
  if (absent != kNoNode && absent >= first) absent = kNoNode;
  for (auto& [parameter, known] : parameters) {
    if (known.leaf != kNoNode && known.leaf >= first) known.leaf = kNoNode;
  }
  std::erase_if(leaf_of_buffer, [&](const auto& entry) { return entry.second >= first; });
  std::erase_if(alias_of, [&](const auto& entry) {
    if (entry.second < first) return false;
    drop(const_cast<Value*>(entry.first), Value::kHeader);
    return true;
  });
  std::erase_if(named, [&](const auto& entry) { return entry.second >= first; });
  std::erase_if(names, [&](const auto& entry) { return entry.first >= first; });
  // One that is still being recorded will be ended yet.
  std::erase_if(derivatives, [&](const Derivative& derivative) {
    return derivative.first >= first && derivative.end != kNoNode;
  });
}

void TapeMemory::clear() {
  for (std::byte* memory : large_blocks) std::free(memory);
  large_blocks.clear();
  const bool large = chunks.size() > kKeptChunks;
  while (chunks.size() > kKeptChunks) {
    std::free(chunks.back());
    chunks.pop_back();
  }
  while (large && blocks.size() > kKeptChunks) {
    std::free(blocks.back());
    blocks.pop_back();
  }
  block = 0;
  used = 0;
  derivatives.clear();
  owned.clear();
  absent = kNoNode;
  clear_table(names);
  clear_table(named);
  if (parameters.bucket_count() > kKeptBuckets) {
    clear_table(parameters);
    last_met = nullptr;
  }
  clear_table(leaf_of_buffer);
  updates.clear();
  before.clear();
  clear_table(alias_of);
}

void retire_tape_memory() noexcept {
  delete t_state.memory->spare_tape_memory;
  t_state.memory->spare_tape_memory = nullptr;
}

void Relocator::operator()(const char*, std::string_view& text) const {
  char* copy = static_cast<char*>(arena.allocate(text.size() + 1));
  text.copy(copy, text.size());
  text = {copy, text.size()};
}

void Relocator::operator()(const char*, std::span<const std::int64_t>& list) const {
  auto* copy = static_cast<std::int64_t*>(arena.allocate(list.size_bytes() + 8));
  for (std::size_t i = 0; i < list.size(); ++i) copy[i] = list[i];
  list = {copy, list.size()};
}

}  // namespace wengert::detail
