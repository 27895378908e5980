#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "wengert/ops/composite.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/indexing/indices.h"
#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

/// Checks that indices (input i) have x's sizes beside the axis.
void check_along(InferContext& call, int i) {
  const int axis = call.canonical_axis(&IndexAttributes::axis, call.rank(0));
  require_indices(call, i);
  bool fits = call.rank(0) == call.rank(i);
  for (int d = 0; fits && d < call.rank(0); ++d)
    fits = d == axis || call.size(0, d) == call.size(i, d);
  if (!fits) {
    call.fail(ErrorKind::kShape,
              "x is " + call.describe(0) + " but the indices are " + call.describe(i),
              "they must agree beside the axis");
  }
}

void infer_gather(InferContext& call) {
  check_along(call, 1);
  call.output(call.dtype(0), call.shape(1));
}

void evaluate_gather(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const int axis = static_cast<int>(call.attributes<IndexAttributes>().axis);
  const Lines wide(x.view(), axis), narrow(out, axis);
  const IndexReader index(call, indices.view(), wide.length);
  dispatch(out.dtype, [&]<class T>(T) {
    for (std::int64_t l = 0; l < narrow.count && narrow.length > 0; ++l) {
      for (std::int64_t i = 0; i < narrow.length; ++i) {
        const std::int64_t at = narrow.start(l) + i * narrow.step;
        out.as<T>()[at] = x.view().as<T>()[wide.start(l) + index(at) * wide.step];
      }
    }
  });
}

Var zeros_like_input(VjpContext& c, int i) { return Tensor::zeros(c.shape(i), c.dtype(i)); }

void gather_vjp(VjpContext& c) {
  c.set(0, scatter_add(zeros_like_input(c, 0), c.input(1), c.cotangent(),
                       static_cast<int>(c.attributes<IndexAttributes>().axis)));
}

void infer_scatter_add(InferContext& call) {
  check_along(call, 1);
  call.require_floating(0);
  if (call.dtype(2) != call.dtype(0)) {
    call.fail(ErrorKind::kDType,
              "mixed dtypes: " + call.describe(0) + " and updates " + call.describe(2),
              "convert one with cast(x, DType)");
  }
  if (!(call.shape(2) == call.shape(1))) {
    call.fail(ErrorKind::kShape,
              "the updates are " + call.describe(2) + " for indices " + call.describe(1),
              "each index takes one update");
  }
  call.output(call.dtype(0), call.shape(0));
}

/// Zeros whose pages the system makes only where they are touched: a tensor may be far larger than
/// the list of its updates.
std::unique_ptr<double[], decltype(&std::free)> lazy_zeros(std::int64_t n) {
  void* memory = std::calloc(static_cast<std::size_t>(n), sizeof(double));
  if (memory == nullptr) throw std::bad_alloc();
  return {static_cast<double*>(memory), &std::free};
}

/// Updates of one block: indices, updates [length, step] onto to [size, step].
template <class T, class I>
struct Scatter {
  const OpCall& call;
  const TensorView& indices;
  std::int64_t length, size, step;

  /// Calls put(place in `to`, place in the updates), in order: duplicates add up alike.
  template <class Put>
  void for_each(std::int64_t first, const Put& put) const {
    const I* index = indices.as<I>() + first;
    for (std::int64_t i = 0, at = 0; i < length; ++i) {
      for (std::int64_t j = 0; j < step; ++j, ++at) {
        std::int64_t row = index[at];
        if (row < -size || row >= size) [[unlikely]]
          IndexReader(call, indices, size)(first + at);  // fails
        if (row < 0) row += size;
        put(row * step + j, at);
      }
    }
  }

