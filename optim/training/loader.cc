#include "wengert/optim/training/loader.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::optim {
namespace {

/// Rows of a dense tensor.
Tensor rows_of(const Tensor& from, std::span<const std::int64_t> rows_wanted) {
  Shape shape = from.shape();
  shape[0] = static_cast<std::int64_t>(rows_wanted.size());
  Tensor rows = Tensor::empty(shape, from.dtype());
  const std::size_t bytes =
      static_cast<std::size_t>(from.element_count() / from.size(0)) * size_of(from.dtype());
  const WriteGuard guard(rows, "Loader");
  std::byte* to = guard.data();
  if (bytes == 0) return rows;
  for (const std::int64_t row : rows_wanted) {
    std::memcpy(to, from.data() + static_cast<std::size_t>(row) * bytes, bytes);
    to += bytes;
  }
  return rows;
}

template <class T>
void scale_into(const Tensor& from, float scale, float* to) {
  const std::span<const T> values = from.span<T>();
  for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<float>(values[i]) * scale;
}

Tensor scaled(const Tensor& from, double scale) {
  Tensor result = Tensor::empty(from.shape(), DType::kFloat32);
  {
    const WriteGuard guard(result, "Loader");
    float* to = guard.span<float>().data();
    const auto factor = static_cast<float>(scale);
    if (from.dtype() == DType::kUint8) {
      scale_into<std::uint8_t>(from, factor, to);
    } else if (from.dtype() == DType::kFloat32) {
      scale_into<float>(from, factor, to);
    } else {
      scale_into<double>(from.to(DType::kFloat64), factor, to);
    }
  }
  return result;
}

}  // namespace

// ---------------------------------------------------------------------------- batching

Batching::Batching(std::vector<std::int64_t> indices, const LoaderOptions& options)
    : indices_(std::move(indices)), options_(options) {
  if (options.batch_size < 1) {
    throw Error(ErrorKind::kValue, "Loader", "batches of " + std::to_string(options.batch_size),
                "a batch has at least 1 example");
  }
  if (!(options.scale > 0) || std::isinf(options.scale)) {
    throw Error(ErrorKind::kValue, "Loader", "a scale of " + format_number(options.scale));
  }
  if (indices_.empty()) throw Error(ErrorKind::kValue, "Loader", "there are no examples");
  if (batch_count() < 1) {
    throw Error(ErrorKind::kValue, "Loader",
                std::to_string(example_count()) + " examples are no batch of " +
                    std::to_string(options.batch_size) + ", and drop_last leaves out the rest",
                "choose smaller batches");
  }
}

std::int64_t Batching::batch_count() const {
  const std::int64_t whole = example_count() / options_.batch_size;
  const bool rest = example_count() % options_.batch_size != 0 && !options_.drop_last;
  return whole + (rest ? 1 : 0);
}

std::span<const std::int64_t> Batching::examples(std::int64_t epoch, std::int64_t index) const {
  if (epoch < 1 || index < 0 || index >= batch_count()) {
    throw Error(ErrorKind::kIndex, "Loader",
                "batch " + std::to_string(index) + " of epoch " + std::to_string(epoch),
                "epochs count from 1, and one has " + std::to_string(batch_count()) + " batches");
  }
  if (options_.shuffle && epoch_ != epoch) {
    order_ = shuffled(indices_, options_.seed, epoch);
    epoch_ = epoch;
  }
  const std::vector<std::int64_t>& order = options_.shuffle ? order_ : indices_;
  const std::int64_t begin = index * options_.batch_size;
  const std::int64_t end = std::min(example_count(), begin + options_.batch_size);
  return std::span(order).subspan(static_cast<std::size_t>(begin),
                                  static_cast<std::size_t>(end - begin));
}

// ---------------------------------------------------------------------------- arrays

