#pragma once

#include <string>

#include "wengert/graph/op.h"

// What ops with indices share. Private to the library.
namespace wengert::ops {

struct IndexAttributes {
  std::int64_t axis = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

/// Fails with kDType unless input i is int32 or int64.
inline void require_indices(const OpCall& call, int i) {
  if (call.dtype(i) != DType::kInt32 && call.dtype(i) != DType::kInt64) {
    call.fail(ErrorKind::kDType, "indices must be int32 or int64, got " + call.describe(i),
              "convert them with cast(indices, DType::kInt64)");
  }
}

/// The gradient of input i of which slices were taken along `axis`: the slices of g added up where
/// `indices` [k] say, in zeros.
Var add_slices(const VjpContext& c, int i, const Var& indices, const Var& g, int axis);

/// Reads dense indices of either dtype: negative ones count from the back, others out of range
/// fail with their position.
class IndexReader {
 public:
  IndexReader(const OpCall& call, const TensorView& indices, std::int64_t size)
      : call_(call), indices_(indices), size_(size) {}
  std::int64_t operator()(std::int64_t position) const {
    const std::int64_t index = indices_.dtype == DType::kInt32
                                   ? indices_.as<std::int32_t>()[position]
                                   : indices_.as<std::int64_t>()[position];
    if (index < -size_ || index >= size_) {
      const std::string size = std::to_string(size_);
      const std::string of = call_.input_count() > 1 ? " of " + call_.describe(0) : "";
      call_.fail(ErrorKind::kIndex,
                 "index " + std::to_string(index) + " at position " + std::to_string(position) +
                     " is out of range for size " + size,
                 size_ == 0
                     ? "there is no element" + of + " to take"
                     : "indices" + of + " go from -" + size + " to " + std::to_string(size_ - 1));
    }
    return index < 0 ? index + size_ : index;
  }

 private:
  const OpCall& call_;
  const TensorView& indices_;
  std::int64_t size_;
};

}  // namespace wengert::ops
