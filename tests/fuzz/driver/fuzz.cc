// One program of all targets under libFuzzer; WENGERT_FUZZ names the target. Its flags are
// libFuzzer's.
#include <cstdio>
#include <cstdlib>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/tests/fuzz/target.h"

namespace {

const wengert::fuzz::Target& chosen() {
  const char* name = std::getenv("WENGERT_FUZZ");
  const wengert::fuzz::Target* target = wengert::fuzz::find_target(name == nullptr ? "" : name);
  if (target != nullptr) return *target;
  std::fprintf(stderr, "set WENGERT_FUZZ to one of:");
  for (const wengert::fuzz::Target& each : wengert::fuzz::targets()) {
    std::fprintf(stderr, " %s", each.name);
  }
  std::fprintf(stderr, "\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  chosen();
  wengert::kernels::set_thread_count(1);
  return 0;
}

// What a target throws ends the program, and libFuzzer keeps the bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  static const wengert::fuzz::Target& target = chosen();
  target.run(wengert::fuzz::Input({data, count}));
  return 0;
}