  /// Many float32 terms may meet in one element: they are summed in float64.
  void add_widely(std::int64_t first, const T* updates, T* to) const {
    const std::int64_t elements = size * step;
    if (elements <= 2 * length * step) {
      std::vector<double> sums(to, to + elements);
      for_each(first, [&](std::int64_t place, std::int64_t at) {
        sums[static_cast<std::size_t>(place)] += static_cast<double>(updates[at]);
      });
      std::copy(sums.begin(), sums.end(), to);
      return;
    }
    const auto sums = lazy_zeros(elements);
    for_each(first, [&](std::int64_t place, std::int64_t at) {
      sums[static_cast<std::size_t>(place)] += static_cast<double>(updates[at]);
    });
    for_each(first, [&](std::int64_t place, std::int64_t) {  // each sum once
      double& sum = sums[static_cast<std::size_t>(place)];
      to[place] = static_cast<T>(static_cast<double>(to[place]) + sum);
      sum = 0;
    });
  }
};

constexpr std::int64_t kFewUpdates = 64;

void evaluate_scatter_add(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1)), updates(call.input(2));
  const TensorView out = call.output();
  const int axis = static_cast<int>(call.attributes<IndexAttributes>().axis);
  const Lines wide(out, axis), narrow(updates.view(), axis);
  if (out.count() > 0) {
    std::memcpy(out.data, x.view().data,
                static_cast<std::size_t>(out.count()) * size_of(out.dtype));
  }
  const auto run = [&]<class T, class I>(T, I) {
    const Scatter<T, I> scatter{call, indices.view(), narrow.length, wide.length, narrow.step};
    const std::int64_t block = narrow.length * narrow.step;
    for (std::int64_t b = 0; b < narrow.count / narrow.step; ++b) {
      const T* from = updates.view().as<T>() + b * block;
      T* to = out.as<T>() + b * wide.length * wide.step;
      if (sizeof(T) < sizeof(double) && narrow.length > kFewUpdates) {
        scatter.add_widely(b * block, from, to);
      } else {
        scatter.for_each(b * block,
                         [&](std::int64_t place, std::int64_t at) { to[place] += from[at]; });
      }
    }
  };
  dispatch_floating(out.dtype, [&]<class T>(T t) {
    if (narrow.count == 0 || narrow.length == 0) return;
    if (indices.view().dtype == DType::kInt32) {
      run(t, std::int32_t{});
    } else {
      run(t, std::int64_t{});
    }
  });
}

void scatter_add_vjp(VjpContext& c) {
  if (c.needs(0)) c.set(0, c.cotangent());
  if (c.needs(2)) {
    c.set(2, gather(c.cotangent(), c.input(1),
                    static_cast<int>(c.attributes<IndexAttributes>().axis)));
  }
}

void infer_take(InferContext& call) {
  require_indices(call, 1);
  call.output(call.dtype(0), call.shape(1));
}

void evaluate_take(EvalContext& call) {
  const DenseInput x(call.input(0)), indices(call.input(1));
  const TensorView out = call.output();
  const IndexReader index(call, indices.view(), x.view().count());
  dispatch(out.dtype, [&]<class T>(T) {
    const std::int64_t count = out.count();
    for (std::int64_t i = 0; i < count; ++i) out.as<T>()[i] = x.view().as<T>()[index(i)];
  });
}

void take_vjp(VjpContext& c) {
  if (c.shape(0).size() == 1 && c.takes_rows(0)) {
    return c.add_rows(0, reshape(c.input(1), {-1}), reshape(c.cotangent(), {-1}));
  }
  const Shape flat{element_count(c.shape(0))};
  const Var zeros = Tensor::zeros(flat, c.dtype(0));
  const Var sums = scatter_add(zeros, reshape(c.input(1), {-1}), reshape(c.cotangent(), {-1}), 0);
  c.set(0, reshape(sums, c.shape(0)));
}

}  // namespace

