#pragma once

#include "CLI/CLI.hpp"

// One function a command: it adds the command to the program with its options, help text and what
// runs it. A command returns by itself on success and throws wengert::Error on failure.
namespace wengert::tools {

/// A failure that was already reported: the program exits with status 1.
struct CommandFailed {};

void add_train(CLI::App& program);
void add_predict(CLI::App& program);
void add_graph(CLI::App& program);
void add_ops(CLI::App& program);
void add_gradcheck(CLI::App& program);
void add_bench(CLI::App& program);
void add_version(CLI::App& program);

}  // namespace wengert::tools
