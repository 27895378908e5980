#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

// The library's tables. Private to the library.
namespace wengert::detail {

/// A hash table in which a failed insertion changes nothing: what runs out of memory in between can
/// be done again. (Abseil's tables are left broken by a failed allocation, also one of reserve().)
template <class Key, class Value>
using HashMap = std::unordered_map<Key, Value>;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

/// The same by text, found by any kind of string.
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

/// Adds `item` to a list under the number that it gets there, and `key` → that number to its table:
/// both or neither. Gives the number, the known one where the table has the key.
template <class Map, class List>
std::size_t number_in(Map& numbers, const typename Map::key_type& key, List& list) {
  if (const auto known = numbers.find(key); known != numbers.end()) return known->second;
  const std::size_t number = list.size();
  list.emplace_back();
  try {
    numbers.emplace(key, number);
  } catch (...) {
    list.pop_back();
    throw;
  }
  return number;
}

}  // namespace wengert::detail
