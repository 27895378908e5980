#include "wengert/optim/dataset.h"

#include <cstring>
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

void copy_scaled(const std::uint8_t* from, float* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]) * (1.0f / 255.0f);
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

std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& indices, std::uint64_t seed,
                                   std::int64_t epoch) {
  const auto order = permutation(static_cast<std::int64_t>(indices.size()), seed, "shuffle", epoch);
  std::vector<std::int64_t> result;
  result.reserve(indices.size());
  for (std::int64_t i : order) result.push_back(indices[static_cast<std::size_t>(i)]);
  return result;
}

Batch gather_batch(const Examples& examples, const std::vector<std::int64_t>& indices,
                   std::int64_t begin, std::int64_t end, std::source_location where) {
  const detail::CallSite site(where);
  const Tensor& inputs = examples.inputs;
  if (inputs.dtype() != DType::kUint8 && inputs.dtype() != DType::kFloat32) {
    throw Error(ErrorKind::kDType, "gather_batch",
                "inputs are " + to_string(inputs.dtype(), inputs.shape()),
                "give uint8 (scaled to [0, 1]) or float32");
  }
  const Tensor& truth = examples.labels;
  if (is_floating(truth.dtype()) || truth.dtype() == DType::kBool) {
    throw Error(ErrorKind::kDType, "gather_batch",
                "labels are " + to_string(truth.dtype(), truth.shape()), "give integers");
  }
  if (inputs.rank() < 1 || truth.rank() != 1 || truth.size(0) != inputs.size(0)) {
    throw Error(ErrorKind::kShape, "gather_batch",
                "inputs are " + to_string(inputs.dtype(), inputs.shape()) + ", labels " +
                    to_string(truth.dtype(), truth.shape()),
                "give inputs [N, …] and labels [N]");
  }
  const auto listed = static_cast<std::int64_t>(indices.size());
  if (begin < 0 || end < begin || end > listed) {
    throw Error(ErrorKind::kIndex, "gather_batch",
                "positions " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
                    std::to_string(listed));
  }
  const std::int64_t count = examples.count();
  const std::int64_t features = count > 0 ? inputs.element_count() / count : 0;
  Tensor batch = Tensor::empty({end - begin, features}, DType::kFloat32);
  Tensor labels = Tensor::empty({end - begin}, DType::kInt64);
  const WriteGuard rows(batch, "gather_batch"), classes(labels, "gather_batch");
  const auto bytes = static_cast<std::int64_t>(size_of(inputs.dtype()));
  const Tensor dense = inputs.contiguous();
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t index = indices[static_cast<std::size_t>(i)];
    if (index < 0 || index >= count) {
      throw Error(ErrorKind::kIndex, "gather_batch",
                  "example " + std::to_string(index) + " of " + std::to_string(count));
    }
    float* to = rows.span<float>().data() + (i - begin) * features;
    const std::byte* from = dense.data() + index * features * bytes;
    if (inputs.dtype() == DType::kUint8) {
      copy_scaled(reinterpret_cast<const std::uint8_t*>(from), to, features);
    } else {
      std::memcpy(to, from, static_cast<std::size_t>(features * bytes));
    }
    classes.span<std::int64_t>()[static_cast<std::size_t>(i - begin)] =
        static_cast<std::int64_t>(examples.labels.at(index));
  }
  return {batch, labels};
}

}  // namespace wengert::optim
