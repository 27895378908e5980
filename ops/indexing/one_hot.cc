#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>

#include "wengert/ops/creation/checks.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/indexing/indices.h"

namespace wengert {
namespace ops {
namespace {

struct OneHotAttributes {
  std::int64_t classes;
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("classes", self.classes);
    v("dtype", self.dtype);
  }
};

void infer_one_hot(InferContext& call) {
  const auto& attributes = call.attributes<OneHotAttributes>();
  require_indices(call, 0);
  if (attributes.classes < 1) {
    call.fail(ErrorKind::kValue, std::to_string(attributes.classes) + " classes",
              "there is at least one");
  }
  Shape shape = call.shape(0);
  shape.push_back(attributes.classes);
  output_of_sizes(call, attributes.dtype, shape);
}

void evaluate_one_hot(EvalContext& call) {
  const std::int64_t classes = call.attributes<OneHotAttributes>().classes;
  const DenseInput indices(call.input(0));
  const TensorView out = call.output();
  const std::int64_t count = indices.view().count();
  std::memset(out.data, 0, static_cast<std::size_t>(count * classes) * size_of(out.dtype));
  const auto index = [&](std::int64_t i) {
    return indices.view().dtype == DType::kInt32 ? indices.view().as<std::int32_t>()[i]
                                                 : indices.view().as<std::int64_t>()[i];
  };
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (index(i) < 0 || index(i) >= classes) {
        call.fail(ErrorKind::kIndex,
                  "index " + std::to_string(index(i)) + " at position " + std::to_string(i) +
                      " is no class of " + std::to_string(classes),
                  "classes count from 0");
      }
      out.as<T>()[i * classes + index(i)] = T(1);
    }
  });
}

}  // namespace

constinit const OpDef one_hot_op = {
    .name = "one_hot",
    .doc = {.summary = "Class indices as rows with a single 1.",
            .formula = "y[…, c] = 1 where c = indices[…], else 0",
            .arguments = "indices: int32 or int64 from 0, others than classes are an error, "
                         "negative ones too; classes ≥ 1; dtype: of the result",
            .gradient = "none: indices have no gradient",
            .source = "elementary"},
    .infer = infer_one_hot,
    .evaluate = evaluate_one_hot,
    .attributes = &attribute_type<OneHotAttributes>,
};

}  // namespace ops

Var one_hot(const Var& indices, std::int64_t classes, DType dtype, std::source_location where) {
  return apply(ops::one_hot_op, {&indices}, ops::OneHotAttributes{classes, dtype}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/indexing/index_tests.h"

namespace {

/// Indices of four classes with negative ones counted from the front.
wengert::Tensor classes_of(const wengert::Tensor& indices) {
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < indices.element_count(); ++i) {
    classes.push_back(wengert::testing::wrap(indices.at(i), 4));
  }
  return wengert::Tensor::from(classes, indices.shape());
}

}  // namespace

WENGERT_OP_TESTS(one_hot) {
  OpTests tests;
  tests.order = 0;
  add_sample(
      tests, "matrix of indices", {classes_of(sample_indices())},
      [](std::span<const Var> x) { return one_hot(x[0], 4, DType::kFloat64); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3, 4}, [&](const Dims& i) {
          return element(x[0], {i[0], i[1]}) == static_cast<double>(i[2]) ? 1.0 : 0.0;
        });
      });
  add_sample(
      tests, "long", {classes_of(long_indices({9001}, 4))},
      [](std::span<const Var> x) { return one_hot(x[0], 4, DType::kFloat64); },
      [](std::span<const Tensor> x) {
        return by_index({9001, 4}, [&](const Dims& i) {
          return x[0].at(i[0]) == static_cast<double>(i[1]) ? 1.0 : 0.0;
        });
      });
  tests.rejected = {
      {"index", [] { return one_hot(classes_of(sample_indices()), 3); }, ErrorKind::kIndex,
       "index 3 at position 3 is no class of 3"},
      {"negative index", [] { return one_hot(sample_indices(), 4); }, ErrorKind::kIndex,
       "index -1 at position 3 is no class of 4"},
      {"classes", [] { return one_hot(sample_indices(), 0); }, ErrorKind::kValue, "0 classes"},
      {"dtype", [] { return one_hot(zeros32({2}), 3); }, ErrorKind::kDType,
       "indices must be int32 or int64, got f32[2]"}};
  return tests;
}
#endif
