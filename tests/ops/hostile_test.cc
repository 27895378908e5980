#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include "tests/ops/limited.h"
#include "wengert/ops/testing.h"
#include "wengert/wengert.h"

// Every op on views of one element under huge sizes, whose products of bytes no machine has and 64
// bits may not hold: each call makes a view or ends in an error that names the op, never in memory
// that is smaller than what is written there. A call that needs no memory would compute for
// centuries; it is left alone after a moment.
namespace wengert {
namespace {

constexpr int kLogElements[] = {31, 32, 58, 60, 61, 62};
constexpr long kMoment = 50000;  // µs

/// A view of one of the input's elements: sizes above 1 grow by 2^shift.
Var enlarged(const Tensor& input, int shift) {
  Shape ones, sizes;
  for (std::int64_t size : input.shape()) {
    ones.push_back(size == 0 ? 0 : 1);
    if (size > 1 && std::bit_width(static_cast<std::uint64_t>(size)) + shift > 63) {
      throw Error(ErrorKind::kShape, "hostile", "no such size []", "",
                  std::source_location::current());
    }
    sizes.push_back(size > 1 ? size << shift : size);
  }
  const double element = input.element_count() > 0 ? input.at(0) : 0;
  Tensor one = Tensor::full(ones, element, input.dtype());
  return broadcast_to(is_floating(input.dtype()) ? variable(one) : Var(one), sizes);
}

/// By how much the sizes grow for the largest input to have about 2^log elements.
int shift_for(const testing::Sample& sample, int log) {
  int shift = 62;
  for (const Tensor& input : sample.inputs) {
    int axes = 0, bits = 0;
    for (std::int64_t size : input.shape()) {
      if (size <= 1) continue;
      ++axes;
      bits += std::bit_width(static_cast<std::uint64_t>(size)) - 1;
    }
    if (axes > 0) shift = std::min(shift, std::max(0, (log - bits) / axes));
  }
  return shift;
}

/// What is wrong with an error, or empty.
std::string complaint(const Error& error) {
  const std::string what = error.what();
  if (error.kind() == ErrorKind::kInternal || error.kind() == ErrorKind::kGraph) return what;
  if (error.op().empty() || error.file().empty()) return "names no op or line: " + what;
  const bool sizes = error.kind() == ErrorKind::kMemory;
  if (sizes && what.find('[') == std::string::npos) return "names no shape: " + what;
  return {};
}

/// Runs a sample on enlarged inputs, and its derivative; what is wrong, or empty.
std::string run(const testing::Sample& sample, int shift) {
  try {
    Tape tape;
    std::vector<Var> inputs, targets;
    for (const Tensor& input : sample.inputs) {
      inputs.push_back(enlarged(input, shift));
      if (inputs.back().requires_grad()) targets.push_back(inputs.back());
    }
    const std::vector<Var> outputs = sample.call(inputs);
    std::vector<Var> ys, cotangents;
    for (const Var& y : outputs) {
      if (!y.requires_grad() || !is_floating(y.dtype())) continue;
      ys.push_back(y);
      cotangents.push_back(broadcast_to(Tensor::full({}, 1, y.dtype()), y.shape()));
    }
    if (!ys.empty()) (void)grad(ys, targets, cotangents);
  } catch (const Error& error) {
    return complaint(error);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
  return {};
}

class HostileSizes : public ::testing::TestWithParam<std::size_t> {};

TEST_P(HostileSizes, AreViewsOrErrors) {
  if (!kLimitsMemory) GTEST_SKIP() << "sanitizers take memory of their own";
  const testing::OpTests tests = testing::tested_ops()[GetParam()].tests();
  const std::size_t sizes = std::size(kLogElements), tasks = tests.samples.size() * sizes;
  int left_alone = 0;
  for (std::size_t first = 0; first < tasks && left_alone < 3;) {
    const Ended ended = run_limited(first, tasks, kMoment, [&](std::size_t task) {
      const testing::Sample& sample = tests.samples[task / sizes];
      return run(sample, shift_for(sample, kLogElements[task % sizes]));
    });
    if (ended.done) break;
    if (ended.stopped) {
      ++left_alone;
    } else {
      ADD_FAILURE() << tests.samples[ended.task / sizes].name << ", 2^"
                    << kLogElements[ended.task % sizes] << ": " << ended.complaint;
    }
    first = (ended.task / sizes + 1) * sizes;  // the sample's larger sizes take longer
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, HostileSizes,
                         ::testing::Range(std::size_t{0}, testing::tested_ops().size()),
                         [](const auto& info) { return testing::tested_ops()[info.param].name; });

TEST(HostileBroadcast, OfTwoHalves) {
  const std::int64_t half = std::int64_t{1} << 31;
  const Var one = Tensor::full({1, 1}, 1, DType::kFloat32);
  const Var column = broadcast_to(one, {half, 1}), row = broadcast_to(one, {1, half});
  try {
    (void)add(column, row);
    FAIL() << "2^64 bytes were there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kShape);
    EXPECT_EQ(error.op(), "add");
    EXPECT_EQ(error.message(), "f32[2147483648,2147483648] needs more than 2⁶³ − 1 bytes");
  }
}

}  // namespace
}  // namespace wengert
