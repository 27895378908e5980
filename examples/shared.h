#pragma once

// What the experiments share: their command line, data made by formulas, decision regions, and
// where pictures go. `NAME [FOLDER] [--quick]` writes into FOLDER (by default the current one) and,
// with --quick, works on little data for the time of a test.
#include <wengert/graph/text.h>
#include <wengert/io/dataset.h>
#include <wengert/io/file.h>
#include <wengert/ops/random_stream.h>
#include <wengert/optim/training/batch.h>
#include <wengert/plot/figure.h>
#include <wengert/wengert.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace shared {

using wengert::DType;
using wengert::Tensor;
using wengert::optim::Batch;

struct Run {
  std::string folder = ".";
  bool quick = false;
  Run(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--quick") {
        quick = true;
      } else if (word.starts_with("-")) {
        std::fprintf(stderr, "usage: %s [FOLDER] [--quick]\n", argv[0]);
        std::exit(word == "--help" ? 0 : 2);
      } else {
        folder = word;
      }
    }
    try {  // before the work, not after it
      wengert::io::check_writable_folder(folder);
    } catch (const wengert::IoError& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::exit(1);
    }
  }
  /// Draws a figure into FOLDER/NAME.svg.
  void save(const std::string& name, const wengert::plot::Figure& figure) const {
    const std::string path = folder + "/" + name + ".svg";
    wengert::io::write_file_atomically(path, wengert::plot::to_svg(figure));
    std::printf("wrote %s\n", path.c_str());
  }
};

/// Normal numbers, float64.
inline std::vector<double> normal(std::int64_t count, std::uint64_t seed, const char* name) {
  Tensor numbers = Tensor::empty({count}, DType::kFloat64);
  wengert::fill_normal(numbers, seed, name, 0);
  return numbers.to_vector<double>();
}

inline Batch batch_of(const std::vector<float>& inputs, const std::vector<std::int64_t>& labels) {
  const auto count = static_cast<std::int64_t>(labels.size());
  const auto features = static_cast<std::int64_t>(inputs.size()) / count;
  return {Tensor::from(inputs, {count, features}), Tensor::from(labels, {count})};
}

/// Two half circles that reach into each other, with noise: [count, 2], classes 0 and 1.
inline Batch two_moons(std::int64_t count, std::uint64_t seed, double noise = 0.15) {
  const std::vector<double> moved = normal(2 * count, seed, "moons");
  std::vector<float> inputs;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const double angle = 3.14159265358979 * static_cast<double>(i / 2) / (count / 2.0);
    const bool second = i % 2 == 1;
    const double x = second ? 1 - std::cos(angle) : std::cos(angle);
    const double y = second ? 0.5 - std::sin(angle) : std::sin(angle);
    inputs.push_back(static_cast<float>(x - 0.5 + noise * moved[static_cast<std::size_t>(2 * i)]));
    inputs.push_back(
        static_cast<float>(y - 0.25 + noise * moved[static_cast<std::size_t>(2 * i + 1)]));
    labels.push_back(second ? 1 : 0);
  }
  return batch_of(inputs, labels);
}

/// Digits as a pocket calculator shows them, 12 × 12, moved by up to a pixel, with noise: [count,
/// 144], classes 0 to 9.
inline Batch digits(std::int64_t count, std::uint64_t seed, double noise = 0.7) {
  // Segments: top, upper left, upper right, middle, lower left, lower right, bottom.
  constexpr const char* kLit[] = {"1110111", "0010010", "1011101", "1011011", "0111010",
                                  "1101011", "1101111", "1010010", "1111111", "1111011"};
  constexpr int kFrom[7][2] = {{1, 4}, {2, 3}, {2, 8}, {5, 4}, {6, 3}, {6, 8}, {9, 4}};
  const std::vector<double> drawn = normal(count * 146, seed, "digits");
  std::vector<float> inputs;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const double* own = drawn.data() + i * 146;
    const int label = static_cast<int>(i % 10), down = own[144] > 0, right = own[145] > 0;
    double pixels[12][12] = {};
    for (int s = 0; s < 7; ++s) {
      if (kLit[label][s] == '0') continue;
      const bool upright = s == 1 || s == 2 || s == 4 || s == 5;
      for (int k = 0; k < (upright ? 3 : 4); ++k) {
        pixels[kFrom[s][0] + down + (upright ? k : 0)][kFrom[s][1] + right + (upright ? 0 : k)] = 1;
      }
    }
    for (int p = 0; p < 144; ++p) {
      inputs.push_back(static_cast<float>(pixels[p / 12][p % 12] + noise * own[p]));
    }
    labels.push_back(label);
  }
  return batch_of(inputs, labels);
}

