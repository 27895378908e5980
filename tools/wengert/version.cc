#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/op.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::tools {

void add_version(Program& program) {
  Command command = program.command(
      "version", "Print the version, the CPU level in use and the number of threads");
  auto json = std::make_shared<bool>(false);
  command.flag("--json", *json, "print JSON");
  command.example("wengert version --json").runs([json] {
    const auto ops = static_cast<int>(registered_ops().size());
    const char* level = kernels::cpu_level_name(kernels::cpu_level());
    if (*json) {
      const nlohmann::ordered_json out = {{"version", WENGERT_VERSION},
                                          {"cpu", kernels::cpu_description()},
                                          {"cpu_level", level},
                                          {"threads", kernels::thread_count()},
                                          {"ops", ops}};
      print_json(out);
      return;
    }
    std::printf("wengert %s\nCPU: %s, kernels of level %s, %d threads\n%d ops\n", WENGERT_VERSION,
                kernels::cpu_description().c_str(), level, kernels::thread_count(), ops);
  });
}

}  // namespace wengert::tools
