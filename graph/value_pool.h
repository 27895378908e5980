#pragma once

#include <cstdint>

#include "wengert/graph/thread_state.h"
#include "wengert/graph/value.h"

// Where headers of values come from. Private to the library.
namespace wengert::detail {

/// A header for `rank` sizes (and strides), counts 0, no data, not recorded.
Value* take_header_slow(int block);
[[gnu::always_inline]] inline Value* take_header(DType dtype, int rank, bool strided) {
  const int block = (40 + 8 * rank * (strided ? 2 : 1) + 15) / 16;
  FreeBlock*& head = t_state.memory->free_values[block];
  Value* value;
  if (head != nullptr) [[likely]] {
    value = reinterpret_cast<Value*>(head);
    head = head->next;
  } else {
    value = take_header_slow(block);
  }
  value->counts = 0;
  value->dtype = dtype;
  value->rank = static_cast<std::uint8_t>(rank);
  value->flags = strided ? Value::kStrided : 0;
  value->block = static_cast<std::uint8_t>(block);
  value->version = 0;
  value->data = nullptr;
  value->storage = nullptr;
  value->id = kNoNode;
  value->serial = 0;
  return value;
}

/// Gives a header back.
void free_header(Value* value) noexcept;

/// Whether another thread, which still lives, made this header.
bool is_of_another_thread(const Value* value) noexcept;

/// Memory for more than 8 bytes of elements, from the storage pool. Where memory is out the header
/// goes back before the exception goes on.
void attach_storage(Value* value, std::size_t bytes);

/// Elements whose bytes can be counted whatever the dtype.
inline constexpr std::int64_t kMostElements = std::int64_t{1} << 59;

/// Memory for a header's elements, at most kMostElements: inline up to 8 bytes.
[[gnu::always_inline]] inline void attach_data(Value* value, std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(count) * size_of(value->dtype);
  if (bytes > 8) return attach_storage(value, bytes);
  value->flags |= Value::kInline;
  value->data = value->scalar;
}

/// A dense value with uninitialized elements and one handle.
Value* new_dense(DType dtype, int rank, const std::int64_t* sizes);

/// The same with another value's dtype and sizes.
Value* new_like(const Value* like);

/// With another value's sizes and, where it has no gaps, its order of axes.
Value* new_in_order_of(const Value* like, DType dtype);

/// Gives slabs without a live header back to the system, all but one a size; the calling thread's.
void trim_values() noexcept;

}  // namespace wengert::detail
