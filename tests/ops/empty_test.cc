#include <gtest/gtest.h>

#include "wengert/wengert.h"

// A tensor without elements may have an axis of any length: no op may walk that axis, nor keep a
// table of it.
namespace wengert {
namespace {

constexpr std::int64_t kLong = std::int64_t{1} << 50;

struct Call {
  const char* name;
  Var (*call)(const Var& x);  ///< x is f32[kLong, 0]
};

const Call kCalls[] = {
    {"add", [](const Var& x) { return x + x; }},
    {"tanh", [](const Var& x) { return tanh(x); }},
    {"cast", [](const Var& x) { return cast(x, DType::kFloat64); }},
    {"clone", [](const Var& x) { return contiguous(transpose(x)); }},
    {"matmul_batches",
     [](const Var& x) {
       return matmul(expand_dims(x, 1), Tensor::zeros({0, 0}, x.dtype()));
     }},
    {"sum", [](const Var& x) { return sum(x); }},
    {"sum_axis", [](const Var& x) { return sum(x, {0}); }},
    {"sum_middle",
     [](const Var& x) {
       return sum(reshape(x, {1, kLong, 2, 0}), {2});
     }},
    {"prod_axis", [](const Var& x) { return prod(x, {0}); }},
    {"softmax", [](const Var& x) { return softmax(x, 1); }},
    {"softmax_columns", [](const Var& x) { return softmax(x, 0); }},
    {"log_softmax", [](const Var& x) { return log_softmax(x, 1); }},
    {"cumsum", [](const Var& x) { return cumsum(x, 1); }},
    {"cumprod", [](const Var& x) { return cumprod(x, 0); }},
    {"sort", [](const Var& x) { return sort(x, 1)[0]; }},
    {"sort_columns", [](const Var& x) { return sort(x, 0)[0]; }},
    {"topk", [](const Var& x) { return topk(x, 0, 1)[0]; }},
    {"pad",
     [](const Var& x) {
       return pad(x, {kLong, 0}, {1, 0});
     }},
    {"flip", [](const Var& x) { return flip(x); }},
    {"roll", [](const Var& x) { return roll(x, 3); }},
    {"tile",
     [](const Var& x) {
       return tile(x, {2, 1});
     }},
    {"repeat", [](const Var& x) { return repeat_interleave(x, 2); }},
    {"tril", [](const Var& x) { return tril(x); }},
    {"triu", [](const Var& x) { return triu(x); }},
    {"diagonal", [](const Var& x) { return diagonal(x); }},
    {"concat",
     [](const Var& x) {
       return concat({x, x}, 0);
     }},
    {"stack",
     [](const Var& x) {
       return stack({x, x}, 0);
     }},
    {"split", [](const Var& x) { return split(x, 2, 0)[1]; }},
    {"slice", [](const Var& x) { return slice(x, {5}, {kLong}, {}, {7}); }},
    {"gather",
     [](const Var& x) {
       return gather(x, Tensor::zeros({kLong, 0}, DType::kInt64), 1);
     }},
    {"index_select",
     [](const Var& x) { return index_select(x, Tensor::zeros({0}, DType::kInt64), 1); }},
    {"index_select_rows",
     [](const Var& x) { return index_select(x, Tensor::zeros({2}, DType::kInt64), 0); }},
    {"one_hot", [](const Var&) { return one_hot(Tensor::zeros({0}, DType::kInt64), kLong); }},
    {"where", [](const Var& x) { return where(greater(x, 0), x, x); }},
    {"matmul", [](const Var& x) { return matmul(transpose(x), x); }},
    {"matmul_wide",
     [](const Var& x) {
       return matmul(x, Tensor::zeros({0, 0}, DType::kFloat32));
     }},
    {"outer",
     [](const Var& x) { return outer(reshape(x, {0}), Tensor::zeros({0}, DType::kFloat32)); }},
    {"linear",
     [](const Var& x) {
       return linear(transpose(x), Tensor::zeros({kLong, 0}, DType::kFloat32),
                     Tensor::zeros({0}, DType::kFloat32));
     }},
};

class LongButEmpty : public testing::TestWithParam<Call> {};

TEST_P(LongButEmpty, EndsAndDifferentiates) {
  Tape tape;
  const Var x = variable(Tensor::zeros({kLong, 0}, DType::kFloat32));
  const Var y = GetParam().call(x);
  if (y.element_count() > 0) {  // the sum or product of nothing
    for (std::int64_t i = 0; i < y.element_count(); ++i) {
      EXPECT_TRUE(y.value().at(i) == 0 || y.value().at(i) == 1);
    }
  }
  if (!y.requires_grad()) return;
  const Gradients gradients = backward(sum(y));
  EXPECT_EQ(gradients[x].shape(), (Shape{kLong, 0}));
}

INSTANTIATE_TEST_SUITE_P(Ops, LongButEmpty, testing::ValuesIn(kCalls),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace wengert
