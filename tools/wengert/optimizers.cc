#include <cstdio>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "wengert/optim/method.h"

namespace wengert::tools {
namespace {

nlohmann::ordered_json as_json(const optim::MethodDef& method) {
  nlohmann::ordered_json options = nlohmann::ordered_json::array();
  for (const optim::OptionDef& option : method.options()) {
    nlohmann::ordered_json one = {{"name", option.name}};
    if (option.words.empty()) {
      one["default"] = option.initial;
    } else {
      one["default"] = option.text(option.initial);
    }
    one["values"] = option.values();
    one["meaning"] = option.doc;
    options.push_back(std::move(one));
  }
  nlohmann::ordered_json keeps = nlohmann::ordered_json::array();
  for (const optim::SlotDef& slot : method.slots) keeps.push_back(slot.name);
  return {{"name", method.name},
          {"summary", method.doc.summary},
          {"formula", method.doc.formula},
          {"notes", method.doc.notes},
          {"options", options},
          {"keeps", keeps},
          {"source", method.doc.source}};
}

void print_page(const optim::MethodDef& method) {
  const auto line = [](const char* title, std::string_view text) {
    std::printf("  %-16s%.*s\n", title, static_cast<int>(text.size()), text.data());
  };
  std::printf("%.*s — %.*s\n", static_cast<int>(method.name.size()), method.name.data(),
              static_cast<int>(method.doc.summary.size()), method.doc.summary.data());
  line("formula", method.doc.formula);
  line("notes", method.doc.notes);
  std::string keeps;
  for (const optim::SlotDef& slot : method.slots) {
    keeps += (keeps.empty() ? "" : ", ") + std::string(slot.name);
    if (slot.used != nullptr) keeps += " (with some options)";
  }
  line("keeps", keeps.empty() ? "nothing" : keeps);
  const char* title = "options";
  for (const optim::OptionDef& option : method.options()) {
    line(title, std::string(option.name) + " = " + option.text(option.initial) + ", " +
                    option.values() + ": " + std::string(option.doc));
    title = "";
  }
  line("source", method.doc.source);
  std::printf("Use it: wengert train mlp --optimizer %.*s --option NAME=VALUE\n",
              static_cast<int>(method.name.size()), method.name.data());
}

void run(const std::string& name, bool json) {
  if (!name.empty()) {
    const optim::MethodDef& method = optim::find_method(name);
    if (json) {
      std::printf("%s\n", as_json(method).dump(2).c_str());
    } else {
      print_page(method);
    }
    return;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const optim::MethodDef* method : optim::registered_methods()) {
    if (json) {
      list.push_back(as_json(*method));
    } else {
      std::printf("%-10.*s %.*s\n%-10s %.*s\n", static_cast<int>(method->name.size()),
                  method->name.data(), static_cast<int>(method->doc.summary.size()),
                  method->doc.summary.data(), "", static_cast<int>(method->doc.formula.size()),
                  method->doc.formula.data());
    }
  }
  if (json) {
    std::printf("%s\n", list.dump(2).c_str());
  } else {
    std::printf("%zu optimizers. `wengert optimizers NAME` prints the page of one.\n",
                optim::registered_methods().size());
  }
}

}  // namespace

void add_optimizers(Program& program) {
  Command command = program.command("optimizers", "List the optimizers, or print the page of one");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command.option("NAME", *name, "an optimizer's name; all when left out");
  command.flag("--json", *json, "print JSON: a list, or one object");
  command.example("wengert optimizers adam").runs([name, json] { run(*name, *json); });
}

}  // namespace wengert::tools