namespace {

std::int64_t length_of(const char* owner, const char* what, const Tensor& tensor) {
  if (tensor.rank() > 0) return tensor.size(0);
  throw Error(ErrorKind::kShape, owner, std::string(what) + " are a single number",
              "axis 0 counts examples");
}

/// The tensors dense, one row an example.
Batch checked(Batch data) {
  const std::int64_t examples = length_of("ArrayLoader", "inputs", data.inputs);
  const auto take = [&](const char* what, Tensor& tensor) {
    if (length_of("ArrayLoader", what, tensor) != examples) {
      throw Error(
          ErrorKind::kShape, "ArrayLoader",
          std::to_string(examples) + " inputs and " + std::to_string(tensor.size(0)) + " " + what,
          "axis 0 counts examples");
    }
    tensor = tensor.contiguous();
  };
  take("inputs", data.inputs);
  take("targets", data.targets);
  if (data.lengths) take("lengths", *data.lengths);
  if (data.weights) take("weights", *data.weights);
  return data;
}

std::vector<std::int64_t> checked(std::optional<std::vector<std::int64_t>> indices,
                                  std::int64_t examples) {
  if (!indices) return all_examples(examples);
  for (const std::int64_t i : *indices) {
    if (i >= 0 && i < examples) continue;
    throw Error(ErrorKind::kIndex, "ArrayLoader",
                "example " + std::to_string(i) + " of " + std::to_string(examples));
  }
  return std::move(*indices);
}

}  // namespace

ArrayLoader::ArrayLoader(Batch data, LoaderOptions options,
                         std::optional<std::vector<std::int64_t>> indices,
                         std::source_location where)
    : data_([&] {
        const detail::CallSite site(where);
        return checked(std::move(data));
      }()),
      batching_([&] {
        const detail::CallSite site(where);
        return Batching(checked(std::move(indices), data_.count()), options);
      }()) {}

Batch ArrayLoader::gather(std::span<const std::int64_t> rows) const {
  const double scale = batching_.options().scale;
  Batch batch{rows_of(data_.inputs, rows), rows_of(data_.targets, rows)};
  if (scale != 1) batch.inputs = scaled(batch.inputs, scale);
  if (data_.lengths) batch.lengths = rows_of(*data_.lengths, rows);
  if (data_.weights) batch.weights = rows_of(*data_.weights, rows);
  return batch;
}

// ---------------------------------------------------------------------------- sequences

