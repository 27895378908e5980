#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/optim/optimizer.h"

// Trajectories that other frameworks' optimizers took: tests/data/optimizers.py.
namespace wengert::optim {
namespace {

constexpr int kSize = 5;

std::vector<double> slopes(const Tensor& w) {
  std::vector<double> result;
  for (int i = 0; i < kSize; ++i) {
    result.push_back(0.5 * (i + 1) * w.at(i) + 0.3 * std::cos(w.at(i) + i));
  }
  return result;
}

TEST(Recorded, TrajectoriesOfPyTorch) {
  std::ifstream file(WENGERT_TEST_DATA "/optimizers.txt");
  ASSERT_TRUE(file);
  std::set<std::string> methods;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    SCOPED_TRACE(line.substr(0, 80));
    std::istringstream words(line);
    std::string name, setting;
    std::size_t options = 0;
    words >> name >> options;
    std::vector<OptionSetting> settings;
    for (std::size_t i = 0; i < options; ++i) {
      words >> setting;
      const std::size_t sign = setting.find('=');
      settings.push_back({setting.substr(0, sign), setting.substr(sign + 1)});
    }
    const auto optimizer = make_optimizer(name, settings);
    ParameterSet parameters;
    parameters.add("w", Tensor::from({2.0, 1.3, 0.6, -0.1, -0.8}, {kSize}));
    const Tensor& w = parameters.at("w").value();
    const std::set<int> shown = {1, 2, 3, 10, 50, 200};
    for (int t = 1; t <= 200; ++t) {
      optimizer->step(parameters,
                      gradients_equal_to(parameters, {{"w", Tensor::from(slopes(w), {kSize})}}));
      if (!shown.contains(t)) continue;
      if ((words >> std::ws).eof()) {
        ASSERT_GT(t, 10) << "the line ends early";
        break;
      }
      for (int i = 0; i < kSize; ++i) {
        double expected = 0;
        ASSERT_TRUE(words >> expected);
        ASSERT_NEAR(w.at(i), expected, 1e-12) << "element " << i << " after step " << t;
      }
    }
    methods.insert(name);
  }
  EXPECT_GE(methods.size(), 12u);
}

}  // namespace
}  // namespace wengert::optim
