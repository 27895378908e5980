#include "tools/wengert/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "CLI/CLI.hpp"
#include "tools/wengert/console.h"
#include "wengert/graph/text.h"

namespace wengert::tools {
namespace {

/// A decimal number and nothing else, within its type: the parser would take −1 for 2⁶⁴ − 1, and
/// 010 for 8. What it gets is written anew.
template <class T>
CLI::Validator whole_text() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        T value;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        const bool whole = error == std::errc() && stop == end;
        if constexpr (std::is_floating_point_v<T>) {
          if (whole && std::isfinite(value)) return {};
          return "'" + text + "' is no finite number";
        }
        if (whole) {
          text = std::to_string(value);
          return {};
        }
        return "'" + text + "' is no whole number from " +
               std::to_string(std::numeric_limits<T>::min()) + " to " +
               std::to_string(std::numeric_limits<T>::max());
      },
      "");
}

/// Any text but an empty one, which is a variable that was not set rather than a wish.
CLI::Validator some_text() {
  return CLI::Validator(
      [](std::string& text) { return text.empty() ? std::string("is empty") : std::string(); }, "");
}

}  // namespace

Argument& Argument::required() {
  option_->required();
  return *this;
}

Argument& Argument::shows_default() {
  option_->capture_default_str();
  return *this;
}

Argument& Argument::between(int low, int high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::between(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::not_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Argument& Argument::excludes(const Argument& other) {
  option_->excludes(other.option_);
  return *this;
}

Argument& Argument::hidden() {
  option_->group("");
  return *this;
}

Argument Command::option(const std::string& name, std::string& to, const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->check(some_text()));
}

Argument Command::option(const std::string& name, std::vector<std::string>& to,
                         const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->check(some_text()));
}

Argument Command::option(const std::string& name, int& to, const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->transform(whole_text<int>()));
}

Argument Command::option(const std::string& name, std::int64_t& to, const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->transform(whole_text<std::int64_t>()));
}

Argument Command::option(const std::string& name, std::uint64_t& to, const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->transform(whole_text<std::uint64_t>()));
}

Argument Command::option(const std::string& name, double& to, const std::string& help) {
  return Argument(*app_->add_option(name, to, help)->transform(whole_text<double>()));
}

Argument Command::flag(const std::string& name, bool& to, const std::string& help) {
  return Argument(*app_->add_flag(name, to, help));
}

Argument Command::flag(const std::string& name, std::function<void()> given,
                       const std::string& help) {
  return Argument(*app_->add_flag_callback(name, std::move(given), help));
}

Command& Command::example(const std::string& line) {
  app_->footer("Example: " + line);
  return *this;
}

Command& Command::runs(std::function<void()> body) {
  app_->callback(std::move(body));
  return *this;
}

Program::Program(const std::string& description, const std::string& footer,
                 const std::string& version)
    : app_(new CLI::App(description)) {
  app_->require_subcommand(1);
  app_->footer(footer);
  app_->set_version_flag("--version", version);
}

Program::~Program() { delete app_; }

Command Program::command(const std::string& name, const std::string& help) {
  return Command(*app_->add_subcommand(name, help));
}

int Program::run(int argc, const char* const* argv) {
  const bool names_command = argc > 1 && argv[1][0] != '-';
  // The parser alone would only say that some command is missing.
  std::vector<std::string> names;
  for (const CLI::App* command : app_->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (names_command && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    const std::string close = closest(argv[1], names);
    complain("there is no command '" + std::string(argv[1]) + "'; " +
             (close.empty() ? "see wengert --help" : "did you mean '" + close + "'?"));
    return 2;
  }
  for (int i = 1; i < argc; ++i) {  // the parser would take the next argument for its value
    const std::string_view word = argv[i];
    if (!word.starts_with("--") || word.find('=') != word.size() - 1) continue;
    complain("'" + std::string(word) + "' gives no value; write --name=value");
    return 2;
  }
  try {
    app_->parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app_->exit(e);  // help and version
    const std::string command = names_command ? std::string(argv[1]) + " " : "";
    complain(std::string(e.what()) + "; see wengert " + command + "--help");
    return 2;
  }
}

}  // namespace wengert::tools
