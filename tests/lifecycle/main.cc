#include <gtest/gtest.h>

#include <cstring>

#include "wengert/tests/lifecycle/lives.h"

/// The tests; or with --life NAME one life.
int main(int count, char** words) {
  if (count == 3 && std::strcmp(words[1], "--life") == 0) {
    ::alarm(60);
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
