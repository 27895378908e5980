// Dropout as nodes and their edges that are gone.
//
// Shown: a net 3-5-4-1, each unit a scope of its own, whole and under a mask: what is dropped is
// not computed, and the graph of what the output depends on does not have it. Output and gradients
// are those of the whole net with dropped units multiplied by 0. And how much is left by p.
// Graphviz draws dropout_whole.svg and dropout_thinned.svg; where it is missing they are .dot.
// Source: N. Srivastava et al. 2014, figure 1; the lecture notes.
// Look at: boxes that are gone, with every line from and to them; lines fall faster than units.
#include <wengert/graph/export/dot.h>
#include <wengert/graph/export/render.h>
#include <wengert/nn/initializers.h>

#include <algorithm>

#include "shared.h"

using namespace wengert;

constexpr std::size_t kUnits[] = {3, 5, 4, 1};
using Mask = std::vector<bool>;  ///< of the inputs and the units, layer by layer: what is kept

Mask mask_of(double p, std::uint64_t seed) {
  Tensor drawn = Tensor::empty({12}, DType::kFloat64);
  fill_uniform(drawn, seed, "mask", 0);
  Mask kept(13, true);  // the output always
  for (std::size_t i = 0; i < 12; ++i) kept[i] = drawn.at(static_cast<std::int64_t>(i)) >= p;
  return kept;
}

std::string numbered(const char* what, std::size_t i) { return what + std::to_string(i + 1); }

/// What is not kept is not computed or, where `multiplied`, computed and multiplied by 0.
Var net(ParameterSet& set, Tape& tape, const Mask& kept, bool multiplied = false) {
  const auto own = [&](const std::string& name) {
    return use(set.declare(name, {}, DType::kFloat64, nn::normal(0, 1), {}));
  };
  std::vector<Var> from;  // empty where it is gone
  for (std::size_t i = 0; i < kUnits[0]; ++i) {
    const Var x = variable(0.5 * static_cast<double>(i + 1));
    tape.name(x, numbered("x", i));
    from.push_back(kept[i] ? x : multiplied ? 0.0 * x : Var());
  }
  for (std::size_t l = 1, number = kUnits[0]; l < std::size(kUnits); ++l) {
    const Scope layer(numbered("layer", l - 1));
    std::vector<Var> to(kUnits[l]);
    for (std::size_t j = 0; j < kUnits[l]; ++j, ++number) {
      if (!kept[number] && !multiplied) continue;
      const Scope unit(numbered("unit", j));
      Var z = own("b");
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (from[i].has_value()) z = z + own(numbered("w", i)) * from[i];
      }
      to[j] = kept[number] ? tanh(z) : 0.0 * tanh(z);
    }
    from = to;
  }
  return from[0];
}

GraphView view_of(const Tape& tape, const Var& y, int depth, const char* title = "") {
  return graph_view(tape, {.view = GraphDirection::kForward,
                           .root = y,
                           .title = title,
                           .collapse_depth = depth,
                           .only_ancestors = true});
}

/// Writes `path`.svg, or `path`.dot where Graphviz is missing.
void draw(std::string path, const GraphView& view) {
  std::string bytes = to_dot(view);
  try {
    bytes = render(bytes);
    path += ".svg";
  } catch (const Error&) {
    path += ".dot";
  }
  io::write_file_atomically(path, bytes);
  std::printf("wrote %s\n", path.c_str());
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  ParameterSet set(4);
  const Mask masks[] = {Mask(13, true), mask_of(0.4, 26)};
  const char* titles[] = {"The whole net", "Thinned by dropout, p = 0.4"};
  for (const std::size_t k : {0, 1}) {
    Tape tape;
    const Var y = net(set, tape, masks[k]);
    const GraphView all = view_of(tape, y, 9), boxes = view_of(tape, y, 1, titles[k]);
    std::printf("%s: %zu nodes, %zu edges; %zu units and inputs, %zu lines\n", titles[k],
                all.nodes.size(), all.edges.size(), boxes.nodes.size(), boxes.edges.size());
    draw(run.folder + (k == 0 ? "/dropout_whole" : "/dropout_thinned"), boxes);
  }
  const auto gradients = [&](bool multiplied) {
    Tape tape;
    return backward(net(set, tape, masks[1], multiplied));
  };
  const Gradients thinned = gradients(false), multiplied = gradients(true);
  double apart = std::fabs(thinned.value() - multiplied.value());
  for (const Parameter* of : set.all())
    apart = std::max(apart, abs(thinned[*of] - multiplied[*of]).item<double>());
  std::printf("output and gradients are off the net multiplied by 0 by %.1e\n", apart);
  plot::Curve units{"units and inputs"}, lines{"lines"};
  const int draws = run.quick ? 20 : 500;
  for (const double p : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
    for (auto* curve : {&units, &lines}) curve->x.push_back(p), curve->y.push_back(0);
    for (int i = 1; i <= draws; ++i) {
      Tape tape;
      const GraphView boxes = view_of(tape, net(set, tape, mask_of(p, i)), 1);
      units.y.back() += static_cast<double>(boxes.nodes.size()) / (13 * draws);
      lines.y.back() += static_cast<double>(boxes.edges.size()) / (39 * draws);
    }
  }
  std::printf("left at p = 0.5: %.3f of units and inputs, %.3f of lines\n", units.y[5], lines.y[5]);
  run.save("dropout_graph",
           {.title = "What dropout leaves of a net 3-5-4-1",
            .panels = {{.x = {"p, the share that is dropped"},
                        .y = {"mean share that is left"},
                        .curves = {units, lines, {"1 − p", {0, 0.9}, {1, 0.1}}}}}});
}
