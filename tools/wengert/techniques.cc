#include "tools/wengert/techniques.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"
#include "techniques_table.h"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

// Which technique of the literature is where: the rows of docs/techniques.tsv.
namespace wengert::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Technique {
  std::string id, kind, symbol, file, test, mistake;
  bool planned() const { return symbol == "planned"; }
  std::string section() const { return id.substr(0, id.find('/')); }
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<Technique> table() {
  std::vector<Technique> rows;
  bool head = true;
  for (const std::string& line : split(kTechniques, '\n')) {
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() == 6 && !head) {
      rows.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]});
    }
    head = false;
  }
  return rows;
}

Json as_json(const Technique& row) {
  if (row.planned()) return {{"id", row.id}, {"kind", row.kind}, {"planned", true}};
  return {{"id", row.id},     {"kind", row.kind}, {"planned", false},      {"symbol", row.symbol},
          {"file", row.file}, {"test", row.test}, {"mistake", row.mistake}};
}

void print_page(const Technique& row) {
  std::printf("%s, %s\n", row.id.c_str(), row.kind.c_str());
  if (row.planned()) {
    std::printf("  planned\n");
    return;
  }
  std::printf("  symbol   %s\n  file     %s\n  test     %s\n", row.symbol.c_str(), row.file.c_str(),
              row.test.c_str());
  if (row.mistake != "-") std::printf("  mistake  %s\n", row.mistake.c_str());
}

void print_list(const std::vector<Technique>& rows) {
  std::size_t planned = 0;
  std::string section;
  for (const Technique& row : rows) {
    if (row.section() != section) std::printf("%s\n", (section = row.section()).c_str());
    std::printf("  %-46s %-12s %s\n", row.id.c_str(), row.kind.c_str(), row.symbol.c_str());
    planned += row.planned();
  }
  std::printf("%zu techniques, %zu of them planned. `wengert techniques ID` prints one.\n",
              rows.size(), planned);
}

void run(const std::string& wanted, bool json) {
  std::vector<Technique> chosen;
  std::vector<std::string> names;
  for (Technique& row : table()) {
    names.push_back(row.id);
    if (row.id == wanted) {
      if (json) return print_json(as_json(row));
      return print_page(row);
    }
    if (wanted.empty() || row.section() == wanted) chosen.push_back(std::move(row));
  }
  if (chosen.empty()) {
    const std::string close = closest(wanted, names);
    throw Error(ErrorKind::kValue, "techniques", "no '" + wanted + "' is among them",
                close.empty() ? "`wengert techniques` lists all" : "did you mean '" + close + "'?");
  }
  if (!json) return print_list(chosen);
  Json list = Json::array();
  for (const Technique& row : chosen) list.push_back(as_json(row));
  print_json(list);
}

}  // namespace

std::vector<std::string> ops_of_section(std::string_view section) {
  std::vector<std::string> names;
  for (const Technique& row : table()) {
    if (row.planned() || row.kind != "op" || row.section() != section) continue;
    if (std::find(names.begin(), names.end(), row.symbol) == names.end()) {
      names.push_back(row.symbol);
    }
  }
  return names;
}

void add_techniques(Program& program) {
  Command command = program.command(
      "techniques", "List the techniques of the literature and where each is, or print one");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command.option("ID", *name, "one of them, or a section such as `optimizer`; all when left out");
  command.flag("--json", *json, "print JSON: a list, or one object");
  command.example("wengert techniques activation/gelu-erf").runs([=] { run(*name, *json); });
}

}  // namespace wengert::tools
