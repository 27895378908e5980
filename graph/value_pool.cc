#include "wengert/graph/value_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "wengert/graph/shape.h"
#include "wengert/graph/tape.h"

namespace wengert::detail {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{2} << 20;
constexpr std::size_t kSlabHeader = 64;

}  // namespace

/// 2 MiB, aligned to its size, cut into blocks of one size; belongs to one thread. Blocks freed by
/// other threads gather in `foreign`; a slab whose thread has ended is freed with its last block.
struct Slab {
  Slab* next;          ///< the owner's next slab of the same class
  FreeBlock* free;     ///< used while the slab is not the current one
  std::byte* fresh;    ///< blocks from here on were never used
  std::uint32_t live;  ///< blocks out, less those in `foreign`
  std::uint16_t block_bytes;
  std::atomic<ThreadMemory*> owner;
  std::atomic<FreeBlock*> foreign;
  std::atomic<std::int64_t> orphans;  ///< blocks still out when the owner ended
};
static_assert(sizeof(Slab) <= kSlabHeader);

namespace {

/// Marks the foreign list of a slab whose owner has ended.
FreeBlock* const kClosed = reinterpret_cast<FreeBlock*>(std::uintptr_t{1});

Slab* slab_of(const void* block) {
  return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(kSlabBytes - 1));
}

Slab* new_slab(int block, bool huge) {
  void* memory = std::aligned_alloc(kSlabBytes, kSlabBytes);
  if (memory == nullptr) throw std::bad_alloc();
  if (huge) madvise(memory, kSlabBytes, MADV_HUGEPAGE);
  auto* slab = new (memory) Slab{};
  slab->fresh = static_cast<std::byte*>(memory) + kSlabHeader;
  slab->block_bytes = static_cast<std::uint16_t>(block * 16);
  slab->owner.store(t_state.memory, std::memory_order_relaxed);
  return slab;
}

/// Cuts up to 64 fresh blocks of a slab into the thread's list, lowest address first.
bool carve(Slab* slab, int block) {
  std::byte* end = reinterpret_cast<std::byte*>(slab) + kSlabBytes;
  FreeBlock** tail = &t_state.memory->free_values[block];
  int count = 0;
  while (count < 64 && slab->fresh + slab->block_bytes <= end) {
    auto* fresh = new (static_cast<void*>(slab->fresh)) FreeBlock;
    *tail = fresh;
    tail = &fresh->next;
    slab->fresh += slab->block_bytes;
    ++count;
  }
  *tail = nullptr;
  return count > 0;
}

/// Takes back what other threads freed.
bool reclaim(Slab* slab, int block) {
  FreeBlock* list = slab->foreign.exchange(nullptr, std::memory_order_acquire);
  if (list == nullptr) return false;
  FreeBlock* last = list;
  while (last->next != nullptr) last = last->next;
  last->next = t_state.memory->free_values[block];
  t_state.memory->free_values[block] = list;
  return true;
}

}  // namespace

Value* take_header_slow(int block) {
  ThreadMemory& memory = thread_memory();
  FreeBlock*& head = memory.free_values[block];
  Slab*& first = memory.slabs[block];
  if (first == nullptr || !carve(first, block)) {
    for (Slab* slab = first; slab != nullptr && head == nullptr; slab = slab->next) {
      reclaim(slab, block);
    }
    if (head == nullptr) {
      Slab* slab = new_slab(block, first != nullptr);
      slab->next = first;
      first = slab;
      carve(slab, block);
    }
  }
  auto* value = reinterpret_cast<Value*>(head);
  head = head->next;
  return value;
}

bool is_of_another_thread(const Value* value) noexcept {
  const ThreadMemory* owner = slab_of(value)->owner.load(std::memory_order_acquire);
  return owner != nullptr && owner != t_state.memory;
}

