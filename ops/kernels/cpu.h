#pragma once

#include <string>

#include "wengert/graph/api.h"

namespace wengert::kernels {

/// The instruction sets that kernels are compiled for, each containing the ones before it.
///
/// kBaseline is what every CPU of the architecture has (SSE2 on x86-64); kAvx2 means AVX2 and FMA;
/// kAvx512 means AVX-512 F, BW, DQ and VL on top of kAvx2.
enum class CpuLevel : int { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

/// The level that kernels run at, detected at the first call and the same ever after.
///
/// The environment variable WENGERT_CPU_LEVEL (baseline, avx2 or avx512) lowers it, which helps to
/// reproduce another machine's bits; it never raises it, and any other value is ignored.
WENGERT_API CpuLevel cpu_level();

/// "baseline", "avx2" or "avx512".
WENGERT_API const char* cpu_level_name(CpuLevel level);

/// One line for reports: the CPU's name, what it supports, and the level in use if that is lower.
WENGERT_API std::string cpu_description();

}  // namespace wengert::kernels
