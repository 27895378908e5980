#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/text.h"
#include "wengert/ops/testing.h"

namespace wengert::tools {
namespace {

/// How an op is called, as the table declares it.
std::string call_of(std::string_view op) {
#define UNARY(name) \
  if (op == #name) return "Var " #name "(const Var& x)";
#define BINARY(name) \
  if (op == #name) return "Var " #name "(const Var& a, const Var& b)";
#define OP(name, result, parameters) \
  if (op == #name) return #result " " #name #parameters;
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
  return {};  // made by the tape
}

/// Which arguments a gradient flows into, in words.
std::string differentiable_inputs(const OpDef& op) {
  if (op.differentiable == 0) return "none";
  if (op.differentiable == kAllInputs) return "all";
  std::string text;
  for (int i = 0; i < 31; ++i) {
    if (op.is_differentiable(i)) text += (text.empty() ? "" : ", ") + std::to_string(i + 1);
  }
  return text;
}

/// Sets of inputs, counted from 1, in which the op is linear together: "1; 2, 3".
std::string linear_inputs(const OpDef& op) {
  std::string text;
  for (const std::uint32_t set : op.linear) {
    if (set == 0) continue;
    text += text.empty() ? "" : "; ";
    if (set == kAllInputs) {
      text += "in all together";
      continue;
    }
    bool first = true;
    for (int i = 0; i < 31; ++i) {
      if ((set >> i & 1u) == 0) continue;
      text += (first ? "in " : " with ") + std::to_string(i + 1);
      first = false;
    }
  }
  return text.empty() ? "in none" : text;
}

/// The derivative orders that the op's samples are checked to, by differences.
int orders_checked(const OpDef& op) {
  if (op.differentiable == 0) return 0;
  for (const testing::TestedOp& tested : testing::tested_ops()) {
    if (tested.name == op.name) return tested.tests().order;
  }
  return 0;
}

nlohmann::ordered_json as_json(const OpDef& op, int orders) {
  nlohmann::ordered_json differentiable = nlohmann::ordered_json::array();
  for (int i = 0; i < (op.max_inputs < 0 ? 1 : op.max_inputs); ++i) {
    if (op.is_differentiable(i)) differentiable.push_back(i);
  }
  return {{"name", op.name},
          {"summary", op.doc.summary},
          {"call", call_of(op.name)},
          {"formula", op.doc.formula},
          {"arguments", op.doc.arguments},
          {"inputs", {op.min_inputs, op.max_inputs}},
          {"differentiable", differentiable},
          {"gradient", op.doc.gradient},
          {"orders_checked", orders},
          {"source", op.doc.source}};
}

void print_page(const OpDef& op, int orders) {
  const auto line = [](const char* title, std::string_view text) {
    std::printf("  %-16s%.*s\n", title, static_cast<int>(text.size()), text.data());
  };
  std::printf("%.*s — %.*s\n", static_cast<int>(op.name.size()), op.name.data(),
              static_cast<int>(op.doc.summary.size()), op.doc.summary.data());
  const std::string call = call_of(op.name);
  if (!call.empty()) {
    line("call", call);
    line("", "in <wengert/wengert.h>; each call also takes a std::source_location");
  }
  line("formula", op.doc.formula);
  line("arguments", op.doc.arguments);
  line("differentiable", differentiable_inputs(op));
  line("linear", linear_inputs(op));
  line("gradient", op.doc.gradient);
  line("orders checked", std::to_string(orders));
  line("source", op.doc.source);
  std::printf("Check it: wengert gradcheck --op %.*s\n", static_cast<int>(op.name.size()),
              op.name.data());
}

const OpDef& require_op(const std::string& name) {
  if (const OpDef* op = find_op(name)) return *op;
  std::vector<std::string> names;
  for (const OpDef* op : registered_ops()) names.emplace_back(op->name);
  const std::string close = closest(name, names);
  throw Error(ErrorKind::kValue, "ops", "no op named '" + name + "'",
              close.empty() ? "`wengert ops` lists all" : "did you mean '" + close + "'?");
}

void run(const std::string& name, bool json) {
  if (!name.empty()) {
    const OpDef& op = require_op(name);
    if (json) {
      print_json(as_json(op, orders_checked(op)));
    } else {
      print_page(op, orders_checked(op));
    }
    return;
  }
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const OpDef* op : registered_ops()) {
      list.push_back(as_json(*op, orders_checked(*op)));
    }
    print_json(list);
    return;
  }
  for (const OpDef* op : registered_ops()) {
    std::printf("%-22.*s %.*s\n", static_cast<int>(op->name.size()), op->name.data(),
                static_cast<int>(op->doc.formula.size()), op->doc.formula.data());
    std::printf("%-22s %.*s\n%-22s differentiable: %s; orders checked: %d; %.*s\n", "",
                static_cast<int>(op->doc.arguments.size()), op->doc.arguments.data(), "",
                differentiable_inputs(*op).c_str(), orders_checked(*op),
                static_cast<int>(op->doc.source.size()), op->doc.source.data());
  }
  std::printf("%zu ops. `wengert ops NAME` prints the page of one.\n", registered_ops().size());
}

}  // namespace

void add_ops(Program& program) {
  Command command = program.command("ops", "List the ops, or print the page of one");
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command.option("NAME", *name, "an op's name; all when left out");
  command.flag("--json", *json, "print JSON: a list, or one object");
  command.example("wengert ops matmul").runs([name, json] { run(*name, *json); });
}

}  // namespace wengert::tools
