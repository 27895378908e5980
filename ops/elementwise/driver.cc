#include "wengert/ops/elementwise/driver.h"

#include <algorithm>
#include <cstring>

#include "wengert/graph/storage.h"
#include "wengert/ops/elementwise/levels.h"
#include "wengert/ops/kernels/axis_order.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/walk.h"

namespace wengert::ops {
namespace {

bool same_shape(const TensorView& a, const TensorView& b) {
  return a.rank == b.rank && std::equal(a.sizes, a.sizes + a.rank, b.sizes);
}

}  // namespace

ChooseLevel::ChooseLevel(ElementwiseOp& op, const ElementwiseKernels* baseline,
                         const ElementwiseKernels* avx2, const ElementwiseKernels* avx512) {
  const kernels::CpuLevel level = kernels::cpu_level();
  op.kernels = level == kernels::CpuLevel::kAvx512 ? avx512
               : level == kernels::CpuLevel::kAvx2 ? avx2
                                                   : baseline;
}

Shape broadcast_shape(const OpCall& call, int first, int last) {
  Shape result = call.shape(first);
  for (int i = first + 1; i <= last; ++i) {
    const Shape other = call.shape(i);
    while (result.size() < other.size()) result.insert(0, 1);
    const int lead = result.size() - other.size();
    for (int d = 0; d < other.size(); ++d) {
      std::int64_t& size = result[lead + d];
      if (size == other[d] || other[d] == 1) continue;
      if (size != 1) {
        call.fail(ErrorKind::kShape,
                  "shapes do not broadcast: " + call.describe(first) + " and " + call.describe(i) +
                      " (" + std::to_string(size) + " vs " + std::to_string(other[d]) + ")",
                  "sizes must be equal or 1, aligned at the last dimension; use expand_dims or "
                  "reshape");
      }
      size = other[d];
    }
  }
  return result;
}

void infer_elementwise(InferContext& call) {
  const ElementwiseOp& op = *call.op().elementwise;
  if (call.op().check != nullptr) call.op().check(call);
  call.require_same_dtype(0, call.input_count() - 1);
  if (op.kernels->forward[static_cast<int>(call.dtype(0))] == nullptr) {
    std::string known;
    for (int d = 0; d < kDTypeCount; ++d) {
      if (op.kernels->forward[d] == nullptr) continue;
      known += (known.empty() ? "" : ", ") + std::string(name_of(static_cast<DType>(d)));
    }
    call.fail(ErrorKind::kDType, "not defined for " + call.describe(0),
              "it takes " + known + "; convert with cast(x, DType)");
  }
  const Shape shape =
      call.input_count() == 1 ? call.shape(0) : broadcast_shape(call, 0, call.input_count() - 1);
  call.output(op.predicate ? DType::kBool : call.dtype(0), shape);
}

void evaluate_elementwise(EvalContext& call) {
  const auto kernel = call.op().elementwise->kernels->forward[static_cast<int>(call.dtype(0))];
  kernels::AxisOrder order(call.output(), call.output().rank);
  const TensorView out = order.turn(call.output());
  const int count = call.input_count();
  TensorView views[kernels::kMaxOperands];
  for (int i = 0; i < count; ++i) views[i] = order.turn(call.input(i));
  const auto result_bytes = static_cast<std::int64_t>(size_of(out.dtype));
  const std::span<const TensorView> operands(views, static_cast<std::size_t>(count));
  kernels::walk(out.shape(), operands,
                [&](const void* const* in, std::int64_t position, std::int64_t n) {
                  kernel(in, out.data + position * result_bytes, n, call.raw_attributes());
                });
}

namespace {

/// gx (+)= g · partial over the output's whole shape; gx has no gaps and lies in `order`. g is the
/// cotangent, turned to it.
void backward_over_output(BackwardContext& call, kernels::AxisOrder& order, const TensorView& g,
                          int argument, std::byte* gx, bool accumulate) {
  const ElementwiseKernels& kernels_in_force = *call.op().elementwise->kernels;
  const std::uint32_t reads = call.op().reads_for(argument);
  const auto kernel = kernels_in_force.backward[argument][static_cast<int>(g.dtype)];
  TensorView views[kernels::kMaxOperands];
  int slots[kernels::kMaxOperands];  // 0: g, 1…3: inputs, 4: y
  int count = 0;
  const auto add = [&](const TensorView& view, int slot) {
    views[count] = view;
    slots[count++] = slot;
  };
  add(g, 0);
  for (int i = 0; i < call.input_count(); ++i) {
    if (reads & reads_input(i)) add(order.turn(call.input(i)), 1 + i);
  }
  if (reads & kReadsOutputs) add(order.turn(call.output()), 4);
  const auto bytes = static_cast<std::int64_t>(size_of(g.dtype));
  const std::span<const TensorView> operands(views, static_cast<std::size_t>(count));
  const bool passes = (call.op().elementwise->passes >> argument & 1) != 0;
  const auto sum = add_op.elementwise->kernels->forward[static_cast<int>(g.dtype)];
  kernels::walk(g.shape(), operands,
                [&](const void* const* pointers, std::int64_t position, std::int64_t n) {
                  if (passes) {  // as it is, zeros with their sign
                    std::byte* to = gx + position * bytes;
                    const void* terms[] = {to, pointers[0]};
                    if (accumulate) return sum(terms, to, n, nullptr);
                    std::memcpy(to, pointers[0], static_cast<std::size_t>(n * bytes));
                    return;
                  }
                  const void* named[5] = {};
                  for (int k = 0; k < count; ++k) named[slots[k]] = pointers[k];
                  kernel(named[0], named + 1, named[4], gx + position * bytes, n,
                         call.raw_attributes(), accumulate);
                });
}

}  // namespace

void backward_elementwise(BackwardContext& call) {
  for (int i = 0; i < call.input_count(); ++i) {
    if (!call.needs(i)) continue;
    const BackwardContext::Destination destination = call.gradient(i);
    kernels::AxisOrder order(destination.view, call.cotangent().rank);
    const TensorView to = order.turn(destination.view), g = order.turn(call.cotangent());
    if (same_shape(g, to)) {
      backward_over_output(call, order, g, i, to.data, destination.accumulate);
      continue;
    }
    Tensor temporary = Tensor::empty(Shape(g.shape()), g.dtype);  // freed if a read throws
    std::byte* products = temporary.storage()->data;
    backward_over_output(call, order, g, i, products, false);
    kernels::sum_to_shape(g.dtype, products, g.shape(), to.data, to.shape(),
                          destination.accumulate);
  }
}

}  // namespace wengert::ops
