#include <gtest/gtest.h>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/export/render.h"
#include "wengert/plot/figure.h"
#include "wengert/tests/memory/programs.h"

// Programs that draw: as text, and through Graphviz.
namespace wengert {
namespace {

std::string draw(Attempts& attempt) {
  RandomStream stream(3, "a stream that no short string holds");
  const Tape tape;
  const Var noise = attempt([&] { return random_normal(stream, {40}); });
  const Var x = variable(Tensor::full({40}, 0.5, DType::kFloat32));
  Scope scope("drawn");
  const Var y = sum(tanh(x * noise));
  GradientFlow flow;
  (void)attempt([&] { return backward(y, {.retain = true, .observer = &flow}); });
  const GraphView view = attempt([&] { return graph_view(tape, {.gradients = &flow.record()}); });
  const std::string dot = attempt([&] { return to_dot(view); });
  const std::string json = attempt([&] { return to_json(view); });
  return bytes_of(noise.value()) + dot + json;
}

std::string draw_curves(Attempts& attempt) {
  return attempt([] {
    return plot::to_svg(
        {.title = "a title that no short string holds",
         .panels = {{.title = "panel",
                     .curves = {{"curve", {1, 2, 3}, {0.5, 0.25, 0.125}}},
                     .heat_map = plot::HeatMap{.grid = plot::strip({{1, 2}, {3}})}}},
         .caption = "a caption that no short string holds"});
  });
}

/// Through Graphviz' program, which must not have started with other files than ours.
std::string render_picture(Attempts& attempt) {
  std::string warnings;
  const std::string picture = attempt(
      [&] {
        return render("digraph \"a graph that no short string holds\" { a -> b }",
                      ImageFormat::kSvg, {.warnings = &warnings});
      },
      [&] {
        EXPECT_EQ(attempt.message().find("dot failed with status"), std::string::npos)
            << attempt.message();
      });
  return picture + warnings;
}

}  // namespace

std::vector<Program> drawing_programs() {
  return {{"draw", draw}, {"draw_curves", draw_curves}, {"render_picture", render_picture}};
}

}  // namespace wengert
