#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/indexing/indices.h"

namespace wengert {
namespace ops {
namespace {

struct EmbeddingAttributes {
  bool pads = false;
  std::int64_t padding = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("pads", self.pads);
    v("padding", self.padding);
  }
};

void infer_embedding(InferContext& call) {
  const auto& attributes = call.attributes<EmbeddingAttributes>();
  if (call.rank(0) == 0) {
    call.fail(ErrorKind::kShape, "the table must have rows, got " + call.describe(0),
              "give it the shape [rows, features]");
  }
  require_indices(call, 1);
  const std::int64_t rows = call.size(0, 0);
  if (attributes.pads && (attributes.padding < -rows || attributes.padding >= rows)) {
    call.fail(ErrorKind::kIndex,
              "the padding index " + std::to_string(attributes.padding) + " is out of range for " +
                  std::to_string(rows) + " rows",
              rows == 0 ? "the table has none"
                        : "rows of " + call.describe(0) + " are named from " +
                              std::to_string(-rows) + " to " + std::to_string(rows - 1));
  }
  Shape shape = call.shape(1);
  for (int d = 1; d < call.rank(0); ++d) shape.push_back(call.size(0, d));
  call.output(call.dtype(0), shape);
}

void evaluate_embedding(EvalContext& call) {
  const DenseInput table(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const IndexReader index(call, indices.view(), table.view().sizes[0]);
  const std::int64_t count = indices.view().count();
  std::size_t bytes = size_of(out.dtype);
  for (int d = 1; d < table.view().rank; ++d) {
    bytes *= static_cast<std::size_t>(table.view().sizes[d]);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = index(i);  // checked also where rows are empty
    if (bytes == 0) continue;
    std::memcpy(out.data + static_cast<std::size_t>(i) * bytes,
                table.view().data + static_cast<std::size_t>(row) * bytes, bytes);
  }
}

/// Where indices [k] are not the padding index, and the others' cotangents [k, …] are 0.
Var without_padding(const VjpContext& c, const Var& indices, const Var& g) {
  const auto& attributes = c.attributes<EmbeddingAttributes>();
  if (!attributes.pads) return g;
  const std::int64_t rows = c.shape(0)[0];
  const std::int64_t padding =
      attributes.padding < 0 ? attributes.padding + rows : attributes.padding;
  const Var wide = cast(indices, DType::kInt64);  // the table may have more rows than int32
  Shape column;
  column.resize(g.rank(), 1);
  column[0] = indices.size(0);
  const Var pads = logical_or(equal(wide, padding), equal(wide, padding - rows));
  return where(reshape(pads, column), zeros_like(g), g);
}

void embedding_vjp(VjpContext& c) {
  const Var indices = reshape(c.input(1), {element_count(c.shape(1))});
  Shape sent = c.shape(0);
  sent[0] = indices.size(0);
  const Var g = without_padding(c, indices, reshape(c.cotangent(), sent));
  if (c.takes_rows(0)) return c.add_rows(0, indices, g);
  c.set(0, add_slices(c, 0, indices, g, 0));
}

}  // namespace

constinit const OpDef embedding_op = {
    .name = "embedding",
    .doc = {.summary = "Looks rows of a table up.",
            .formula = "y[i…, …] = table[indices[i…], …]",
            .arguments =
                "table: [rows, …] of any dtype; indices: int32 or int64 of any shape, "
                "negative from the back, out of range is an error; padding: an index whose "
                "row is looked up like others but learns nothing",
            .gradient = "the cotangents added up where their rows came from, none at the padding "
                        "index. A table that is a leaf gets them as rows: backward and the "
                        "optimizer then cost as much as was looked up",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},  // not said to be linear: the padding row's derivative is left out
    .infer = infer_embedding,
    .evaluate = evaluate_embedding,
    .vjp = embedding_vjp,
    .attributes = &attribute_type<EmbeddingAttributes>,
    .default_attributes = &default_attributes_of<EmbeddingAttributes>,
};

}  // namespace ops

Var embedding(const Var& table, const Var& indices, std::optional<std::int64_t> padding,
              std::source_location where) {
  return apply(ops::embedding_op, {&table, &indices},
               ops::EmbeddingAttributes{padding.has_value(), padding.value_or(0)}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/indexing/index_tests.h"

WENGERT_OP_TESTS(embedding) {
  OpTests tests = moving_tests();
  for (const DType dtype : {DType::kInt64, DType::kInt32}) {
    add_sample(
        tests, "matrix of indices, " + std::string(name_of(dtype)),
        {spread({4, 2}, -1, 1), sample_indices().to(dtype)},
        [](std::span<const Var> x) { return embedding(x[0], x[1]); },
        [](std::span<const Tensor> x) {
          return by_index({2, 3, 2}, [&](const Dims& i) {
            return element(x[0], {wrap(element(x[1], {i[0], i[1]}), 4), i[2]});
          });
        });
  }
  add_sample(
      tests, "of a vector, one index", {spread({3}, -1, 1), Tensor::scalar(std::int64_t{-1})},
      [](std::span<const Var> x) { return embedding(x[0], x[1]); },
      [](std::span<const Tensor> x) { return Tensor::from({x[0].at(2)}, {}); });
  // Looked up like any other row; differences see that, the gradient leaves it out.
  add_sample(
      tests, "the padding row",
      {spread({3, 2}, -1, 1), Tensor::from<std::int64_t>({2, -2, 1}, {3})},
      [](std::span<const Var> x) { return embedding(x[0], x[1], 1); },
      [](std::span<const Tensor> x) {
        return by_index({3, 2}, [&](const Dims& i) {
          return element(x[0], {wrap(element(x[1], {i[0]}), 3), i[1]});
        });
      });
  tests.samples.back().smooth = false;
  add_sample(
      tests, "long", {spread({3001, 3}, -1, 1), long_indices({7001, 2}, 3001)},
      [](std::span<const Var> x) { return embedding(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({7001, 2, 3}, [&](const Dims& i) {
          return element(x[0], {wrap(element(x[1], {i[0], i[1]}), 3001), i[2]});
        });
      });
  const Tensor three = Tensor::from<std::int64_t>({2, -1, 0}, {3});
  tests.rejected = {{"index",
                     [=] {
                       (void)embedding(zeros32({2, 3}), three);
                     },
                     ErrorKind::kIndex, "index 2 at position 0 is out of range for size 2"},
                    {"scalar table", [=] { (void)embedding(zeros32({}), three); },
                     ErrorKind::kShape, "the table must have rows, got f32[]"},
                    {"padding",
                     [=] {
                       (void)embedding(zeros32({3, 2}), three, 3);
                     },
                     ErrorKind::kIndex, "the padding index 3 is out of range for 3 rows"},
                    {"dtype",
                     [] {
                       (void)embedding(zeros32({2, 3}), zeros32({2}));
                     },
                     ErrorKind::kDType, "indices must be int32 or int64, got f32[2]"}};
  return tests;
}
#endif
