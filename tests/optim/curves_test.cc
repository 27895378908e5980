#include "wengert/optim/curves.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wengert::optim {
namespace {

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(LearningCurves, TwoPanelsWithAndWithoutValidation) {
  std::vector<EpochRecord> history(3);
  for (int i = 0; i < 3; ++i) {
    const Metric right[] = {{"accuracy", 0.5 + 0.1 * i, 1}};
    EpochRecord& record = history[static_cast<std::size_t>(i)];
    record.epoch = i + 1;
    record.train = Totals(1.0 / (i + 1), 1, right);
    record.validation = Totals(1.2 / (i + 1), 1, right);
  }
  const std::string svg = learning_curves("model", history);
  EXPECT_EQ(count_of(svg, "<path"), 4);
  EXPECT_EQ(count_of(svg, ">validation<"), 2);
  EXPECT_NE(svg.find(">Loss<"), std::string::npos);
  EXPECT_NE(svg.find(">Accuracy<"), std::string::npos);
  for (EpochRecord& record : history) {
    record.validation.reset();
  }
  const std::string without = learning_curves("model", history);
  EXPECT_EQ(count_of(without, "<path"), 2);
  EXPECT_EQ(count_of(without, ">validation<"), 0);
  EXPECT_NE(learning_curves("model", {}).find("no data"), std::string::npos);
}

}  // namespace
}  // namespace wengert::optim
