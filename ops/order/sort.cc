#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <numeric>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

struct SortAttributes {
  std::int64_t axis = -1;
  bool descending = false;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
    v("descending", self.descending);
  }
};

struct TopkAttributes {
  std::int64_t k, axis;
  bool largest;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("k", self.k);
    v("axis", self.axis);
    v("largest", self.largest);
  }
};

void infer_sort(InferContext& call) {
  call.canonical_axis(&SortAttributes::axis, call.rank(0));
  call.output(call.dtype(0), call.shape(0));
  call.output(DType::kInt64, call.shape(0));
}

void infer_topk(InferContext& call) {
  const int axis = call.canonical_axis(&TopkAttributes::axis, call.rank(0));
  const auto& attributes = call.attributes<TopkAttributes>();
  Shape shape = call.shape(0);
  if (attributes.k < 0 || attributes.k > shape[axis]) {
    call.fail(ErrorKind::kValue, "k = " + std::to_string(attributes.k) + " of " +
                                     std::to_string(shape[axis]) + " elements along axis " +
                                     std::to_string(attributes.axis) + " of " + call.describe(0));
  }
  shape[axis] = attributes.k;
  call.output(call.dtype(0), shape);
  call.output(DType::kInt64, shape);
}

/// Strict order of positions: by value, NaN last either way, then by position.
template <class T>
struct Before {
  const T* line;
  std::int64_t step;
  bool descending;
  bool operator()(std::int64_t a, std::int64_t b) const {
    const T x = line[a * step], y = line[b * step];
    const bool nan_x = x != x, nan_y = y != y;
    if (nan_x || nan_y) return nan_x == nan_y ? a < b : nan_y;
    if (x == y) return a < b;
    return descending ? y < x : x < y;
  }
};

/// The first k positions in order along each line, and the values there.
void select(EvalContext& call, int axis, std::int64_t k, bool descending) {
  const DenseInput x(call.input(0));
  const TensorView values = call.output(0), indices = call.output(1);
  const Lines from(x.view(), axis), to(values, axis);
  if (from.count == 0 || k == 0) return;
  dispatch(values.dtype, [&]<class T>(T) {
    const auto one_line = [&](std::int64_t l, std::vector<std::int64_t>& order) {
      const T* line = x.view().as<T>() + from.start(l);
      std::iota(order.begin(), order.end(), std::int64_t{0});
      const Before<T> before{line, from.step, descending};
      const auto end = order.begin() + static_cast<std::ptrdiff_t>(k);
      if (k < from.length) {
        std::partial_sort(order.begin(), end, order.end(), before);
      } else {
        std::sort(order.begin(), order.end(), before);  // positions break ties: stable
      }
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t at = to.start(l) + i * to.step;
        indices.as<std::int64_t>()[at] = order[static_cast<std::size_t>(i)];
        values.as<T>()[at] = line[order[static_cast<std::size_t>(i)] * from.step];
      }
    };
    const std::int64_t part = std::max<std::int64_t>(1, 4096 / from.length);
    WENGERT_SPLIT(SortTasks, from.count, part);
    kernels::parallel_for((from.count + part - 1) / part, [&](std::int64_t task) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(from.length));
      const std::int64_t end = std::min(from.count, (task + 1) * part);
      for (std::int64_t l = task * part; l < end; ++l) one_line(l, order);
    });
  });
}

void evaluate_sort(EvalContext& call) {
  const auto& attributes = call.attributes<SortAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  select(call, axis, call.size(0, axis), attributes.descending);
}

void evaluate_topk(EvalContext& call) {
  const auto& attributes = call.attributes<TopkAttributes>();
  select(call, static_cast<int>(attributes.axis), attributes.k, attributes.largest);
}

void set_placed(VjpContext& c, std::int64_t axis) {
  const Var g = c.cotangent(0);
  if (!g.has_value()) return;
  const Var zeros = Tensor::zeros(c.shape(0), g.dtype());
  c.set(0, scatter_add(zeros, c.output(1), g, static_cast<int>(axis)));
}

