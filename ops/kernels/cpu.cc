#include "wengert/ops/kernels/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace wengert::kernels {
namespace {

constexpr CpuLevel kLevels[] = {CpuLevel::kBaseline, CpuLevel::kAvx2, CpuLevel::kAvx512};

// What the CPU and the operating system support (the built-in looks at XCR0 too).
CpuLevel detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CpuLevel::kBaseline;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? CpuLevel::kAvx512 : CpuLevel::kAvx2;
#else
  return CpuLevel::kBaseline;
#endif
}

CpuLevel limited(CpuLevel supported) {
  const char* wish = std::getenv("WENGERT_CPU_LEVEL");
  if (wish == nullptr) return supported;
  for (CpuLevel level : kLevels) {
    if (std::strcmp(wish, cpu_level_name(level)) == 0) return std::min(level, supported);
  }
  return supported;
}

// The processor's own name from CPUID leaves 0x80000002..4, without surrounding spaces.
std::string brand() {
  std::string name;
#if defined(__x86_64__)
  unsigned registers[4];
  if (__get_cpuid(0x80000000u, &registers[0], &registers[1], &registers[2], &registers[3]) != 0 &&
      registers[0] >= 0x80000004u) {
    for (unsigned leaf = 0x80000002u; leaf <= 0x80000004u; ++leaf) {
      __get_cpuid(leaf, &registers[0], &registers[1], &registers[2], &registers[3]);
      char text[sizeof registers];
      std::memcpy(text, registers, sizeof registers);
      name.append(text, sizeof text);
    }
    name.resize(std::strlen(name.c_str()));
    const auto first = name.find_first_not_of(' ');
    const auto last = name.find_last_not_of(' ');
    name = first == std::string::npos ? "" : name.substr(first, last - first + 1);
  }
#endif
  return name.empty() ? "unknown CPU" : name;
}

}  // namespace

CpuLevel cpu_level() {
  static const CpuLevel level = limited(detect());
  return level;
}

const char* cpu_level_name(CpuLevel level) {
  switch (level) {
    case CpuLevel::kBaseline:
      return "baseline";
    case CpuLevel::kAvx2:
      return "avx2";
    case CpuLevel::kAvx512:
      return "avx512";
  }
  return "unknown";
}

std::string cpu_description() {
  const CpuLevel supported = detect();
  std::string text = brand() + ", " + cpu_level_name(supported);
  if (cpu_level() != supported) {
    text += std::string(" (limited to ") + cpu_level_name(cpu_level()) + ")";
  }
  return text;
}

}  // namespace wengert::kernels
