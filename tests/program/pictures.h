#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/program/child.h"
#include "wengert/io/idx.h"

// A small data set of the shape of Fashion-MNIST, and what a run made of it leaves.
namespace wengert {

inline constexpr int kPixels = 28 * 28;

/// Pictures whose class is the pair of rows that is lit, with noise around it.
inline void write_pictures(const std::string& folder, const std::string& prefix, int count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * kPixels), labels;
  for (int i = 0; i < count; ++i) {
    const int label = (i * 7) % 10;
    labels.push_back(static_cast<std::uint8_t>(label));
    for (int p = 0; p < kPixels; ++p) {
      const bool lit = (p / 28) / 2 == label;
      const int noise = (i * 31 + p * 17) % 60;
      pixels[static_cast<std::size_t>(i * kPixels + p)] =
          static_cast<std::uint8_t>(lit ? 255 - noise : noise);
    }
  }
  io::write_idx(folder + "/" + prefix + "-images-idx3-ubyte",
                Tensor::from(pixels, {count, 28, 28}));
  io::write_idx(folder + "/" + prefix + "-labels-idx1-ubyte", Tensor::from(labels, {count}));
}

/// "train" and "t10k" in a new folder.
inline void write_data(const std::string& folder, int train, int test) {
  std::filesystem::create_directory(folder);
  write_pictures(folder, "train", train);
  write_pictures(folder, "t10k", test);
}

/// The lines of a file, each a JSON value.
inline std::vector<nlohmann::json> json_lines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

inline std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

}  // namespace wengert