void sort_vjp(VjpContext& c) { set_placed(c, c.attributes<SortAttributes>().axis); }
void topk_vjp(VjpContext& c) { set_placed(c, c.attributes<TopkAttributes>().axis); }

}  // namespace

constinit const OpDef sort_op = {
    .name = "sort",
    .doc = {.summary = "Sorts along an axis, and says where each element came from.",
            .formula = "values[i] = x[indices[i]], values ascending or descending",
            .arguments = "x: any dtype; axis: negative from the back. Stable both ways: equal "
                         "elements keep their order; NaN comes last both ways. Gives {values, "
                         "indices}, indices int64",
            .gradient = "each cotangent goes back to the element that the value came from",
            .source = "D. Knuth, The Art of Computer Programming 3, 1998, §5"},
    .differentiable = 1,
    .reads = {reads_output(1)},
    .infer = infer_sort,
    .evaluate = evaluate_sort,
    .vjp = sort_vjp,
    .attributes = &attribute_type<SortAttributes>,
    .default_attributes = &default_attributes_of<SortAttributes>,
};

constinit const OpDef topk_op = {
    .name = "topk",
    .doc = {.summary = "The k largest or smallest elements along an axis, sorted.",
            .formula =
                "values[i] = x[indices[i]], i < k: the first k of sort, descending if largest",
            .arguments = "x: any dtype; 0 ≤ k ≤ the axis's size; axis: negative from the back. Of "
                         "equal elements the first comes first; NaN comes last. Gives {values, "
                         "indices}, indices int64",
            .gradient = "each cotangent goes back to the element that the value came from; the "
                        "others get 0",
            .source = "D. Knuth, The Art of Computer Programming 3, 1998, §5.3.3"},
    .differentiable = 1,
    .reads = {reads_output(1)},
    .infer = infer_topk,
    .evaluate = evaluate_topk,
    .vjp = topk_vjp,
    .attributes = &attribute_type<TopkAttributes>,
};

}  // namespace ops

Outputs<2> sort(const Var& x, int axis, bool descending, std::source_location where) {
  const Var* inputs[] = {&x};
  const ops::SortAttributes attributes = {axis, descending};
  Outputs<2> sorted;
  apply_into(sorted, ops::sort_op, inputs, &attributes, where);
  return sorted;
}

Outputs<2> topk(const Var& x, std::int64_t k, int axis, bool largest, std::source_location where) {
  const Var* inputs[] = {&x};
  const ops::TopkAttributes attributes = {k, axis, largest};
  Outputs<2> best;
  apply_into(best, ops::topk_op, inputs, &attributes, where);
  return best;
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <algorithm>

#include "wengert/ops/order/line_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// Insertion sort by the rule in words: values by order, NaN last, equals as they come.
std::vector<double> order_of(const std::vector<double>& x, bool descending) {
  std::vector<double> order;
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::size_t at = order.size();
    while (at > 0) {
      const double before = x[static_cast<std::size_t>(order[at - 1])];
      const bool moves = std::isnan(x[i])     ? false
                         : std::isnan(before) ? true
                         : descending         ? before < x[i]
                                              : before > x[i];
      if (!moves) break;
      --at;
    }
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(at), static_cast<double>(i));
  }
  return order;
}

Sample order_sample(const std::string& name, Tensor x, int axis, std::int64_t k, bool descending,
                    std::function<Outputs<2>(const Var&)> call) {
  Sample sample;
  sample.name = name + " " + to_string(x.dtype(), x.shape()) + " along " + std::to_string(axis);
  sample.smooth = is_floating(x.dtype());
  const DType dtype = x.dtype();
  sample.inputs = {std::move(x)};
  sample.call = [call](std::span<const Var> in) {
    const Outputs<2> both = call(in[0]);
    return std::vector<Var>(both.begin(), both.end());
  };
  sample.reference = [axis, k, descending, dtype](std::span<const Tensor> in) {
    const auto first = [&](bool values) {
      return [=](const LineInputs& lines) {
        std::vector<double> order = order_of(lines[0], descending);
        if (k >= 0) order.resize(static_cast<std::size_t>(k));
        if (values) {
          for (double& i : order) i = lines[0][static_cast<std::size_t>(i)];
        }
        return order;
      };
    };
    return std::vector<Tensor>{map_lines(in, axis, first(true), dtype),
                               map_lines(in, axis, first(false), DType::kInt64)};
  };
  return sample;
}

