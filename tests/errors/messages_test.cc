#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "wengert/io/safetensors.h"
#include "wengert/wengert.h"

// Hostile calls, and what their messages must say: the operands that the user gave, the numbers
// that do not fit, and what to do.
namespace wengert {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Tensor f32(const Shape& shape) { return Tensor::zeros(shape, DType::kFloat32); }
Tensor indices(const Shape& shape, double value) {
  return Tensor::full(shape, value, DType::kInt64);
}

struct Hostile {
  const char* name;
  void (*call)();
  std::vector<const char*> parts;
};

#define WENGERT_CALL(...) [] { (void)(__VA_ARGS__); }

const Hostile kHostile[] = {
    {"dot", WENGERT_CALL(dot(f32({3}), f32({4}))), {"dot: ", "f32[3]", "f32[4]", "3 vs 4"}},
    {"matmul_vectors",
     WENGERT_CALL(matmul(f32({3}), f32({4}))),
     {"matmul: ", "a is f32[3], b is f32[4] (3 vs 4)", "must equal the length of b"}},
    {"matmul_vector_matrix",
     WENGERT_CALL(matmul(f32({3}), f32({4, 3}))),
     {"a is f32[3], b is f32[4,3] (3 vs 4)", "did you mean transpose(b)?"}},
    {"outer", WENGERT_CALL(outer(f32({2, 3}), f32({3}))), {"outer: ", "f32[2,3]", "flatten"}},
    {"stack", WENGERT_CALL(stack({f32({3}), f32({4})})), {"stack: ", "f32[3]", "f32[4]", "concat"}},
    {"trace", WENGERT_CALL(trace(f32({3}))), {"trace: needs a matrix, got f32[3]"}},
    {"trace_bool",
     WENGERT_CALL(trace(Tensor::zeros({3, 3}, DType::kBool))),
     {"trace: needs numbers, got bool[3,3]", "count_nonzero"}},
    {"outer_bool",
     WENGERT_CALL(outer(Tensor::zeros({3}, DType::kBool), Tensor::zeros({2}, DType::kBool))),
     {"outer: needs numbers, got bool[3]"}},
    {"einsum_dtypes",
     WENGERT_CALL(einsum("ij,jk->ik", {f32({2, 3}), Tensor::zeros({3, 4}, DType::kFloat64)})),
     {"einsum: mixed dtypes: f32[2,3] and f64[3,4]", "cast"}},
    {"einsum_integers",
     WENGERT_CALL(einsum("i,j->", {indices({2}, 1), indices({3}, 1)})),
     {"einsum: needs float32 or float64, got i64[2]"}},
    {"flatten_range",
     WENGERT_CALL(flatten(f32({2, 3}), 0, 5)),
     {"flatten: axis 5 is out of range for rank 2", "axes run from -2 to 1"}},
    {"stack_rank",
     WENGERT_CALL(stack({f32({1, 1, 1, 1, 1, 1, 1, 1}), f32({1, 1, 1, 1, 1, 1, 1, 1})})),
     {"stack: f32[1,1,1,1,1,1,1,1] has the highest rank already"}},
    {"too_large",
     WENGERT_CALL(zeros({std::int64_t{1} << 50})),
     {"zeros: ", "no memory left for 4503599627370496 bytes"}},
    {"tensor_too_large",
     WENGERT_CALL(Tensor::zeros({std::int64_t{1} << 50})),
     {"no memory left for f32[1125899906842624], 4503599627370496 bytes"}},
    {"size_of_axis",
     WENGERT_CALL(Var(f32({2, 3})).size(-3)),
     {"axis -3 of f32[2,3]", "axes run from -2 to 1"}},
    {"tensor_size_of_axis",
     WENGERT_CALL(f32({2, 3}).size(2)),
     {"axis 2 of f32[2,3]", "axes run from -2 to 1"}},
    {"tensor_element",
     WENGERT_CALL(f32({2, 3}).at(6)),
     {"element 6 of f32[2,3]", "elements go from 0 to 5"}},
    {"tensor_rows",
     WENGERT_CALL(f32({2, 3}).rows(1, 3)),
     {"rows 1 to 3 of f32[2,3]", "it has rows 0 to 2"}},
    {"tensor_reshaped",
     WENGERT_CALL(f32({2, 3}).reshaped({4})),
     {"f32[2,3] cannot become [4]", "it has 6 elements, these sizes make 4"}},
    {"padding_index",
     WENGERT_CALL(embedding(f32({3, 2}), indices({2}, 0), 9)),
     {"padding index 9 is out of range for 3 rows", "rows of f32[3,2] are named from -3 to 2"}},
    {"concat_sizes",
     WENGERT_CALL(concat({f32({2, 3}), f32({4, 5})})),
     {"f32[2,3] and f32[4,5] differ beside axis 0", "slice, pad or take another axis"}},
    {"concat_ranks",
     WENGERT_CALL(concat({f32({3}), f32({4, 5})})),
     {"f32[3] and f32[4,5]", "expand_dims", "stack joins along a new one"}},
    {"concat_of_nothing",
     WENGERT_CALL(concat(std::vector<Var>())),
     {"concat: 0 inputs", "at least 1"}},
    {"einsum",
     WENGERT_CALL(einsum("ij,jk->ik", {f32({2, 3}), f32({4, 5})})),
     {"einsum: 'ij,jk->ik': index j is 3 of f32[2,3] and 4 of f32[4,5]", "one size"}},
    {"einsum_diagonal",
     WENGERT_CALL(einsum("ii", {f32({2, 3})})),
     {"index i is 2 of f32[2,3] and 3 of f32[2,3]"}},
    {"index_select_range",
     WENGERT_CALL(index_select(f32({3, 2}), indices({2}, 7), 0)),
     {"index 7 at position 0 is out of range for size 3", "indices of f32[3,2] go from -3 to 2"}},
    {"gather_range",
     WENGERT_CALL(gather(f32({2, 3}), indices({2, 1}, -4), 1)),
     {"index -4 at position 0", "indices of f32[2,3] go from -3 to 2"}},
    {"take_of_nothing",
     WENGERT_CALL(take(f32({0}), indices({1}, 0))),
     {"out of range for size 0", "no element of f32[0] to take"}},
    {"element", WENGERT_CALL(Var(f32({3}))[7]), {"index 7 of f32[3]", "from -3 to 2"}},
    {"index_select_matrix",
     WENGERT_CALL(index_select(f32({3}), indices({2, 2}, 0), 0)),
     {"must be a vector, got i64[2,2]", "take", "gather"}},
    {"pad_reflect",
     WENGERT_CALL(pad(f32({3}), {5}, {4}, PadMode::kReflect)),
     {"axis 0 of size 3", "reflect padding by 5 and 4", "at most 2 elements"}},
    {"pad_edge",
     WENGERT_CALL(pad(f32({0}), {1}, {0}, PadMode::kEdge)),
     {"axis 0 of size 0", "edge padding by 1 and 0", "no edge to repeat"}},
    {"reshape",
     WENGERT_CALL(reshape(f32({2, 3}), {4, 2})),
     {"f32[2,3] of 6 elements cannot become [4,2]", "these sizes make 8"}},
    {"reshape_open",
     WENGERT_CALL(reshape(f32({2, 3}), {-1, 4})),
     {"cannot become [-1,4]", "make, 4, must divide 6"}},
    {"integer_too_large",
     WENGERT_CALL(Var(Tensor::from({1, 2}, {2})) + (std::int64_t{1} << 40)),
     {"1099511627776 does not fit into an int32", "cast(x, DType::kInt64)"}},
    {"uint8",
     WENGERT_CALL(Var(Tensor::zeros({2}, DType::kUint8)) + 256),
     {"does not fit into a uint8 tensor"}},
    {"arange",
     WENGERT_CALL(arange(0, 1e300, 1)),
     {"too many elements: from 0 to 1e+300 by 1", "larger step"}},
    {"float_labels",
     WENGERT_CALL(softmax_cross_entropy(f32({2, 3}), f32({2}))),
     {"f32[2,3]", "f32[2]", "the labels are float32: cast(targets, DType::kInt64)"}},
    {"double_labels",
     WENGERT_CALL(softmax_cross_entropy(f32({2, 3}), Tensor::zeros({2}, DType::kFloat64))),
     {"the labels are float64: cast(targets, DType::kInt64)"}},
};

class HostileCallTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileCallTest, IsToldWhatHelps) {
  for (const bool recorded : {false, true}) {
    std::unique_ptr<Tape> tape;
    if (recorded) tape = std::make_unique<Tape>();
    try {
      GetParam().call();
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      const std::string text = error.what();
      for (const char* part : GetParam().parts) EXPECT_THAT(text, HasSubstr(part));
      EXPECT_THAT(text, HasSubstr("messages_test.cc:"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Messages, HostileCallTest, ::testing::ValuesIn(kHostile),
                         [](const auto& info) { return info.param.name; });

TEST(Messages, ARangeBeyondTheDifferenceOfItsEndsIsMade) {
  const Var range = arange(-1.7e308, 1.7e308, 1e307, DType::kFloat64);
  EXPECT_EQ(range.element_count(), 34);
  EXPECT_DOUBLE_EQ(range.value().at(33), 1.6e308);
}

TEST(Messages, AZipArchiveIsCalledOne) {
  const std::string path =
      ::testing::TempDir() + "wengert_messages_" + std::to_string(::getpid()) + ".pt";
  std::ofstream(path, std::ios::binary) << "PK\x03\x04 and what else torch.save writes";
  try {
    (void)io::read_safetensors(path);
    ADD_FAILURE() << "accepted";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is a zip archive (a .pt or .npz file?)"));
    EXPECT_THAT(error.what(), HasSubstr("save the tensors as safetensors"));
  }
}

/// The message of an allocation that no machine has memory for.
std::string told_of_memory() {
  try {
    (void)zeros({std::int64_t{1} << 50});
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Messages, ATapeThatStandsOutsideTheLoopIsNamedWhereMemoryIsOut) {
  Tape tape;
  Var x = variable(0.5);
  EXPECT_THAT(told_of_memory(), HasSubstr("use smaller batches"));
  unsigned line = 0;
  for (int i = 0; i < 60000; ++i) {
    line = std::source_location::current().line() + 1;
    x = sin(x) + 0.1;
  }
  EXPECT_THAT(told_of_memory(),
              HasSubstr("the tape holds 120002 nodes, 120002 of them of messages_test.cc:" +
                        std::to_string(line) + ": does it stand outside the loop?"));
}

}  // namespace
}  // namespace wengert
