#include "wengert/optim/training/split.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/random_stream.h"

namespace wengert::optim {
namespace {

std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed,
                                      std::string_view stream_name, std::int64_t draw) {
  RandomStream stream(seed, stream_name);
  stream.set_counter(static_cast<std::uint64_t>(draw));
  const NoGrad off;
  return random_permutation(stream, count).value().to_vector<std::int64_t>();
}

}  // namespace

namespace {

/// Takes `part` of the examples out of `from`, evenly along its order.
std::vector<std::int64_t> taken_evenly(std::vector<std::int64_t>& from, std::int64_t part) {
  const auto count = static_cast<std::int64_t>(from.size());
  std::vector<std::int64_t> taken, left;
  std::int64_t filled = 0;  // (j·part) mod count
  for (const std::int64_t example : from) {
    filled += part;
    const bool takes = filled >= count;
    if (takes) filled -= count;
    (takes ? taken : left).push_back(example);
  }
  from = std::move(left);
  return taken;
}

/// Examples in random order, those of a label behind each other.
std::vector<std::int64_t> by_label(const std::vector<std::int64_t>& labels, std::uint64_t seed) {
  auto order = permutation(static_cast<std::int64_t>(labels.size()), seed, "split", 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return labels[static_cast<std::size_t>(a)] < labels[static_cast<std::size_t>(b)];
  });
  return order;
}

void check_held_out(const char* op, std::int64_t count, HeldOut held_out) {
  // Without a sum, which could overflow.
  if (held_out.validation >= 0 && held_out.test >= 0 && held_out.validation < count &&
      held_out.test < count - held_out.validation) {
    return;
  }
  throw Error(ErrorKind::kValue, op,
              std::to_string(held_out.validation) + " for validation and " +
                  std::to_string(held_out.test) + " for a test cannot be held out of " +
                  std::to_string(count) + " examples",
              "hold out fewer than there are");
}

void check_folds(const char* op, std::int64_t count, std::int64_t folds) {
  if (folds >= 2 && folds <= count) return;
  throw Error(ErrorKind::kValue, op,
              std::to_string(folds) + " folds of " + std::to_string(count) + " examples",
              "take at least two and at most as many as there are");
}

/// Every k-th of the order makes a fold.
std::vector<Split> dealt(const std::vector<std::int64_t>& order, std::int64_t folds) {
  std::vector<Split> splits(static_cast<std::size_t>(folds));
  for (std::size_t place = 0; place < order.size(); ++place) {
    for (std::size_t fold = 0; fold < splits.size(); ++fold) {
      auto& part = place % splits.size() == fold ? splits[fold].validation : splits[fold].train;
      part.push_back(order[place]);
    }
  }
  return splits;
}

}  // namespace

Split split_examples(std::int64_t count, HeldOut held_out, std::uint64_t seed,
                     std::source_location where) {
  const detail::CallSite site(where);
  check_held_out("split_examples", count, held_out);
  const std::vector<std::int64_t> order = permutation(count, seed, "split", 0);
  const auto validation = order.begin() + held_out.validation, test = validation + held_out.test;
  return {{test, order.end()}, {order.begin(), validation}, {validation, test}};
}

Split split_stratified(const std::vector<std::int64_t>& labels, HeldOut held_out,
                       std::uint64_t seed, std::source_location where) {
  const detail::CallSite site(where);
  check_held_out("split_stratified", static_cast<std::int64_t>(labels.size()), held_out);
  Split split;
  split.train = by_label(labels, seed);
  split.test = taken_evenly(split.train, held_out.validation + held_out.test);
  split.validation = taken_evenly(split.test, held_out.validation);
  return split;
}

std::vector<Split> k_folds(std::int64_t count, std::int64_t folds, std::uint64_t seed,
                           std::source_location where) {
  const detail::CallSite site(where);
  check_folds("k_folds", count, folds);
  return dealt(permutation(count, seed, "split", 0), folds);
}

std::vector<Split> stratified_k_folds(const std::vector<std::int64_t>& labels, std::int64_t folds,
                                      std::uint64_t seed, std::source_location where) {
  const detail::CallSite site(where);
  check_folds("stratified_k_folds", static_cast<std::int64_t>(labels.size()), folds);
  return dealt(by_label(labels, seed), folds);
}

std::vector<std::int64_t> all_examples(std::int64_t count, std::source_location where) {
  const detail::CallSite site(where);
  if (count < 0) {
    throw Error(ErrorKind::kValue, "all_examples", std::to_string(count) + " examples");
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& indices, std::uint64_t seed,
                                   std::int64_t epoch) {
  const auto order = permutation(static_cast<std::int64_t>(indices.size()), seed, "shuffle", epoch);
  std::vector<std::int64_t> result;
  result.reserve(indices.size());
  for (std::int64_t i : order) result.push_back(indices[static_cast<std::size_t>(i)]);
  return result;
}

}  // namespace wengert::optim
