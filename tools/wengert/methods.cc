#include <cstdio>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/nn/initializers.h"
#include "wengert/optim/method.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"

// The pages of optimizers, passes, schedules and initializers, printed from their records.
namespace wengert::tools {
namespace {

using Json = nlohmann::ordered_json;

int width(std::string_view text) { return static_cast<int>(text.size()); }

void print_line(const char* title, std::string_view text) {
  std::printf("  %-16s%.*s\n", title, width(text), text.data());
}

Json options_json(const std::vector<optim::OptionDef>& options) {
  Json list = Json::array();
  for (const optim::OptionDef& option : options) {
    Json one = {{"name", option.name}};
    if (option.list != optim::ListKind::kNone) {
      one["default"] = option.initial.list();
    } else if (option.words.empty()) {
      one["default"] = static_cast<double>(option.initial);
    } else {
      one["default"] = option.text(option.initial);
    }
    one["values"] = option.values();
    one["meaning"] = option.doc;
    list.push_back(std::move(one));
  }
  return list;
}

/// What both kinds of record have.
template <class Def>
Json common_json(const Def& def) {
  return {{"name", def.name},
          {"summary", def.doc.summary},
          {"formula", def.doc.formula},
          {"notes", def.doc.notes},
          {"options", options_json(def.options())},
          {"source", def.doc.source}};
}

template <class Def>
void print_common(const Def& def) {
  std::printf("%.*s — %.*s\n", width(def.name), def.name.data(), width(def.doc.summary),
              def.doc.summary.data());
  print_line("formula", def.doc.formula);
  print_line("notes", def.doc.notes);
  const char* title = "options";
  for (const optim::OptionDef& option : def.options()) {
    print_line(title, std::string(option.name) + " = " + option.text(option.initial) + ", " +
                          option.values() + ": " + std::string(option.doc));
    title = "";
  }
  print_line("source", def.doc.source);
}

Json as_json(const optim::MethodDef& method) {
  Json json = common_json(method);
  json["keeps"] = Json::array();
  for (const optim::SlotDef& slot : method.slots) json["keeps"].push_back(slot.name);
  json["rows"] = name_of(method.rows);
  return json;
}
Json as_json(const optim::PassDef& pass) {
  Json json = common_json(pass);
  json["stage"] = name_of(pass.stage);
  if (pass.stage == PassStage::kGradients) json["takes_rows"] = pass.takes_rows;
  return json;
}

Json as_json(const optim::ScheduleDef& schedule) {
  Json json = common_json(schedule);
  json["watches"] = schedule.observe != nullptr;
  return json;
}

std::string_view rows_words(optim::RowUpdates rows) {
  switch (rows) {
    case optim::RowUpdates::kExact:
      return "exact: rows without a gradient stay as they are, as by the formula";
    case optim::RowUpdates::kLazy:
      return "lazy: rows without a gradient and what is kept of them stay as they are";
    case optim::RowUpdates::kDense:
      break;
  }
  return "made dense";
}

void print_page(const optim::MethodDef& method) {
  print_common(method);
  std::string keeps;
  for (const optim::SlotDef& slot : method.slots) {
    keeps += (keeps.empty() ? "" : ", ") + std::string(slot.name);
    if (slot.used != nullptr) keeps += " (with some options)";
  }
  print_line("keeps", keeps.empty() ? "nothing" : keeps);
  print_line("rows", rows_words(method.rows));
  std::printf("Use it: wengert train mlp --optimizer %.*s --option NAME=VALUE\n",
              width(method.name), method.name.data());
}
void print_page(const optim::PassDef& pass) {
  print_common(pass);
  print_line("stage", name_of(pass.stage));
  if (pass.stage == PassStage::kGradients) {
    print_line("rows", pass.takes_rows ? "as they are" : "made dense");
  }
}

void print_page(const optim::ScheduleDef& schedule) {
  print_common(schedule);
  print_line("depends on", schedule.observe != nullptr ? "what is watched" : "the step alone");
  std::printf("Use it: wengert train mlp --schedule %.*s --schedule-option NAME=VALUE\n",
              width(schedule.name), schedule.name.data());
}

std::vector<const nn::InitializerNumber*> numbers_of(const nn::InitializerDef& initializer) {
  std::vector<const nn::InitializerNumber*> numbers;
  for (const nn::InitializerNumber& number : initializer.numbers) {
    if (!number.name.empty()) numbers.push_back(&number);
  }
  return numbers;
}

Json as_json(const nn::InitializerDef& initializer) {
  Json options = Json::array();
  for (const nn::InitializerNumber* number : numbers_of(initializer)) {
    options.push_back(
        {{"name", number->name}, {"values", "a number"}, {"meaning", number->meaning}});
  }
  return {{"name", initializer.name},           {"summary", initializer.doc.summary},
          {"formula", initializer.doc.formula}, {"notes", initializer.doc.notes},
          {"options", std::move(options)},      {"source", initializer.doc.source}};
}

void print_page(const nn::InitializerDef& initializer) {
  std::printf("%.*s — %.*s\n", width(initializer.name), initializer.name.data(),
              width(initializer.doc.summary), initializer.doc.summary.data());
  print_line("formula", initializer.doc.formula);
  print_line("notes", initializer.doc.notes);
  const char* title = "options";
  for (const nn::InitializerNumber* number : numbers_of(initializer)) {
    print_line(title, std::string(number->name) + " = a number: " + std::string(number->meaning));
    title = "";
  }
  print_line("source", initializer.doc.source);
  std::printf("Use it: linear(parameters, \"fc\", x, 10, {.weight = nn::%.*s(…)})\n",
              width(initializer.name), initializer.name.data());
}

/// Prints the page of the one called `name`, or a list of all; `kind` is the command.
template <class Def>
void run(const std::vector<const Def*>& all, const char* kind, const std::string& name, bool json) {
  if (!name.empty()) {
    std::vector<std::string> names;
    for (const Def* def : all) {
      names.emplace_back(def->name);
      if (def->name != name) continue;
      if (json) {
        print_json(as_json(*def));
      } else {
        print_page(*def);
      }
      return;
    }
    const std::string close = closest(name, names);
    throw Error(ErrorKind::kValue, kind, "no '" + name + "' is among them",
                close.empty() ? "`wengert " + std::string(kind) + "` lists all"
                              : "did you mean '" + close + "'?");
  }
  Json list = Json::array();
  for (const Def* def : all) {
    if (json) {
      list.push_back(as_json(*def));
    } else {
      std::printf("%-17.*s %.*s\n%-17s %.*s\n", width(def->name), def->name.data(),
                  width(def->doc.summary), def->doc.summary.data(), "", width(def->doc.formula),
                  def->doc.formula.data());
    }
  }
  if (json) {
    print_json(list);
  } else {
    std::printf("%zu %s. `wengert %s NAME` prints the page of one.\n", all.size(), kind, kind);
  }
}

/// A command that prints pages; `all` gives the records.
template <class All>
void add_pages(Program& program, const char* kind, All all, const char* example) {
  Command command =
      program.command(kind, "List the " + std::string(kind) + ", or print the page of one");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command.option("NAME", *name, "one of them; all when left out");
  command.flag("--json", *json, "print JSON: a list, or one object");
  command.example("wengert " + std::string(kind) + " " + example).runs([=] {
    run(all(), kind, *name, *json);
  });
}

}  // namespace

void add_optimizers(Program& program) {
  add_pages(program, "optimizers", optim::registered_methods, "adam");
}
void add_passes(Program& program) {
  add_pages(program, "passes", optim::registered_passes, "l2_penalty");
}

void add_schedules(Program& program) {
  add_pages(program, "schedules", optim::registered_schedules, "linear_decay");
}

void add_initializers(Program& program) {
  add_pages(program, "initializers", nn::registered_initializers, "he_normal");
}

}  // namespace wengert::tools
