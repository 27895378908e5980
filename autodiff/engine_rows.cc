#include <algorithm>
#include <utility>

#include "wengert/autodiff/engine.h"
#include "wengert/ops/ops.h"

// Gradients of a few rows on their way: what lookups send to a leaf waits in the order in which it
// came, and is added up once, when all of it is there.
namespace wengert {

using detail::Node;
using detail::Value;

bool Engine::takes_rows(std::uint32_t id) const {
  const Node& node = tape_.node(id);
  if (node.input_count > 0 || node.output > 0 || node.value->rank == 0) return false;
  return all_take_rows_ ||
         std::find(row_takers_.begin(), row_takers_.end(), id) != row_takers_.end();
}

Engine::LeafRows* Engine::rows_of(std::uint32_t leaf) {
  for (LeafRows& rows : rows_) {
    if (rows.leaf == leaf) return &rows;
  }
  return nullptr;
}

void Engine::add_rows(std::uint32_t leaf, detail::RowPart part) {
  LeafRows* known = rows_of(leaf);
  if (known == nullptr) known = &rows_.emplace_back(LeafRows{leaf, {}, {}});
  known->parts.push_back(std::move(part));
}

std::vector<detail::RowPart> Engine::extract_rows(std::uint32_t leaf) {
  LeafRows* rows = rows_of(leaf);
  return rows == nullptr ? std::vector<detail::RowPart>() : std::exchange(rows->parts, {});
}

void Engine::settle_rows() {
  for (LeafRows& rows : rows_) settle_rows(rows);
}

void Engine::settle_rows(LeafRows& rows) {
  if (rows.parts.empty()) return;
  const Value* target = tape_.node(rows.leaf).value;
  const Shape shape = tape_.shape(rows.leaf);
  const detail::SortedRows sum = detail::sum_rows(rows.parts, shape, target->dtype);
  rows.parts.clear();
  Value*& slot = table_[rows.leaf];
  if (slot == nullptr) {
    rows.sum = Gradient(sum.indices, sum.rows, shape[0]);
    return;
  }
  if (!detail::is_sole_owner(slot) || slot->has(Value::kStrided)) {
    Var copy = Var::share(slot).value().clone();
    detail::drop(std::exchange(slot, copy.release()));
  }
  detail::add_rows(static_cast<std::byte*>(slot->data), sum);
}

}  // namespace wengert
