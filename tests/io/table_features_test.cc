#include "wengert/io/table_features.h"

#include <cmath>
#include <string>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/io/parameter_file.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

/// 0 to 3 are for training; 4 and 5 hold what training did not see.
constexpr char kText[] =
    "age,height,colour,same,price,kind\n"
    "1,10,red,0.1,100,a\n"
    "3,,blue,0.1,300,b\n"
    "5,30,red,0.1,200,a\n"
    "7,20,blue,0.1,600,c\n"
    "9,50,green,0.2,500,b\n"
    ",40,,0.1,1000,d\n";
const std::vector<std::int64_t> kTrain = {0, 1, 2, 3};

class TableFeaturesTest : public ::testing::Test {
 protected:
  Table read(const std::string& text = kText) {
    put_bytes(folder_ / "t.csv", text);
    return read_csv(folder_ / "t.csv");
  }
  TemporaryFolder folder_;
};

TEST_F(TableFeaturesTest, StandardizesByTheTrainingRowsAlone) {
  const Table table = read();
  ParameterSet set;
  const TableFeatures features = TableFeatures::learn(
      set, "table", table, {.numbers = {"age"}, .categories = {"colour"}, .target = "price"},
      kTrain);
  // Ages 1, 3, 5, 7: mean 4, deviation √5 over n.
  EXPECT_EQ(features.means(), (std::vector<double>{4}));
  EXPECT_DOUBLE_EQ(features.deviations()[0], std::sqrt(5.0));
  EXPECT_EQ(features.width(), 3);
  EXPECT_EQ(features.input_names(), (std::vector<std::string>{"age", "colour=red", "colour=blue"}));
  const Tensor inputs = features.inputs(table, kTrain);
  EXPECT_EQ(inputs.shape(), (Shape{4, 3}));
  EXPECT_EQ(inputs.dtype(), DType::kFloat32);
  double sum = 0, squares = 0;
  for (int i = 0; i < 4; ++i) {
    sum += inputs.at(3 * i);
    squares += inputs.at(3 * i) * inputs.at(3 * i);
    EXPECT_EQ(inputs.at(3 * i + 1), i % 2 == 0);
    EXPECT_EQ(inputs.at(3 * i + 2), i % 2 == 1);
  }
  EXPECT_NEAR(sum, 0, 1e-6);
  EXPECT_NEAR(squares / 4, 1, 1e-6);

  // A row that was not learned from is moved by the same numbers; blue stays the second.
  const Table later = read("colour,age,price\nblue,9,0\n");
  EXPECT_NEAR(features.inputs(later).at(0), 5 / std::sqrt(5.0), 1e-6);
  EXPECT_EQ(features.inputs(later).at(2), 1);

  // Prices 100, 300, 200, 600: mean 300, deviation √35000.
  const Tensor targets = features.targets(table, kTrain);
  EXPECT_EQ(targets.shape(), (Shape{4, 1}));
  EXPECT_NEAR(targets.at(3), 300 / std::sqrt(35000.0), 1e-6);
  const Tensor prices = features.in_units(targets);
  EXPECT_EQ(prices.shape(), (Shape{4, 1}));
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(prices.at(i),
                (std::vector<double>{100, 300, 200, 600})[static_cast<std::size_t>(i)], 1e-4);
  }
  EXPECT_FALSE(features.is_classification());
}

TEST_F(TableFeaturesTest, TravelWithTheModel) {
  const Table table = read();
  ParameterSet set(1), loaded;
  set.add("fc/weight", Tensor::full({3, 2}, 0.5));
  const TableColumns columns{.numbers = {"age"},
                             .categories = {"colour"},
                             .target = "kind",
                             .missing = MissingNumbers::kMean,
                             .unknown = UnknownCategories::kZeros};
  const TableFeatures learned = TableFeatures::learn(set, "table", table, columns, kTrain);
  EXPECT_TRUE(learned.is_classification());
  EXPECT_EQ(learned.classes(), (std::vector<std::string>{"a", "b", "c"}));
  save(set, folder_ / "model");
  (void)load(loaded, folder_ / "model");
  const TableFeatures features = TableFeatures::of(loaded, "table");
  EXPECT_EQ(features.inputs(table).to_vector<double>(), learned.inputs(table).to_vector<double>());
  EXPECT_EQ(features.input_names(), learned.input_names());
  EXPECT_EQ(features.classes(), learned.classes());
  // Another file has its categories in another order: classes are the model's own.
  const Table other = read("kind,colour,age\nc,blue,1\na,red,2\n");
  EXPECT_EQ(features.targets(other).to_vector<double>(), (std::vector<double>{2, 0}));
  EXPECT_EQ(features.targets(other).dtype(), DType::kInt64);
  expect_error(ErrorKind::kValue, "the category 'd' of column 'kind' in row 5 was not learned",
               [&] { (void)features.targets(table); });
}