void free_header(Value* value) noexcept {
  const int block = value->block;
  Slab* slab = slab_of(value);
  auto* freed = new (static_cast<void*>(value)) FreeBlock;
  if (slab->owner.load(std::memory_order_acquire) == t_state.memory) [[likely]] {
    freed->next = t_state.memory->free_values[block];
    t_state.memory->free_values[block] = freed;
    return;
  }
  FreeBlock* head = slab->foreign.load(std::memory_order_acquire);
  do {
    if (head == kClosed) {
      if (slab->orphans.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(slab);
      return;
    }
    freed->next = head;
  } while (!slab->foreign.compare_exchange_weak(head, freed, std::memory_order_acq_rel));
}

void trim_values() noexcept {
  // Counts each slab's free blocks; slabs that are wholly free go back to the system, but one a
  // class stays for the next tape.
  for (int block = 0; block < kValueClasses; ++block) {
    Slab*& first = t_state.memory->slabs[block];
    if (first == nullptr || first->next == nullptr) continue;
    for (Slab* slab = first; slab != nullptr; slab = slab->next) {
      reclaim(slab, block);
      slab->free = nullptr;
      slab->live = static_cast<std::uint32_t>(
          (slab->fresh - reinterpret_cast<std::byte*>(slab) - kSlabHeader) / slab->block_bytes);
    }
    for (FreeBlock* free = t_state.memory->free_values[block]; free != nullptr;) {
      FreeBlock* next = free->next;
      Slab* slab = slab_of(free);
      free->next = slab->free;
      slab->free = free;
      --slab->live;
      free = next;
    }
    t_state.memory->free_values[block] = nullptr;
    Slab* kept = nullptr;
    for (Slab* slab = first; slab != nullptr;) {
      Slab* next = slab->next;
      if (slab->live == 0 && kept != nullptr) {
        std::free(slab);
      } else {
        slab->next = kept;
        kept = slab;
        for (FreeBlock* free = slab->free; free != nullptr;) {
          FreeBlock* following = free->next;
          free->next = t_state.memory->free_values[block];
          t_state.memory->free_values[block] = free;
          free = following;
        }
      }
      slab = next;
    }
    first = kept;
  }
}

void retire_value_pool() noexcept {
  for (int block = 0; block < kValueClasses; ++block) {
    for (Slab* slab = t_state.memory->slabs[block]; slab != nullptr; slab = slab->next) {
      slab->live = static_cast<std::uint32_t>(
          (slab->fresh - reinterpret_cast<std::byte*>(slab) - kSlabHeader) / slab->block_bytes);
    }
    for (FreeBlock* free = t_state.memory->free_values[block]; free != nullptr; free = free->next) {
      --slab_of(free)->live;
    }
    t_state.memory->free_values[block] = nullptr;
    for (Slab* slab = t_state.memory->slabs[block]; slab != nullptr;) {
      Slab* next = slab->next;
      // Blocks still out are freed by whoever holds them; closing the list tells them how.
      slab->owner.store(nullptr, std::memory_order_release);
      slab->orphans.store(slab->live, std::memory_order_release);
      std::int64_t returned = 0;
      FreeBlock* free = slab->foreign.exchange(kClosed, std::memory_order_acq_rel);
      for (; free != nullptr; free = free->next) ++returned;
      if (slab->live == 0 || (returned > 0 && slab->orphans.fetch_sub(returned) == returned)) {
        std::free(slab);
      }
      slab = next;
    }
    t_state.memory->slabs[block] = nullptr;
  }
}

void attach_storage(Value* value, std::size_t bytes) {
  try {
    value->storage = allocate_storage(bytes);
  } catch (...) {
    free_header(value);
    throw;
  }
  value->data = value->storage->data;
}

namespace {

/// Memory for unusual sizes: zero, negative or beyond what can be counted.
[[gnu::noinline, gnu::cold]] void attach_unusual(Value* value) {
  std::size_t bytes;
  try {
    bytes = byte_count(value->dtype, {value->sizes(), value->rank});
  } catch (...) {
    free_header(value);
    throw;
  }
  if (bytes > 8) return attach_storage(value, bytes);
  value->flags |= Value::kInline;
  value->data = value->scalar;
}

}  // namespace

Value* new_dense(DType dtype, int rank, const std::int64_t* sizes) {
  Value* value = take_header(dtype, rank, false);
  std::int64_t count = 1;
  bool usual = true;
  for (int d = 0; d < rank; ++d) {
    const std::int64_t size = sizes[d];
    value->sizes()[d] = size;
    usual &= size > 0 && !__builtin_mul_overflow(count, size, &count);
  }
  if (usual && count <= kMostElements) [[likely]] {
    attach_data(value, count);
  } else {
    attach_unusual(value);
  }
  value->counts = Value::kHandle;
  return value;
}

Value* new_like(const Value* like) {
  const int rank = like->rank;
  Value* value = take_header(like->dtype, rank, false);
  for (int d = 0; d < rank; ++d) value->sizes()[d] = like->sizes()[d];
  const std::int64_t count = like->count();
  if (count <= kMostElements) [[likely]] {
    attach_data(value, count);
  } else {
    attach_unusual(value);
  }
  value->counts = Value::kHandle;
  return value;
}

Value* new_in_order_of(const Value* like, DType dtype) {
  const int rank = like->rank;
  if (!like->has(Value::kPermuted)) return new_dense(dtype, rank, like->sizes());
  Value* value = take_header(dtype, rank, true);
  value->flags |= Value::kPermuted;
  std::copy_n(like->sizes(), 2 * rank, value->sizes());  // strides follow the sizes
  attach_data(value, like->count());                     // two elements and more, and not too many
  value->counts = Value::kHandle;
  return value;
}

bool same_places_strided(const Value* a, const Value* b) noexcept {
  if (!a->has(Value::kPermuted) || !b->has(Value::kPermuted)) return false;
  const std::int64_t *sizes = a->sizes(), *first = a->strides(), *second = b->strides();
  for (int d = 0; d < a->rank; ++d) {
    if (sizes[d] != 1 && first[d] != second[d]) return false;
  }
  return true;
}

void settle(Value* value) noexcept {
  // Memory of the user's may be null where there are no elements, and is released all the same.
  if (value->data != nullptr || value->storage != nullptr) {
    if (!value->has(Value::kInline)) {  // inline elements stay: pictures print constants
      if (const Tape* tape = t_state.tape; tape != nullptr && tape->is_watched()) [[unlikely]] {
        tape->tell_released(value);
      }
      release(value->storage);
      value->storage = nullptr;
    }
    value->data = nullptr;
    value->flags |= Value::kReleased;
  }
  if (value->counts == 0) free_header(value);
}

}  // namespace wengert::detail
