#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"

namespace {

/// An error without the line that made the call, which is this program's own.
std::string told(const wengert::Error& error) {
  std::string text = error.op().empty() ? "" : error.op() + ": ";
  text += error.message();
  if (!error.fix().empty()) text += "; " + error.fix();
  return text;
}

/// The status, unless what was printed did not all arrive.
int ended(int status) {
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return status;
  const std::string why = flushed ? "" : std::string(": ") + std::strerror(errno);
  wengert::tools::complain("not all of it could be written to standard output" + why);
  return status != 0 ? status : 1;
}

}  // namespace

// The `wengert` program. Exit status: 0 done, 1 failed, 2 wrong usage.
int main(int argc, char** argv) {
  using namespace wengert::tools;
  prepare_process();
  Program program(
      "wengert: train small networks, look at their graphs, check gradients, measure.\n"
      "Each command has --help with an example.",
      "First steps:\n  wengert train mlp --out run1     train and leave pictures\n"
      "  wengert graph mlp -o mlp.svg     draw a network with its gradient flow\n"
      "  wengert plot activations -o a.svg   draw every activation with its derivatives\n"
      "  wengert ops tanh                 the page of an op",
      std::string("wengert ") + WENGERT_VERSION);
  add_train(program);
  add_ablate(program);
  add_rate_range(program);
  add_predict(program);
  add_graph(program);
  add_plot(program);
  add_kinds(program);
  add_ops(program);
  add_optimizers(program);
  add_passes(program);
  add_schedules(program);
  add_initializers(program);
  add_techniques(program);
  add_gradcheck(program);
  add_bench(program);
  add_version(program);
  try {
    return ended(program.run(argc, argv));
  } catch (const CommandFailed&) {
    return 1;
  } catch (const wengert::Error& e) {
    complain(told(e));
    if (e.kind() == wengert::ErrorKind::kValue) return 2;  // an argument outside its domain
  } catch (const std::bad_alloc&) {
    complain("out of memory; try a smaller batch");
  } catch (const std::exception& e) {
    complain(e.what());
  }
  return 1;
}