std::vector<Tensor> order_specials() {
  std::vector<double> ties;
  for (int i = 0; i < 40; ++i) ties.push_back(i * 7 % 5);
  return {Tensor::from({3., 1., 3., 1., 2.}, {5}), Tensor::from({kNan, 1., kNan, -kInfinity}, {4}),
          Tensor::from({0.0, -0.0, kInfinity, 1.}, {4}), Tensor::from(ties, {40})};
}

}  // namespace

WENGERT_OP_TESTS(sort) {
  OpTests tests;
  int seed = 0;
  for (bool descending : {false, true}) {
    const std::string name = descending ? "descending" : "ascending";
    const auto add = [&](const Tensor& x, int axis) {
      tests.samples.push_back(
          order_sample(name, x, axis, -1, descending,
                       [axis, descending](const Var& v) { return sort(v, axis, descending); }));
    };
    for (const auto& [shape, axis] : line_cases()) {
      add(spread(shape, -2, 2, ++seed), axis);
      add(spread(shape, 0, 9, seed).to(DType::kInt32), axis);
      add(spread(shape, 0, 1.9, seed).to(DType::kInt32).to(DType::kBool), axis);
    }
    for (const int axis : {0, 1}) {
      add(spread({3001, 3}, -2, 2), axis);
      tests.samples.back().step = 1e-6;
    }
    for (const Tensor& x : order_specials()) {
      add(x, 0);
      tests.samples.back().smooth = false;
    }
  }
  tests.samples.push_back(
      gradient_sample("weighted", Tensor::from({3., 1., 2.}, {3}),
                      [](const Var& x) {
                        return sort(x)[0] * Tensor::from({10., 20., 30.}, {3}).to(x.dtype());
                      },
                      {30, 10, 20}));
  tests.rejected = line_rejected([](const Var& x, int axis) { return sort(x, axis)[0]; });
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  return tests;
}

WENGERT_OP_TESTS(topk) {
  OpTests tests;
  int seed = 0;
  for (bool largest : {false, true}) {
    const std::string name = largest ? "largest" : "smallest";
    const auto add = [&](const Tensor& x, int axis, std::int64_t k) {
      tests.samples.push_back(
          order_sample(name + " " + std::to_string(k), x, axis, k, largest,
                       [=](const Var& v) { return topk(v, k, axis, largest); }));
    };
    for (const auto& [shape, axis] : line_cases()) {
      const std::int64_t size = shape[axis < 0 ? axis + shape.size() : axis];
      for (std::int64_t k = 0; k <= size; k += 2) {
        add(spread(shape, -2, 2, ++seed), axis, k);
        add(spread(shape, 0, 9, seed).to(DType::kInt64), axis, k);
      }
    }
    for (const int axis : {0, 1}) {
      add(spread({3001, 3}, -2, 2), axis, axis == 0 ? 1000 : 2);
      tests.samples.back().step = 1e-6;
    }
    for (const Tensor& x : order_specials()) {
      add(x, 0, 3);
      tests.samples.back().smooth = false;
    }
  }
  const auto bad = [](std::int64_t k, int axis) {
    return [=] { return topk(Tensor::zeros({2, 3}, DType::kFloat32), k, axis); };
  };
  tests.rejected = {{"k too large", bad(4, -1), ErrorKind::kValue,
                     "k = 4 of 3 elements along axis 1 of f32[2,3]"},
                    {"k negative", bad(-1, 0), ErrorKind::kValue,
                     "k = -1 of 2 elements along axis 0 of f32[2,3]"},
                    {"axis", bad(1, 2), ErrorKind::kAxis, "axis 2 is out of range for rank 2"}};
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  return tests;
}
#endif
