#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert {

/// What a picture tells about the elements of one floating tensor, or of several together.
struct WENGERT_API TensorStatistics {
  std::int64_t count = 0;       ///< elements
  std::int64_t zeros = 0;       ///< elements that are exactly 0
  std::int64_t non_finite = 0;  ///< NaN and infinities; the figures below leave them out
  double l2 = 0;                ///< √Σx²
  double max = 0;               ///< max |x|

  /// √(Σx²/n) over the n finite elements; 0 where there is none.
  double rms() const;
  /// zeros / count; 0 for an empty tensor.
  double zero_share() const;
  /// As if the elements of both were one tensor.
  void merge(const TensorStatistics& other);
};

/// Statistics of a floating tensor of any strides; squares neither overflow nor vanish.
/// Throws Error(kDType) on other dtypes.
WENGERT_API TensorStatistics
statistics_of(const Tensor& tensor, std::source_location where = std::source_location::current());

/// What one backward pass sent where; GradientFlow (autodiff/gradient_flow.h) fills it.
struct GradientRecord {
  /// What `consumer` sent back to its input `input`, before others' contributions were added.
  struct Edge {
    std::uint32_t consumer;
    std::int32_t input;
    TensorStatistics gradient;
  };
  /// A node when backward reached it.
  struct Node {
    std::uint32_t id;
    TensorStatistics gradient;                  ///< of the whole cotangent
    std::optional<std::int64_t> gradient_rows;  ///< how many rows lookups reached, where these are
                                                ///< all that is kept of it
    std::optional<TensorStatistics> value;      ///< none when not floating or given back before
    /// ‖Σgᵢ‖₂ / Σ‖gᵢ‖₂ over the consumers' contributions: 1 when they agree, 0 when they cancel;
    /// none for fewer than two contributions, or zero or non-finite ones.
    std::optional<double> cancellation;
    std::uint32_t saved_inputs;  ///< what it held for backward, a bit an input (31: all from there)
    bool saved_output;           ///< whether this output was held too
  };
  std::uint32_t tape = 0;  ///< Tape::serial(); 0 when nothing was recorded
  std::vector<Edge> edges;
  std::vector<Node> nodes;
};

}  // namespace wengert
