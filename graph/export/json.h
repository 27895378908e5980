#pragma once

#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/export/graph_view.h"

namespace wengert {

/// A view as JSON (RFC 8259): everything a GraphView holds, with edges naming node ids. Numbers
/// read back exactly; what is not finite is the string "nan", "inf" or "-inf". The same view gives
/// the same bytes.
WENGERT_API std::string to_json(const GraphView& view);

}  // namespace wengert
