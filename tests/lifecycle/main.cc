#include <gtest/gtest.h>

#include <cstring>

#include "wengert/tests/lifecycle/lives.h"
#include "wengert/tests/sanitizers.h"

#if WENGERT_ADDRESS_SANITIZER
namespace {
bool g_is_a_life = false;
}
/// Asked by the leak checker when a process ends: lives end with things alive, on purpose.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return g_is_a_life ? 1 : 0; }
#endif

/// The tests; or with --life NAME one life.
int main(int count, char** words) {
  if (count == 3 && std::strcmp(words[1], "--life") == 0) {
    ::alarm(wengert::lifecycle::kMostSeconds);
#if WENGERT_ADDRESS_SANITIZER
    g_is_a_life = true;
#endif
    wengert::kernels::set_thread_count(3);
    for (const auto& life : wengert::lifecycle::lives()) {
      if (life.name != words[2]) continue;
      life.run();
      return 0;
    }
    wengert::lifecycle::wrong("there is no such life");
  }
  ::testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
