#include "wengert/optim/training/split.h"

#include <numeric>

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

Split split_examples(std::int64_t count, std::int64_t validation, std::uint64_t seed,
                     std::source_location where) {
  const detail::CallSite site(where);
  if (validation < 0 || validation >= count) {
    throw Error(ErrorKind::kValue, "split_examples",
                std::to_string(validation) + " of " + std::to_string(count) +
                    " examples cannot be held out",
                "hold out fewer than there are");
  }
  const std::vector<std::int64_t> order = permutation(count, seed, "split", 0);
  Split split;
  split.validation.assign(order.begin(), order.begin() + validation);
  split.train.assign(order.begin() + validation, order.end());
  return split;
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