namespace {

using Sequences = SequenceLoader::Sequences;

void make_alike(const char* what, std::vector<Tensor>& sequences) {
  const Tensor first = sequences.at(0);
  for (Tensor& sequence : sequences) {
    bool alike =
        sequence.dtype() == first.dtype() && sequence.rank() == first.rank() && sequence.rank() > 0;
    for (int d = 1; alike && d < first.rank(); ++d) alike = sequence.size(d) == first.size(d);
    if (!alike) {
      throw Error(sequence.dtype() == first.dtype() ? ErrorKind::kShape : ErrorKind::kDType,
                  "SequenceLoader",
                  std::string(what) + " are " + to_string(first.dtype(), first.shape()) + " and " +
                      to_string(sequence.dtype(), sequence.shape()),
                  "sequences differ in axis 0 alone");
    }
    sequence = sequence.contiguous();
  }
}

void check_padding(const char* what, const ExactNumber& padding, DType dtype) {
  if (padding.is_held_by(dtype)) return;
  throw Error(ErrorKind::kValue, "SequenceLoader",
              std::string(what) + " are " + std::string(name_of(dtype)) + ", which holds no " +
                  padding.str() + " for padding",
              "choose a padding that it holds, or give int64");
}

Sequences checked(Sequences data) {
  const auto count = static_cast<std::int64_t>(data.inputs.size());
  if (count == 0) throw Error(ErrorKind::kValue, "SequenceLoader", "there are no sequences");
  make_alike("inputs", data.inputs);
  check_padding("inputs", data.input_padding, data.inputs[0].dtype());
  if (data.targets.has_value() == !data.target_sequences.empty()) {
    throw Error(ErrorKind::kValue, "SequenceLoader",
                data.targets ? "there are targets and target sequences" : "there are no targets",
                "give one of them");
  }
  if (data.targets) {
    if (length_of("SequenceLoader", "targets", *data.targets) != count) {
      throw Error(ErrorKind::kShape, "SequenceLoader",
                  std::to_string(count) + " sequences, targets " +
                      to_string(data.targets->dtype(), data.targets->shape()),
                  "axis 0 counts sequences");
    }
    data.targets = data.targets->contiguous();
    return data;
  }
  make_alike("targets", data.target_sequences);
  check_padding("targets", data.target_padding, data.target_sequences[0].dtype());
  for (std::size_t i = 0; i < std::max(data.inputs.size(), data.target_sequences.size()); ++i) {
    if (i == data.inputs.size()) {
      throw Error(ErrorKind::kShape, "SequenceLoader",
                  std::to_string(i) + " inputs and " +
                      std::to_string(data.target_sequences.size()) + " target sequences",
                  "each input has its target");
    }
    const bool there = i < data.target_sequences.size();
    const std::int64_t length = data.inputs[i].size(0);
    if (there && data.target_sequences[i].size(0) == length) continue;
    throw Error(ErrorKind::kShape, "SequenceLoader",
                "sequence " + std::to_string(i) + " has " + std::to_string(length) +
                    " inputs and " +
                    (there ? std::to_string(data.target_sequences[i].size(0)) : "no") + " targets",
                "each input has its target");
  }
  return data;
}

/// [B, T, …]: the sequences, padded at the end.
Tensor padded(const std::vector<Tensor>& sequences, std::span<const std::int64_t> wanted,
              const ExactNumber& padding) {
  std::int64_t longest = 0;
  const auto sequence = [&](std::int64_t i) -> const Tensor& {
    return sequences[static_cast<std::size_t>(i)];
  };
  for (const std::int64_t i : wanted) longest = std::max(longest, sequence(i).size(0));
  const auto count = static_cast<std::int64_t>(wanted.size());
  Shape shape = {count, longest};
  for (int d = 1; d < sequences[0].rank(); ++d) shape.push_back(sequences[0].size(d));
  Tensor result = Tensor::full(shape, padding, sequences[0].dtype());
  const std::size_t width = size_of(result.dtype());
  const auto bytes = static_cast<std::size_t>(result.element_count() / count) * width;
  const WriteGuard guard(result, "SequenceLoader");
  std::byte* to = guard.data();
  for (const std::int64_t i : wanted) {
    const auto used = static_cast<std::size_t>(sequence(i).element_count()) * width;
    if (used > 0) std::memcpy(to, sequence(i).data(), used);
    to += bytes;
  }
  return result;
}

}  // namespace

SequenceLoader::SequenceLoader(Sequences data, LoaderOptions options, std::source_location where)
    : data_([&] {
        const detail::CallSite site(where);
        return checked(std::move(data));
      }()),
      batching_([&] {
        const detail::CallSite site(where);
        return Batching(all_examples(static_cast<std::int64_t>(data_.inputs.size())), options);
      }()) {
  const detail::CallSite site(where);
  if (options.scale != 1) {
    throw Error(ErrorKind::kValue, "SequenceLoader", "sequences are not scaled",
                "scale them beforehand");
  }
}

Batch SequenceLoader::batch(std::int64_t epoch, std::int64_t index) const {
  const std::span<const std::int64_t> wanted = batching_.examples(epoch, index);
  Batch batch{padded(data_.inputs, wanted, data_.input_padding),
              data_.targets ? rows_of(*data_.targets, wanted)
                            : padded(data_.target_sequences, wanted, data_.target_padding)};
  std::vector<std::int64_t> lengths;
  for (const std::int64_t i : wanted) {
    lengths.push_back(data_.inputs[static_cast<std::size_t>(i)].size(0));
  }
  batch.lengths = Tensor::from(lengths, {static_cast<std::int64_t>(lengths.size())});
  return batch;
}

}  // namespace wengert::optim
