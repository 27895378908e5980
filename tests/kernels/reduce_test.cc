#include "wengert/ops/kernels/reduce.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "wengert/ops/kernels/rows.h"

// Sums over every set of axes of tensors of up to four, written and added to.
namespace wengert::kernels {
namespace {

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  std::int64_t n = 1;
  for (const std::int64_t size : sizes) n *= size;
  return n;
}

/// The definition: each element is added where its kept coordinates say.
std::vector<double> textbook(const std::vector<double>& x, const std::vector<std::int64_t>& sizes,
                             unsigned mask, std::vector<double> to) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), at = 0, step = 1;
    for (std::size_t d = sizes.size(); d-- > 0;) {
      const std::int64_t coordinate = rest % sizes[d];
      rest /= sizes[d];
      if ((mask >> d & 1) != 0) continue;
      at += coordinate * step;
      step *= sizes[d];
    }
    to[static_cast<std::size_t>(at)] += x[i];
  }
  return to;
}

TEST(ReduceSum, WritesOrAddsOverEverySetOfAxes) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {7},        {3, 5},         {2, 3, 4},   {3, 2, 2, 3}, {5, 1, 4, 2}, {40, 3, 6},
      {3, 50, 2}, {2, 70, 3, 40}, {300, 2, 3}, {10, 5000},   {3000, 70}};
  for (const std::vector<std::int64_t>& sizes : shapes) {
    std::vector<double> x;  // whole numbers: any order of adding gives the same
    for (std::int64_t i = 0; i < product(sizes); ++i)
      x.push_back(static_cast<double>(i * 37 % 101));
    for (unsigned mask = 0; mask < 1u << sizes.size(); ++mask) {
      bool reduced[4] = {};
      std::int64_t kept = 1;
      for (std::size_t d = 0; d < sizes.size(); ++d) {
        reduced[d] = (mask >> d & 1) != 0;
        if (!reduced[d]) kept *= sizes[d];
      }
      for (const bool accumulate : {false, true}) {
        std::vector<double> before, to;
        for (std::int64_t i = 0; i < kept; ++i) {
          before.push_back(accumulate ? static_cast<double>(1000 + i) : 0);
          to.push_back(static_cast<double>(1000 + i));
        }
        reduce_sum(DType::kFloat64, reinterpret_cast<const std::byte*>(x.data()), sizes, reduced,
                   reinterpret_cast<std::byte*>(to.data()), accumulate);
        ASSERT_EQ(to, textbook(x, sizes, mask, before))
            << sizes.size() << " axes, the first " << sizes[0] << ", mask " << mask
            << (accumulate ? ", added" : "");
      }
    }
  }
}

TEST(SumColumns, OfAFewThatLieInWideRows) {
  const std::int64_t stride = 11;
  for (const std::int64_t rows : {1, 7, 300, 5001}) {
    std::vector<double> x;
    for (std::int64_t i = 0; i < rows * stride; ++i) x.push_back(static_cast<double>(i * 37 % 101));
    for (std::int64_t columns = 1; columns <= stride; ++columns) {
      for (const bool accumulate : {false, true}) {
        std::vector<double> to(static_cast<std::size_t>(columns), 1000), expected(to.size());
        for (std::int64_t j = 0; j < columns; ++j) {
          double total = accumulate ? 1000 : 0;
          for (std::int64_t r = 0; r < rows; ++r)
            total += x[static_cast<std::size_t>(r * stride + j)];
          expected[static_cast<std::size_t>(j)] = total;
        }
        row_kernels<double>().sum_columns(x.data(), rows, columns, stride, to.data(), accumulate);
        ASSERT_EQ(to, expected) << rows << " rows, " << columns << " columns";
      }
    }
  }
}

}  // namespace
}  // namespace wengert::kernels
