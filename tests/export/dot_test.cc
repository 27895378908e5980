#include "wengert/graph/export/dot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "wengert/graph/error.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/export/render.h"
#include "wengert/graph/text.h"
#include "wengert/tests/export/model.h"

namespace wengert::export_tests {
namespace {

constexpr char kEvil[] = "a<b>&\"c\\d'\n{|}\xC3\xA4\xE6\xBC\xA2%\\";

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

bool has_graphviz() { return std::system("dot -V > /dev/null 2>&1") == 0; }

/// A model with a name, scope, parameter and note full of special characters.
GraphView evil_view(GraphDirection direction) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::full({1, 4}, 0.5, DType::kFloat64);
  {
    Scope scope("enc<\"&'\\>");
    h = matmul(h, weight(parameters, kEvil, hadamard(0.1)));
  }
  tape.name(h, kEvil);
  const Var loss = sum(square(h));
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  return graph_view(tape, {.view = direction,
                           .gradients = &flow.record(),
                           .title = kEvil,
                           .notes = {{"square#0", kEvil}}});
}

GraphView model_view(GraphDirection direction) {
  ParameterSet parameters;
  Tape tape;
  Var h = Tensor::from<double>({0.5, 0.3, -0.2, 0.9}, {1, 4});
  const Var input = h;
  for (int i = 1; i <= 3; ++i) h = layer(parameters, "fc" + std::to_string(i), h, 0.005);
  tape.name(input, "x");
  const Var loss = sum(square(h - 0.5));
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  return graph_view(tape, {.view = direction, .gradients = &flow.record(), .title = "model"});
}

TEST(Escape, Markup) {
  EXPECT_EQ(detail::escape_markup("<a & \"b\">\n"), "&lt;a &amp; &quot;b&quot;&gt;<br/>");
  EXPECT_EQ(detail::escape_markup("\x01"), "\xEF\xBF\xBD");
  EXPECT_EQ(detail::escape_markup("\xC3\xA4"), "\xC3\xA4");
}

TEST(Escape, BrokenUtf8IsReplaced) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(detail::escape_markup("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(detail::escape_markup("\xC0\xAF"), bad + bad);            // overlong
  EXPECT_EQ(detail::escape_markup("\xED\xA0\x80"), bad + bad + bad);  // surrogate
  EXPECT_EQ(detail::escape_markup("\xF4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(detail::escape_markup("\xE6\xBC"), bad + bad);  // cut off
  EXPECT_EQ(detail::escape_markup("\xF0\x9F\x99\x82"), "\xF0\x9F\x99\x82");
}

TEST(Escape, DotAndJsonStrings) {
  EXPECT_EQ(detail::quote_dot("a\"b\\"), "\"a\\\"b\\\\\"");
  EXPECT_EQ(detail::escape_label(" \t"), " ") << "Graphviz takes no empty text";
  EXPECT_EQ(detail::quote_json("a\"\\\n\x02"), "\"a\\\"\\\\\\n\\u0002\"");
}

TEST(Escape, ShorteningAndWrappingKeepCharactersWhole) {
  EXPECT_EQ(detail::shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(detail::shorten("ääääääää", 5), "ää…ää");
  EXPECT_EQ(detail::wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(detail::wrap("abcdefghij", 4), "abcd\nefgh\nij");
}

TEST(Escape, Numbers) {
  EXPECT_EQ(detail::scientific_text(0.00000013), "1.3e-07");
  EXPECT_EQ(format_number(0.5, 4), "0.5");
  EXPECT_EQ(detail::exact_text(0.1), "0.1");
  EXPECT_EQ(detail::bytes_text(1023), "1023 B");
  EXPECT_EQ(detail::bytes_text(32768), "32 KiB");
  EXPECT_EQ(detail::percent_text(0.712), "71 %");
  EXPECT_EQ(detail::percent_text(0.0001), "<1 %");
  EXPECT_EQ(detail::percent_text(0.9999), ">99 %");
  EXPECT_EQ(detail::percent_text(1), "100 %");
}

TEST(Dot, GraphvizReadsEverythingBack) {
  if (!has_graphviz()) GTEST_SKIP() << "dot is not installed";
  for (const auto direction :
       {GraphDirection::kForward, GraphDirection::kBackward, GraphDirection::kBoth}) {
    for (const GraphView& view : {model_view(direction), evil_view(direction)}) {
      std::string warnings;
      const std::string svg = render(to_dot(view), ImageFormat::kSvg, {.warnings = &warnings});
      EXPECT_EQ(warnings, "");
      EXPECT_EQ(count_of(svg, "class=\"node\""), view.nodes.size());
      EXPECT_EQ(count_of(svg, "class=\"edge\""), view.edges.size());
      EXPECT_EQ(count_of(svg, "class=\"cluster\""), view.clusters.size());
    }
  }
}

/// A view in which every text that comes from users is `text`.
GraphView view_of(const std::string& text, GraphDirection direction) {
  GraphView view = evil_view(direction);
  view.title = text;
  view.notes.assign(3, {text, text});
  for (Finding::Kind kind : {Finding::Kind::kVanishing, Finding::Kind::kNonFinite}) {
    view.findings.push_back({kind, text, text, text, text});
  }
  for (std::size_t i = 0; i < view.nodes.size(); ++i) {
    ViewNode& node = view.nodes[i];
    node.id = text + std::to_string(i);
    node.name = node.op = node.source = text;
    node.constants = node.notes = {text, text};
    node.attributes = {{text, text}};
    node.saved = {{text, 8}};
    node.contents = {{text, 1}};
  }
  view.nodes.front().kind = ViewNode::Kind::kCollapsed;
  for (std::size_t i = 0; i < view.clusters.size(); ++i) {
    view.clusters[i].label = text;
    view.clusters[i].path = text + std::to_string(i);
  }
  return view;
}

std::string repeated(const std::string& piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(Dot, GraphvizTakesTextOfAnyLengthAndNone) {
  if (!has_graphviz()) GTEST_SKIP() << "dot is not installed";
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "\t",
                                          "\n",
                                          " \n \r\n",
                                          std::string(1, '\0'),
                                          "\x1b[31m",
                                          "\xFF\xFE",
                                          std::string(16'300, 'a'),
                                          std::string(20'000, '&'),
                                          std::string(20'000, '"'),
                                          std::string(20'000, ' '),
                                          std::string(20'000, '\xFF'),
                                          std::string(100'000, '\\'),
                                          std::string(100'000, '\n'),
                                          repeated("\xF0\x9F\x99\x82", 20'000),
                                          repeated("word ", 20'000)};
  for (const auto direction : {GraphDirection::kForward, GraphDirection::kBoth}) {
    for (const std::string& text : texts) {
      SCOPED_TRACE(text.substr(0, 8) + " " + std::to_string(text.size()));
      const GraphView view = view_of(text, direction);
      std::string warnings;
      const std::string svg = render(to_dot(view), ImageFormat::kSvg, {.warnings = &warnings});
      EXPECT_EQ(warnings, "");
      EXPECT_EQ(count_of(svg, "class=\"node\""), view.nodes.size());
      EXPECT_EQ(count_of(svg, "class=\"edge\""), view.edges.size());
      EXPECT_EQ(count_of(svg, "class=\"cluster\""), view.clusters.size());
    }
  }
}

TEST(Dot, NodesWhoseIdsLookAlikeStayApart) {
  // All of them differ, but not in what is left of them.
  GraphView view = evil_view(GraphDirection::kForward);
  ASSERT_GT(view.nodes.size(), 2u);
  for (std::size_t i = 0; i < view.nodes.size(); ++i) {
    std::string id(6000, 'a');
    id[3000] = static_cast<char>('b' + i);
    view.nodes[i].id = id;
  }
  view.nodes[0].id = "\xFE";
  view.nodes[1].id = "\xFF";
  const std::string dot = to_dot(view);
  std::set<std::string> ids;
  for (std::size_t at = dot.find("[id="); at != std::string::npos; at = dot.find("[id=", at + 1)) {
    EXPECT_TRUE(ids.insert(dot.substr(at, dot.find(',', at) - at)).second);
  }
  EXPECT_EQ(ids.size(), view.nodes.size());
}

TEST(Dot, NamesArriveInThePictureAsTheyAre) {
  if (!has_graphviz()) GTEST_SKIP() << "dot is not installed";
  const std::string svg = render(to_dot(evil_view(GraphDirection::kBoth)));
  EXPECT_NE(svg.find("enc&lt;&quot;&amp;&#39;\\&gt;"), std::string::npos);
  EXPECT_NE(svg.find("\xC3\xA4\xE6\xBC\xA2"), std::string::npos);
}

TEST(Dot, TheSameRunGivesTheSameBytes) {
  for (const auto direction :
       {GraphDirection::kForward, GraphDirection::kBackward, GraphDirection::kBoth}) {
    EXPECT_EQ(to_dot(model_view(direction)), to_dot(model_view(direction)));
    EXPECT_EQ(to_json(model_view(direction)), to_json(model_view(direction)));
  }
}

TEST(Dot, DirectionsDifferInWhatTheyDraw) {
  const std::string forward = to_dot(model_view(GraphDirection::kForward));
  const std::string backward = to_dot(model_view(GraphDirection::kBackward));
  const std::string both = to_dot(model_view(GraphDirection::kBoth));
  EXPECT_NE(forward.find("\"fc1/matmul#0\" -> \"fc1/tanh#0\""), std::string::npos);
  EXPECT_EQ(forward.find("no grad"), std::string::npos);
  EXPECT_NE(backward.find("\"fc1/tanh#0\" -> \"fc1/matmul#0\""), std::string::npos);
  EXPECT_NE(both.find("dir=both, color=\"#424242:#"), std::string::npos);
  EXPECT_EQ(backward.find("dir=both"), std::string::npos);
  EXPECT_NE(both.find("style=dashed, color=\"#9e9e9e\", label=\" no grad \""), std::string::npos);
  EXPECT_NE(both.find("{rank=same; \"fc1/parameter#0\"; \"fc1/matmul#0\";}"), std::string::npos);
}

TEST(Dot, ColoursSayHowFarFromTheLossScaleAGradientIs) {
  // L = Σ (c·x): the edge into the product carries 1, the one to x carries c.
  const auto color_of_loss = [](double c, const auto& loss_of) {
    ParameterSet parameters;
    Tape tape;
    const Var h = weight(parameters, "w", Tensor::full({2000}, 1, DType::kFloat64)) * 1.0;
    const Var loss = loss_of(h * c);
    GradientFlow flow;
    (void)backward(loss, {.observer = &flow});
    const GraphView view = graph_view(tape, {.gradients = &flow.record()});
    const std::string dot = to_dot(view);
    const std::size_t at = dot.find("\"mul#0\" -> \"mul#1\"");
    return dot.substr(dot.find("#424242:", at) + 8, 7);
  };
  const auto color = [&](double c) {
    const std::string of_sum = color_of_loss(c, [](const Var& y) { return sum(y); });
    // A mean sends back 1/2000: the scale goes along with it.
    EXPECT_EQ(color_of_loss(c, [](const Var& y) { return mean(y); }), of_sum) << c;
    return of_sum;
  };
  EXPECT_EQ(color(1), "#737373");
  EXPECT_EQ(color(1e-4), "#6baed6");
  EXPECT_EQ(color(1e-6), "#2171b5");
  EXPECT_EQ(color(1e-8), "#08306b");
  EXPECT_EQ(color(1e-2), "#737373");
  EXPECT_EQ(color(1e2), "#fd8d3c");
  EXPECT_EQ(color(1e4), "#d94801");
  EXPECT_EQ(color(1e6), "#7f2704");
}

TEST(Dot, NonFiniteGradientsAreMagenta) {
  ParameterSet parameters;
  Tape tape;
  const Var x = variable(Tensor::from<double>({0, 1}, {2}));
  GradientFlow flow;
  (void)backward(sum(x / x), {.observer = &flow});
  const std::string dot = to_dot(graph_view(tape, {.gradients = &flow.record()}));
  EXPECT_NE(dot.find("#424242:#d5007f"), std::string::npos);
  EXPECT_NE(dot.find("it begins here"), std::string::npos);
  EXPECT_NE(dot.find("<b>NON-FINITE</b>"), std::string::npos);
}

TEST(Json, ParsesAndHoldsTheView) {
  const GraphView view = evil_view(GraphDirection::kBoth);
  const auto json = nlohmann::json::parse(to_json(view));
  EXPECT_EQ(json["title"], kEvil);
  EXPECT_EQ(json["nodes"].size(), view.nodes.size());
  EXPECT_EQ(json["edges"].size(), view.edges.size());
  EXPECT_EQ(json["clusters"][0]["path"], "enc<\"&'\\>");
  for (std::size_t e = 0; e < view.edges.size(); ++e) {
    const ViewEdge& edge = view.edges[e];
    EXPECT_EQ(json["edges"][e]["from"], view.nodes[static_cast<std::size_t>(edge.from)].id);
    EXPECT_EQ(json["edges"][e]["to"], view.nodes[static_cast<std::size_t>(edge.to)].id);
    EXPECT_EQ(json["edges"][e]["input"], edge.input);
    EXPECT_EQ(json["edges"][e]["output"], edge.output);
    if (edge.gradient) {
      EXPECT_EQ(json["edges"][e]["gradient"]["rms"], edge.gradient->rms());
    }
  }
  EXPECT_EQ(json["nodes"].back()["outputs"][0]["dtype"], "float64");
}

TEST(Json, EdgesTellOperandsAndOutputsApart) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({2, 1}, {2}));
  const std::vector<Var> parts = split(x, 2);
  const auto json = nlohmann::json::parse(to_json(graph_view(tape, {.root = parts[1] - parts[0]})));
  std::map<int, int> output_of_input;  // of sub
  for (const auto& edge : json["edges"]) {
    if (edge["to"] == "sub#0") output_of_input[edge["input"]] = edge["output"];
  }
  EXPECT_EQ(output_of_input, (std::map<int, int>{{0, 1}, {1, 0}}));
}

TEST(Json, NumbersThatAreNotFiniteAreStrings) {
  GraphView view;
  view.reference_rms = std::numeric_limits<double>::infinity();
  EXPECT_EQ(nlohmann::json::parse(to_json(view))["reference_rms"], "inf");
}

}  // namespace
}  // namespace wengert::export_tests
