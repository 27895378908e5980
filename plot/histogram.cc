#include "wengert/plot/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::plot {

Band histogram(std::string name, std::span<const double> samples, double low, double high, int bins,
               std::source_location where) {
  const detail::CallSite site(where);
  if (!(low < high) || !std::isfinite(high - low)) {
    throw Error(ErrorKind::kValue, "histogram",
                "intervals from " + format_number(low) + " to " + format_number(high),
                "give two finite ends, the lower one first");
  }
  if (bins < 1 || bins > 10'000) {
    throw Error(ErrorKind::kValue, "histogram", std::to_string(bins) + " intervals",
                "give 1 to 10000");
  }
  std::vector<double> counts(static_cast<std::size_t>(bins));
  for (const double sample : samples) {
    if (!(sample >= low && sample <= high)) continue;
    const double place = (sample - low) / (high - low) * bins;
    ++counts[std::min(static_cast<std::size_t>(place), counts.size() - 1)];
  }
  const double width = (high - low) / bins;
  Band band{.name = std::move(name)};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double density =
        samples.empty() ? 0 : counts[i] / (static_cast<double>(samples.size()) * width);
    for (const std::size_t edge : {i, i + 1}) {
      band.x.push_back(low + width * static_cast<double>(edge));
      band.low.push_back(0);
      band.high.push_back(density);
    }
  }
  return band;
}

}  // namespace wengert::plot