struct Data {
  std::string name;
  Batch train, test;
};

/// Fashion-MNIST where it is installed, else digits; a part of it.
inline Data pictures(const Run& run, std::int64_t train = 6000, std::int64_t test = 2000) {
  if (run.quick) return {"drawn digits", digits(400, 1), digits(200, 2)};
  try {
    const wengert::io::ImageSet set = wengert::io::load_fashion_mnist();
    const auto part = [](const Tensor& images, const Tensor& labels, std::int64_t count) {
      const wengert::Var pixels(images.rows(0, count).reshaped({count, 784}).to(DType::kFloat32));
      return Batch{(pixels / 255.0).value(), labels.rows(0, count).to(DType::kInt64)};
    };
    return {"Fashion-MNIST", part(set.train_images, set.train_labels, train),
            part(set.test_images, set.test_labels, test)};
  } catch (const wengert::IoError&) {
    return {"drawn digits", digits(train, 1), digits(test, 2)};
  }
}

/// What `score(x, y)` gives on a square from −edge to edge.
template <class Score>
wengert::plot::Grid grid_of(Score&& score, double edge, int cells) {
  wengert::plot::Grid grid{cells, cells, {}, -edge, edge, -edge, edge};
  for (int row = 0; row < cells; ++row) {
    for (int column = 0; column < cells; ++column) {
      const double step = 2 * edge / cells;
      grid.values.push_back(score(-edge + (column + 0.5) * step, -edge + (row + 0.5) * step));
    }
  }
  return grid;
}

/// The middles of the same cells as one batch [cells², 2].
inline Tensor middles(double edge, int cells, DType dtype = DType::kFloat32) {
  std::vector<double> points;
  const auto keep = [&](double x, double y) { return points.push_back(x), points.push_back(y), 0; };
  (void)grid_of(keep, edge, cells);
  return Tensor::from(points, {static_cast<std::int64_t>(cells) * cells, 2}).to(dtype);
}

/// A matrix as one reads it, row 1 on top, in a frame of side × side cells, so that several are at
/// one scale; colours from −most to most. NaN is a gap.
inline wengert::plot::Panel matrix_panel(const std::string& title, const Tensor& matrix, int side,
                                         double most, const char* down = "row",
                                         const char* along = "column") {
  const std::int64_t rows = matrix.size(0), columns = matrix.size(1);
  wengert::plot::Axis x{along, wengert::plot::Scale::kLinear, -0.5, side - 0.5}, y = x;
  y.label = down;
  wengert::plot::Grid grid{rows,
                           columns,
                           {},
                           -0.5,
                           static_cast<double>(columns) - 0.5,
                           -0.5,
                           static_cast<double>(rows) - 0.5};
  for (std::int64_t i = rows; i-- > 0;) {
    y.names.push_back(std::to_string(i + 1));
    for (std::int64_t j = 0; j < columns; ++j) grid.values.push_back(matrix.at(i * columns + j));
  }
  for (std::int64_t j = 0; j < columns; ++j) x.names.push_back(std::to_string(j + 1));
  return {
      .title = title,
      .x = x,
      .y = y,
      .heat_map = wengert::plot::HeatMap{
          .grid = grid, .map = wengert::plot::ColourMap::kDiverging, .low = -most, .high = most}};
}

/// The examples of one class as points.
inline wengert::plot::Curve points_of(const Batch& batch, std::int64_t label, std::string name,
                                      int colour) {
  wengert::plot::Curve curve{std::move(name), {}, {}, wengert::plot::Mark::kPoints, colour};
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    if (static_cast<std::int64_t>(batch.targets.at(i)) != label) continue;
    curve.x.push_back(batch.inputs.at(2 * i));
    curve.y.push_back(batch.inputs.at(2 * i + 1));
  }
  return curve;
}

/// 0, 1, … as the x of a curve.
inline std::vector<double> steps(std::size_t count, double first = 0) {
  std::vector<double> x;
  for (std::size_t i = 0; i < count; ++i) x.push_back(first + static_cast<double>(i));
  return x;
}

}  // namespace shared
