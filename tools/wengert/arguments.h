#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// What the program's commands say about their arguments. The parser behind it is slow to compile,
// so only arguments.cc knows it.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace wengert::tools {

/// One argument of a command, to say more about it. Valid as long as its Program.
class Argument {
 public:
  Argument& required();
  /// Help shows the value that the variable has now.
  Argument& shows_default();
  /// Values outside [low, high] are wrong usage; help shows both.
  Argument& between(int low, int high);
  Argument& between(double low, double high);
  /// Values below 0 are wrong usage.
  Argument& not_negative();
  /// Giving both is wrong usage.
  Argument& excludes(const Argument& other);
  /// Help does not show it.
  Argument& hidden();

 private:
  friend class Command;
  explicit Argument(CLI::Option& option) : option_(&option) {}
  CLI::Option* option_;
};

/// One command. Variables are written when the program is parsed and must live until then. Names
/// are "--rate", "-o,--output", or "MODEL" for an argument by position. Valid as long as its
/// Program.
class Command {
 public:
  Argument option(const std::string& name, std::string& to, const std::string& help);
  Argument option(const std::string& name, std::vector<std::string>& to, const std::string& help);
  Argument option(const std::string& name, int& to, const std::string& help);
  Argument option(const std::string& name, std::int64_t& to, const std::string& help);
  Argument option(const std::string& name, std::uint64_t& to, const std::string& help);
  Argument option(const std::string& name, double& to, const std::string& help);
  /// True when it is given.
  Argument flag(const std::string& name, bool& to, const std::string& help);
  /// Called when it is given.
  Argument flag(const std::string& name, std::function<void()> given, const std::string& help);
  /// The last line of its help.
  Command& example(const std::string& line);
  /// What runs the command, once all its variables are written.
  Command& runs(std::function<void()> body);

 private:
  friend class Program;
  explicit Command(CLI::App& app) : app_(&app) {}
  CLI::App* app_;
};

/// The program: its commands, of which each call runs one.
class Program {
 public:
  Program(const std::string& description, const std::string& footer, const std::string& version);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  Command command(const std::string& name, const std::string& help);
  /// Parses and runs the command. Returns the exit status: 0 when it returned or help was asked
  /// for, 2 after one line on standard error about wrong usage. What the command throws passes
  /// through.
  int run(int argc, const char* const* argv);

 private:
  CLI::App* app_;
};

}  // namespace wengert::tools
