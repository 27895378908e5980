#include <algorithm>
#include <cstdio>
#include <exception>

#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace {

/// An error without the line that made the call, which is this program's own.
std::string told(const wengert::Error& error) {
  std::string text = error.op().empty() ? "" : error.op() + ": ";
  text += error.message();
  if (!error.fix().empty()) text += "; " + error.fix();
  return text;
}

}  // namespace

// The `wengert` program. Exit status: 0 done, 1 failed, 2 wrong usage.
int main(int argc, char** argv) {
  using namespace wengert::tools;
  CLI::App program{
      "wengert: train small networks, look at their graphs, check gradients, measure.\n"
      "Each command has --help with an example."};
  program.require_subcommand(1);
  program.footer(
      "First steps:\n  wengert train mlp --out run1     train and leave pictures\n"
      "  wengert graph mlp -o mlp.svg     draw a network with its gradient flow\n"
      "  wengert ops tanh                 the page of an op");
  add_train(program);
  add_predict(program);
  add_graph(program);
  add_ops(program);
  add_gradcheck(program);
  add_bench(program);
  add_version(program);
  program.set_version_flag("--version", std::string("wengert ") + WENGERT_VERSION);
  // The parser alone would only say that some command is missing.
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (argc > 1 && argv[1][0] != '-' &&
      std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    const std::string close = wengert::closest(argv[1], names);
    std::fprintf(stderr, "wengert: there is no command '%s'; %s\n", argv[1],
                 close.empty() ? "see wengert --help" : ("did you mean '" + close + "'?").c_str());
    return 2;
  }
  try {
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return program.exit(e);  // help and version
    const std::string command = argc > 1 && argv[1][0] != '-' ? std::string(argv[1]) + " " : "";
    std::fprintf(stderr, "wengert: %s; see wengert %s--help\n", e.what(), command.c_str());
    return 2;
  } catch (const CommandFailed&) {
    return 1;
  } catch (const wengert::Error& e) {
    clear_progress();
    std::fprintf(stderr, "wengert: %s\n", told(e).c_str());
    if (e.kind() == wengert::ErrorKind::kValue) return 2;  // an argument outside its domain
  } catch (const std::bad_alloc&) {
    clear_progress();
    std::fprintf(stderr, "wengert: out of memory; try a smaller batch\n");
  } catch (const std::exception& e) {
    clear_progress();
    std::fprintf(stderr, "wengert: %s\n", e.what());
  }
  return 1;
}
