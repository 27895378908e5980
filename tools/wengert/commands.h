#pragma once

#include "tools/wengert/arguments.h"

// One function a command: it adds the command to the program with its arguments, help text and what
// runs it. A command returns by itself on success and throws wengert::Error on failure.
namespace wengert::tools {

/// A failure that was already reported: the program exits with status 1.
struct CommandFailed {};

void add_train(Program& program);
void add_ablate(Program& program);
void add_rate_range(Program& program);
void add_predict(Program& program);
void add_graph(Program& program);
void add_plot(Program& program);
void add_kinds(Program& program);
void add_ops(Program& program);
void add_optimizers(Program& program);
void add_passes(Program& program);
void add_schedules(Program& program);
void add_initializers(Program& program);
void add_techniques(Program& program);
void add_gradcheck(Program& program);
void add_bench(Program& program);
void add_version(Program& program);

}  // namespace wengert::tools
