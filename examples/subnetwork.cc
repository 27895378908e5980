// The active sub-network of a ReLU net for one input.
//
// Shown: the matrices of a net of three layers, whole and with the rows and columns of inactive
// units left out. The product of the reduced ones is the Jacobian ∂y/∂x that backward gives, and
// the net is linear there. Source: the lecture notes' "active sub-network"; G. Montúfar et al.
// 2014, arXiv:1402.1869.
// Look at: a column that is gone, and with it that row of the next matrix.
#include <wengert/nn/linear.h>

#include <algorithm>
#include <limits>

#include "shared.h"

using namespace wengert;

using Units = std::vector<std::int64_t>;

Units all(std::int64_t count) {
  Units units;
  for (std::int64_t i = 0; i < count; ++i) units.push_back(i);
  return units;
}

Units active(const Var& z) {
  Units units = all(z.size(1));
  std::erase_if(units, [&](std::int64_t i) { return z.value().at(i) <= 0; });
  return units;
}

/// These rows and columns alone.
Tensor reduced(const Tensor& w, const Units& rows, const Units& columns) {
  std::vector<double> kept;
  for (const std::int64_t i : rows) {
    for (const std::int64_t j : columns) kept.push_back(w.at(i * w.size(1) + j));
  }
  return Tensor::from(kept, {std::ssize(rows), std::ssize(columns)});
}

/// The same as a picture: what is left out is a gap.
plot::Panel panel_of(const std::string& title, const Tensor& w, const Units& rows,
                     const Units& columns, const char* down, const char* along) {
  std::vector<double> values(static_cast<std::size_t>(w.element_count()),
                             std::numeric_limits<double>::quiet_NaN());
  for (const std::int64_t i : rows) {
    for (const std::int64_t j : columns) {
      values[static_cast<std::size_t>(i * w.size(1) + j)] = w.at(i * w.size(1) + j);
    }
  }
  const std::string shape = std::to_string(rows.size()) + " × " + std::to_string(columns.size());
  return shared::matrix_panel(title + ", " + shape, Tensor::from(values, w.shape()), 6, 3, down,
                              along);
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  ParameterSet set(3);
  const Tape tape;
  const Var x = variable(Tensor::from(shared::normal(4, 3, "x"), {1, 4}));
  const Var z1 = linear(set, "first", x, 6), z2 = linear(set, "second", relu(z1), 5);
  const Var y = reshape(linear(set, "out", relu(z2), 3), {3});
  std::vector<Var> slopes;  // by backward, one output after the other
  for (std::int64_t k = 0; k < 3; ++k) {
    slopes.push_back(reshape(grad(y[k], x, {.retain = true}), {4}));
  }
  const Tensor jacobian = stack(slopes, 1).value();

  const Units sides[] = {all(4), active(z1), active(z2), all(3)};
  const char* names[] = {"input", "unit of layer 1", "unit of layer 2", "output"};
  const char* matrices[] = {"W₁", "W₂", "W₃"};
  const char* layers[] = {"first/weight", "second/weight", "out/weight"};
  plot::Figure figure{.title = "The active sub-network of a ReLU net for one input",
                      .caption =
                          "Layers multiply by W from the right, x·W + b. Grey is what "
                          "belongs to a unit that gives 0.",
                      .columns = 4,
                      .plot_width = 190,
                      .plot_height = 190};
  Var product = eye(4, 4, DType::kFloat64);
  for (const bool whole : {true, false}) {
    for (std::size_t l = 0; l < 3; ++l) {
      const Tensor w = set.at(layers[l]).value();
      const Units rows = whole ? all(w.size(0)) : sides[l],
                  columns = whole ? all(w.size(1)) : sides[l + 1];
      if (!whole) product = matmul(product, reduced(w, rows, columns));
      figure.panels.push_back(panel_of(matrices[l], w, rows, columns, names[l], names[l + 1]));
    }
    figure.panels.push_back(panel_of(whole ? "∂y/∂x by backward" : "Product",
                                     whole ? jacobian : product.value(), all(4), all(3), names[0],
                                     names[3]));
  }
  std::printf("%zu of 6 and %zu of 5 units are active\n", sides[1].size(), sides[2].size());
  std::printf("the product of the reduced matrices differs from the Jacobian by %.1e\n",
              max(abs(product - jacobian)).item<double>());
  run.save("subnetwork", figure);
}