constinit const OpDef gather_op = {
    .name = "gather",
    .doc = {.summary = "Takes elements at given positions along an axis, line by line.",
            .formula = "y[…, i, …] = x[…, indices[…, i, …], …]",
            .arguments = "x: any dtype; indices: int32 or int64 of x's sizes beside the axis, "
                         "negative from the back, out of range is an error; axis",
            .gradient = "the cotangents added up where their elements came from",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .linear = {1},
    .infer = infer_gather,
    .evaluate = evaluate_gather,
    .vjp = gather_vjp,
    .attributes = &attribute_type<IndexAttributes>,
};

constinit const OpDef take_op = {
    .name = "take",
    .doc = {.summary = "Takes elements by their row-major position.",
            .formula = "y[i…] = x.flat[indices[i…]]",
            .arguments = "x: any dtype; indices: int32 or int64 of any shape, negative from the "
                         "back, out of range is an error",
            .gradient = "the cotangents added up where their elements came from; a leaf of rank 1 "
                        "gets them as rows",
            .source = "elementary"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 1,
    .reads = {reads_input(1)},
    .linear = {1},
    .infer = infer_take,
    .evaluate = evaluate_take,
    .vjp = take_vjp,
};

constinit const OpDef scatter_add_op = {
    .name = "scatter_add",
    .doc = {.summary = "Adds updates at given positions along an axis, line by line.",
            .formula = "y = x; y[…, indices[…, i, …], …] += updates[…, i, …]",
            .arguments = "x: float32 or float64; indices: int32 or int64 of x's sizes beside the "
                         "axis, negative from the back, out of range is an error; updates: of the "
                         "indices' shape and x's dtype; duplicates add up in order, many of "
                         "float32 in float64",
            .gradient = "∂x: the cotangent; ∂updates: the cotangent gathered at the indices",
            .source = "elementary"},
    .min_inputs = 3,
    .max_inputs = 3,
    .differentiable = 0b101,
    .reads = {0, 0, reads_input(1)},
    .linear = {0b101},
    .infer = infer_scatter_add,
    .evaluate = evaluate_scatter_add,
    .vjp = scatter_add_vjp,
    .attributes = &attribute_type<IndexAttributes>,
};

}  // namespace ops

Var gather(const Var& x, const Var& indices, int axis, std::source_location where) {
  return apply(ops::gather_op, {&x, &indices}, ops::IndexAttributes{axis}, where);
}

Var take(const Var& x, const Var& indices, std::source_location where) {
  return apply(ops::take_op, x, indices, where);
}

Var scatter_add(const Var& x, const Var& indices, const Var& updates, int axis,
                std::source_location where) {
  return apply(ops::scatter_add_op, {&x, &indices, &updates}, ops::IndexAttributes{axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/indexing/index_tests.h"

WENGERT_OP_TESTS(gather) {
  OpTests tests = moving_tests();
  for (const DType dtype : {DType::kInt64, DType::kInt32}) {
    add_sample(
        tests, std::string("last axis, ") + std::string(name_of(dtype)),
        {spread({2, 4}, -1, 1), sample_indices().to(dtype)},
        [](std::span<const Var> x) { return gather(x[0], x[1], -1); },
        [](std::span<const Tensor> x) {
          return by_index({2, 3}, [&](const Dims& i) {
            return element(x[0], {i[0], wrap(element(x[1], i), 4)});
          });
        });
  }
  add_sample(
      tests, "first axis", {spread({4, 3}, -1, 1), sample_indices()},
      [](std::span<const Var> x) { return gather(x[0], x[1], 0); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) {
          return element(x[0], {wrap(element(x[1], i), 4), i[1]});
        });
      });
  for (const int axis : {0, 1}) {
    const Shape from = axis == 0 ? Shape{3001, 3} : Shape{3, 3001};
    Shape to = from;
    to[axis] = 7001;
    add_sample(
        tests, "long, axis " + std::to_string(axis), {spread(from, -1, 1), long_indices(to, 3001)},
        [=](std::span<const Var> x) { return gather(x[0], x[1], axis); },
        [=](std::span<const Tensor> x) {
          return by_index(to, [&](const Dims& i) {
            Dims at = i;
            at[axis] = wrap(element(x[1], i), 3001);
            return element(x[0], at);
          });
        });
  }
  tests.rejected = {{"index",
                     [] {
                       return gather(zeros32({2, 3}), sample_indices(), 1);
                     },
                     ErrorKind::kIndex, "index 3 at position 4 is out of range for size 3"},
                    {"shapes",
                     [] {
                       return gather(zeros32({3, 4}), sample_indices(), 1);
                     },
                     ErrorKind::kShape, "x is f32[3,4] but the indices are i64[2,3]"},
                    {"dtype",
                     [] {
                       return gather(zeros32({2, 4}), zeros32({2, 3}), 1);
                     },
                     ErrorKind::kDType, "indices must be int32 or int64, got f32[2,3]"}};
  return tests;
}

WENGERT_OP_TESTS(take) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "of a matrix", {spread({2, 2}, -1, 1), sample_indices()},
      [](std::span<const Var> x) { return take(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({2, 3}, [&](const Dims& i) { return x[0].at(wrap(element(x[1], i), 4)); });
      });
  add_sample(
      tests, "long", {spread({1001, 3}, -1, 1), long_indices({9001, 3}, 3003)},
      [](std::span<const Var> x) { return take(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({9001, 3},
                        [&](const Dims& i) { return x[0].at(wrap(element(x[1], i), 3003)); });
      });
  tests.rejected = {{"index", [] { return take(zeros32({3}), sample_indices()); },
                     ErrorKind::kIndex, "index 3 at position 4 is out of range for size 3"},
                    {"dtype", [] { return take(zeros32({3}), zeros32({2})); }, ErrorKind::kDType,
                     "indices must be int32 or int64, got f32[2]"},
                    {"empty", [] { return take(zeros32({0}), sample_indices()); },
                     ErrorKind::kIndex, "index 2 at position 0 is out of range for size 0"}};
  return tests;
}

WENGERT_OP_TESTS(scatter_add) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "with duplicates", {spread({2, 4}, -1, 1), sample_indices(), spread({2, 3}, -1, 1, 2)},
      [](std::span<const Var> x) { return scatter_add(x[0], x[1], x[2], 1); },
      [](std::span<const Tensor> x) {
        return by_index({2, 4}, [&](const Dims& i) {
          double total = element(x[0], i);
          for (std::int64_t k = 0; k < 3; ++k) {
            if (wrap(element(x[1], {i[0], k}), 4) == i[1]) total += element(x[2], {i[0], k});
          }
          return total;
        });
      });
  for (const int axis : {0, 1}) {
    const Shape to = axis == 0 ? Shape{501, 3} : Shape{3, 501};
    Shape from = to;
    from[axis] = 7001;
    add_sample(
        tests, "long, axis " + std::to_string(axis),
        {spread(to, -1, 1), long_indices(from, 501), spread(from, -1, 1, 2)},
        [=](std::span<const Var> x) { return scatter_add(x[0], x[1], x[2], axis); },
        [=](std::span<const Tensor> x) {
          std::vector<double> total = x[0].to_vector<double>();
          for (std::int64_t i = 0; i < x[1].element_count(); ++i) {
            const std::int64_t at = wrap(x[1].at(i), 501);
            const std::int64_t place = axis == 0 ? at * 3 + i % 3 : i / 7001 * 501 + at;
            total[static_cast<std::size_t>(place)] += x[2].at(i);
          }
          return Tensor::from(total, to);
        });
    tests.samples.back().scale = 4;  // the root of the sums' length
  }
  tests.rejected = {{"index",
                     [] {
                       return scatter_add(zeros32({2, 3}), sample_indices(), zeros32({2, 3}), 1);
                     },
                     ErrorKind::kIndex, "index 3 at position 4 is out of range for size 3"},
                    {"updates",
                     [] {
                       return scatter_add(zeros32({2, 4}), sample_indices(), zeros32({2, 4}), 1);
                     },
                     ErrorKind::kShape, "the updates are f32[2,4] for indices i64[2,3]"},
                    {"dtype",
                     [] {
                       return scatter_add(zeros32({2, 4}), sample_indices(),
                                          Tensor::zeros({2, 3}, DType::kFloat64), 1);
                     },
                     ErrorKind::kDType, "mixed dtypes: f32[2,4] and updates f64[2,3]"}};
  return tests;
}

#endif