TEST_F(TableFeaturesTest, NamesWithAnyCharactersTravelToo) {
  const Table table = read("\"a\\n\n b\",c\n1,\"x\ny\\\"\n2,z\n");
  ParameterSet set;
  const std::string odd = table.columns[0].name;
  const TableFeatures learned =
      TableFeatures::learn(set, "t", table, {.numbers = {odd}, .categories = {"c"}});
  const TableFeatures features = TableFeatures::of(set, "t");
  EXPECT_EQ(features.input_names(), learned.input_names());
  EXPECT_EQ(features.inputs(table).to_vector<double>(), learned.inputs(table).to_vector<double>());
}

TEST_F(TableFeaturesTest, TakeCategoriesAlone) {
  const Table table = read("c,y\nred,1\nblue,2\n");
  ParameterSet set, loaded;
  (void)TableFeatures::learn(set, "t", table, {.categories = {"c"}, .target = "y"});
  save(set, folder_ / "model");
  (void)load(loaded, folder_ / "model");
  const TableFeatures features = TableFeatures::of(loaded, "t");
  EXPECT_EQ(features.width(), 2);
  EXPECT_TRUE(features.means().empty());
  EXPECT_EQ(features.inputs(table).to_vector<double>(), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(features.targets(table).to_vector<double>(), (std::vector<double>{-1, 1}));
}

TEST_F(TableFeaturesTest, SayWhatIsConstantMissingAndUnknown) {
  const Table table = read();
  ParameterSet set;
  const TableFeatures features = TableFeatures::learn(set, "table", table,
                                                      {.numbers = {"age", "height", "same"},
                                                       .categories = {"colour"},
                                                       .target = "kind",
                                                       .missing = MissingNumbers::kMean,
                                                       .unknown = UnknownCategories::kZeros},
                                                      kTrain);
  EXPECT_EQ(features.report(table, kTrain).str(),
            "4 rows; constant: 'same'; missing: 1 of 'height'");
  EXPECT_EQ(features.report(table).str(),
            "6 rows; missing: 1 of 'age', 1 of 'height', 1 of 'colour'; unknown: 1 of 'colour', 1 "
            "of 'kind'");
  const Tensor inputs = features.inputs(table);
  const std::int64_t width = features.width();
  EXPECT_EQ(inputs.at(width + 1), 0) << "a missing height is the mean";
  EXPECT_EQ(inputs.at(5 * width), 0) << "a missing age too, of the rows that were learned from";
  EXPECT_EQ(features.means()[1], 20) << "of 10, 30 and 20";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(inputs.at(i * width + 2), 0) << "a constant becomes 0";
  EXPECT_EQ(features.deviations()[2], 1);
  EXPECT_NEAR(inputs.at(4 * width + 2), 0.1, 1e-6) << "and what is not, no infinity";
  for (const int row : {4, 5}) {
    EXPECT_EQ(inputs.at(row * width + 3) + inputs.at(row * width + 4), 0) << "neither red nor blue";
  }
}

TEST_F(TableFeaturesTest, NumbersMayBeClasses) {
  const Table table = read("x,y\n1,7\n2,3\n3,7\n");
  ParameterSet set, other;
  const TableFeatures features = TableFeatures::learn(
      set, "t", table, {.numbers = {"x"}, .target = "y", .target_kind = TargetKind::kClass});
  EXPECT_EQ(features.classes(), (std::vector<std::string>{"7", "3"}));
  EXPECT_EQ(features.targets(table).to_vector<double>(), (std::vector<double>{0, 1, 0}));
  const TableFeatures inputs_alone = TableFeatures::learn(other, "t", table, {.numbers = {"x"}});
  expect_error(ErrorKind::kValue, "there is no target", [&] { (void)inputs_alone.targets(table); });
}

TEST_F(TableFeaturesTest, RefuseWhatCannotBeLearned) {
  const Table table = read();
  const auto refused = [&](const TableColumns& columns, const std::string& words,
                           const TableRows& rows = kTrain, ErrorKind kind = ErrorKind::kValue) {
    ParameterSet set;
    expect_error(kind, words, [&] { (void)TableFeatures::learn(set, "t", table, columns, rows); });
    EXPECT_TRUE(set.buffers().empty());
  };
  refused({}, "there is no input");
  refused({.numbers = {"agee"}}, "did you mean 'age'?");
  refused({.numbers = {"colour"}}, "column 'colour' is of 3 categories");
  refused({.numbers = {"age", "age"}}, "the input 'age' comes twice");
  refused({.numbers = {"age"}, .target = "age"}, "the target 'age' is an input too");
  refused({.numbers = {"height"}}, "a number of column 'height' is missing in row 1");
  refused({.numbers = {"height"}, .missing = MissingNumbers::kMean},
          "column 'height' has no number in the rows", {{1}});
  refused({.categories = {"colour"}}, "column 'colour' has no category in the rows", {{5}});
  refused({.categories = {"colour"}}, "the category of column 'colour' in row 5 is missing",
          {{0, 5}});
  refused({.numbers = {"age"}, .target = "height", .missing = MissingNumbers::kMean},
          "a number of column 'height' is missing in row 1");
  refused({.numbers = {"age"}}, "there are no rows to learn from", std::vector<std::int64_t>{});
  refused({.numbers = {"age"}}, "row 6 of a table of 6", {{6}}, ErrorKind::kIndex);

  ParameterSet set;
  const Table infinite = read("x\n1\n1e999\n");
  expect_error(ErrorKind::kValue, "column 'x' is infinite in row 1",
               [&] { (void)TableFeatures::learn(set, "t", infinite, {.numbers = {"x"}}); });
  const TableFeatures features =
      TableFeatures::learn(set, "t", table, {.numbers = {"age"}, .categories = {"colour"}}, kTrain);
  expect_error(ErrorKind::kValue,
               "the category 'green' of column 'colour' in row 4 was not learned",
               [&] { (void)features.inputs(table, {{4}}); });
  expect_error(ErrorKind::kParameter, "",
               [&] { (void)TableFeatures::learn(set, "t", table, {.numbers = {"age"}}, kTrain); });
}

TEST_F(TableFeaturesTest, RefuseBuffersOfAnotherForm) {
  const auto refused = [&](const std::string& part, const Tensor& value) {
    ParameterSet set;
    (void)TableFeatures::learn(set, "t", read(), {.numbers = {"age"}, .target = "kind"}, kTrain);
    ParameterSet changed;
    for (const Buffer* buffer : set.buffers()) {
      (void)changed.add_buffer(buffer->name(),
                               buffer->name() == "t/" + part ? value : buffer->value());
    }
    expect_error(ErrorKind::kParameter, "the buffer 't/",
                 [&] { (void)TableFeatures::of(changed, "t"); });
  };
  refused("mean", Tensor::zeros({2}, DType::kFloat64));
  refused("mean", Tensor::zeros({1}, DType::kFloat32));
  refused("mean", Tensor::full({1}, std::nan(""), DType::kFloat64));
  refused("deviation", Tensor::zeros({1}, DType::kFloat64));
  refused("target", Tensor::zeros({3}, DType::kFloat64));
  refused("columns", Tensor::zeros({}, DType::kUint8));
  refused("columns", Tensor::zeros({5}, DType::kUint8));
  const std::string text = "number age\nclasses kind\nvalue a\nfoo bar";
  refused("columns", Tensor::from(std::vector<std::uint8_t>(text.begin(), text.end()),
                                  {static_cast<std::int64_t>(text.size())}));
  ParameterSet empty;
  expect_error(ErrorKind::kParameter, "'t/mean' is not there",
               [&] { (void)TableFeatures::of(empty, "t"); });
}

}  // namespace
}  // namespace wengert::io
