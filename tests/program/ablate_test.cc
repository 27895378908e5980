#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/program/child.h"
#include "tests/program/pictures.h"

namespace wengert {
namespace {

std::vector<std::string> ablation(const TemporaryFolder& folder, std::vector<std::string> more) {
  std::vector<std::string> words = {"ablate",       "mlp",      "--data", folder / "data", "--out",
                                    folder / "out", "--epochs", "1",      "--seeds",       "1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Ablate, MeasuresEveryVariantAndGoesOn) {
  const TemporaryFolder folder;
  write_data(folder / "data", 130, 20);
  const Outcome first = run_wengert(ablation(folder, {}));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_TRUE(holds(first.out, "10 of 10: seed 1, only one-cycle: "));
  const std::string table = bytes_at(folder / "out/ablation.txt");
  EXPECT_TRUE(holds(first.out, table));
  for (const char* name : {"all ", "without dropout ", "none ", "only weight decay "}) {
    EXPECT_TRUE(holds(table, name)) << table;
  }
  EXPECT_TRUE(holds(bytes_at(folder / "out/ablation.svg"), ">without batch norm<"));
  // Nothing is trained again, and the numbers are those of the file.
  const Outcome again = run_wengert(ablation(folder, {"--json"}));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_FALSE(holds(again.err, "of 10: seed"));
  const auto rows = nlohmann::json::parse(again.out);
  ASSERT_EQ(rows.size(), 10u);
  for (const auto& row : rows) {
    EXPECT_EQ(row["runs"], 1);
    EXPECT_EQ(row["lowest"], row["median"]);
    // Of 20 pictures: a multiple of 1/20.
    const double pictures = row["median"].get<double>() * 20;
    EXPECT_NEAR(pictures, std::round(pictures), 1e-9);
  }
  EXPECT_EQ(bytes_at(folder / "out/ablation.txt"), table);
}

TEST(Ablate, MeasuresOnImagesThatAreHeldOut) {
  const TemporaryFolder folder;
  write_data(folder / "data", 130, 20);
  const Outcome outcome = run_wengert(ablation(folder, {"--validation", "30"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(holds(outcome.out, "accuracy on 30 held-out images"));
}

TEST(Ablate, KnowsOneModel) {
  const Outcome outcome = run_wengert({"ablate", "lenet"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(holds(outcome.err, "there is one of mlp")) << outcome.err;
}

}  // namespace
}  // namespace wengert
