#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "wengert/graph/buffer.h"
#include "wengert/graph/hash_map.h"
#include "wengert/graph/tape.h"

// What a tape's nodes lie in; reused by a thread's next tape. Private to the library.
namespace wengert::detail {

struct TapeMemory final : Arena {
  static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;

  std::vector<Node*> chunks;
  std::vector<std::byte*> blocks;        ///< arena of attributes and long input lists
  std::vector<std::byte*> large_blocks;  ///< single allocations above a block's size
  std::size_t block = 0;                 ///< the block in use
  std::size_t used = 0;                  ///< bytes used in it
  HashMap<std::uint32_t, std::string> names;
  TextMap<std::uint32_t> named;  ///< the same the other way round
  /// Runs of nodes that were recorded for a derivative, in order of their first; they may nest.
  struct Derivative {
    std::uint32_t first, end, of;
  };
  std::vector<Derivative> derivatives;
  std::vector<std::shared_ptr<const void>> owned;
  /// Constants that stand for numbers, the latest of each place; of the tape `serial` alone.
  struct Number {
    std::uint64_t bits = 0;
    std::uint32_t serial = 0;
    std::uint32_t id = 0;
    DType from = DType::kFloat64, to = DType::kFloat64;
    /// Whether they are one constant, wherever it stands.
    friend bool operator==(const Number& a, const Number& b) {
      return a.bits == b.bits && a.serial == b.serial && a.from == b.from && a.to == b.to;
    }
  };
  static constexpr int kNumbers = 32;
  /// Where the constant for a number in a dtype is, or would be.
  Number& place_of(std::uint64_t bits, DType dtype) {
    const std::uint64_t mixed = (bits ^ static_cast<std::uint64_t>(dtype)) * 0x9e3779b97f4a7c15u;
    static_assert(kNumbers == 1 << (64 - 59));
    return numbers[mixed >> 59];
  }
  Number numbers[kNumbers];
  std::uint32_t absent = kNoNode;  ///< what stands for operands that are left out
  /// What a tape knows of a parameter.
  struct Known {
    std::uint32_t serial = 0;            ///< of the tape that knows it
    std::uint32_t leaf = kNoNode;        ///< that stands for it
    std::source_location declared = {};  ///< where a layer named it first; line 0: nowhere
  };
  /// By address, of this tape and earlier ones: most parameters are met again on the next.
  HashMap<const Parameter*, Known> parameters;
  const Parameter* last_met = nullptr;  ///< whose place in the table is `last_known`
  Known* last_known = nullptr;
  /// What the tape `serial` knows of it.
  Known& known(const Parameter& parameter, std::uint32_t serial) {
    if (last_met != &parameter) {
      last_known = &parameters[&parameter];
      last_met = &parameter;
    }
    if (last_known->serial != serial) *last_known = {.serial = serial};
    return *last_known;
  }
  HashMap<const Buffer*, std::uint32_t> leaf_of_buffer;
  BufferUpdates updates;  ///< that wait for the step
  BufferUpdates before;   ///< those that this tape starts after
  /// Leaves that an enclosing tape holds too, by that tape's value.
  HashMap<const Value*, std::uint32_t> alias_of;

  ~TapeMemory();
  /// Throws std::bad_alloc, and then has changed nothing.
  void* allocate(std::size_t bytes) override;
  void add_chunk();
  /// Takes every entry of nodes from `first` on out of the tables.
  void forget_from(std::uint32_t first) noexcept;
  /// Ready for the next tape; keeps a first chunk and block, gives the rest to the system when
  /// the tape was large.
  void clear();
};

}  // namespace wengert::detail
