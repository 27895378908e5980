#include "wengert/ops/kernels/select.h"

#include "wengert/ops/kernels/level.h"
#include "wengert/ops/kernels/select_table.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(SelectTable, select_table)

void select(const std::uint8_t* condition, const void* a, const void* b, void* to, std::int64_t n,
            std::size_t bytes) {
  active_select_table().of[bytes / 4](condition, a, b, to, n);
}

}  // namespace wengert::kernels
