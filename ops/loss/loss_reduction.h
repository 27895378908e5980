#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/loss/reduction.h"
#include "wengert/ops/records.h"

// The reduction that all losses share, on memory. Private to the library.

namespace wengert::ops {

/// An operand that may be left out: no data.
template <class Context>
TensorView operand_or_none(const Context& call, int i) {
  return call.has(i) ? call.input(i) : TensorView{};
}

/// Its elements from `at` on, or null.
template <class T>
const T* elements_or_none(const DenseInput& operand, std::int64_t at = 0) {
  return operand.view().data == nullptr ? nullptr : operand.view().as<T>() + at;
}

/// The reduction of one call: n single losses, their weights (null: all 1), and how much of its
/// weight each counts in the mean's denominator (null: all of it).
template <class T>
class LossReduction {
 public:
  LossReduction(Reduction reduction, std::int64_t n, const T* weights, const T* counted = nullptr);
  /// Writes what becomes of the losses; losses_of(at, count, T* to) writes `count` of them from
  /// `at` on and is called on the pool.
  template <class Losses>
  void reduce(const Losses& losses_of, T* to) const;
  /// Calls body(at, count, g) for runs of single losses, on the pool, with their cotangents from
  /// `cotangent`, that of the result.
  template <class Body>
  void spread(const T* cotangent, const Body& body) const;

 private:
  static constexpr std::int64_t kTask = 32768, kTile = 2304;
  /// Calls body(at, count) for every tile of a task.
  template <class Body>
  void by_tile(std::int64_t task, const Body& body) const;
  template <class Body>
  void by_task(const Body& body) const;
  /// Σ over all, with terms_of(at, count, T* to): cut by the size alone, so that the bits do not
  /// depend on threads.
  template <class Terms>
  double sum(const Terms& terms_of) const;
  void weigh(T* losses, std::int64_t at, std::int64_t count) const;

  Reduction reduction_;
  std::int64_t n_;
  const T* weights_;
  double denominator_ = 1;
};

template <class T>
LossReduction<T>::LossReduction(Reduction reduction, std::int64_t n, const T* weights,
                                const T* counted)
    : reduction_(reduction), n_(n), weights_(weights) {
  const bool weighted = reduction == Reduction::kMean && (weights != nullptr || counted != nullptr);
  if (weighted) {
    denominator_ = sum([&](std::int64_t at, std::int64_t count, T* to) {
      if (counted != nullptr) {
        std::copy(counted + at, counted + at + count, to);
        weigh(to, at, count);
      } else {
        std::copy(weights + at, weights + at + count, to);
      }
    });
  } else if (reduction == Reduction::kMean || reduction == Reduction::kMeanOverAll) {
    denominator_ = static_cast<double>(n);
  }
}

template <class T>
template <class Body>
void LossReduction<T>::by_tile(std::int64_t task, const Body& body) const {
  const std::int64_t begin = task * kTask, end = std::min(n_, begin + kTask);
  WENGERT_SPLIT(LossTiles, end - begin, kTile);
  for (std::int64_t at = begin; at < end; at += kTile) body(at, std::min(kTile, end - at));
}

template <class T>
template <class Body>
void LossReduction<T>::by_task(const Body& body) const {
  WENGERT_SPLIT(LossTasks, n_, kTask);
  kernels::parallel_for((n_ + kTask - 1) / kTask, body);
}

template <class T>
template <class Terms>
double LossReduction<T>::sum(const Terms& terms_of) const {
  std::vector<double> sums(static_cast<std::size_t>((n_ + kTask - 1) / kTask));
  by_task([&](std::int64_t task) {
    T tile[kTile];
    double total = 0;
    by_tile(task, [&](std::int64_t at, std::int64_t count) {
      terms_of(at, count, tile);
      total += static_cast<double>(kernels::row_kernels<T>().sum(tile, count));
    });
    sums[static_cast<std::size_t>(task)] = total;
  });
  double total = 0;
  for (const double each : sums) total += each;
  return total;
}

template <class T>
void LossReduction<T>::weigh(T* losses, std::int64_t at, std::int64_t count) const {
  if (weights_ == nullptr) return;
  const void* in[] = {weights_ + at, losses};
  cotangent_product_op.elementwise->kernels->forward[static_cast<int>(dtype_of<T>)](in, losses,
                                                                                    count, nullptr);
}

template <class T>
template <class Losses>
void LossReduction<T>::reduce(const Losses& losses_of, T* to) const {
  if (reduction_ == Reduction::kNone) {
    by_task([&](std::int64_t task) {
      by_tile(task, [&](std::int64_t at, std::int64_t count) {
        losses_of(at, count, to + at);
        weigh(to + at, at, count);
      });
    });
    return;
  }
  const double total = sum([&](std::int64_t at, std::int64_t count, T* tile) {
    losses_of(at, count, tile);
    weigh(tile, at, count);
  });
  *to = static_cast<T>(total / denominator_);
}

template <class T>
template <class Body>
void LossReduction<T>::spread(const T* cotangent, const Body& body) const {
  const bool shared = reduction_ != Reduction::kNone;
  const bool alike = shared && weights_ == nullptr;  // all tiles are
  T share = 0;
  if (shared && *cotangent != 0) share = *cotangent / static_cast<T>(denominator_);
  by_task([&](std::int64_t task) {
    T tile[kTile];
    if (alike) std::fill_n(tile, std::min(kTile, n_), share);
    by_tile(task, [&](std::int64_t at, std::int64_t count) {
      if (!shared) {
        std::copy(cotangent + at, cotangent + at + count, tile);
      } else if (!alike) {
        std::fill_n(tile, count, share);
      }
      weigh(tile, at, count);
      body(at, count, static_cast<const T*>(tile));
    });
  });
}

}  // namespace wengert::ops
