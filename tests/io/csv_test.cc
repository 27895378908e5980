#include "wengert/io/csv.h"

#include <cmath>

#include "wengert/tests/io/allocations.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

Table table_of(const std::string& text, const CsvOptions& options = {}) {
  const TemporaryFolder folder;
  put_bytes(folder / "t.csv", text);
  return read_csv(folder / "t.csv", options);
}

void expect_io_error_of(const std::string& text, const CsvOptions& options,
                        const std::string& words) {
  const TemporaryFolder folder;
  put_bytes(folder / "t.csv", text);
  expect_io_error(folder / "t.csv", words, [&] { (void)read_csv(folder / "t.csv", options); });
}

TEST(Csv, ReadsNumbersCategoriesAndWhatIsMissing) {
  const std::string text =
      "length, kind ,note\r\n"
      "1.5,cat,\"a, b\"\r\n"
      "\r\n"
      "NA,dog,\"says \"\"no\"\"\r\ntwice\"\r\n"
      "-2e3 ,cat,\r\n"
      "+4,?,x";
  for (const std::string& bytes : {text, gzip(text), "\xef\xbb\xbf" + text, text + "\n"}) {
    const Table table = table_of(bytes);
    ASSERT_EQ(table.rows, 4);
    ASSERT_EQ(table.columns.size(), 3u);
    const Column& length = table.at("length");
    EXPECT_FALSE(length.is_categorical());
    EXPECT_EQ(length.missing, 1);
    EXPECT_EQ(length.values.at(0), 1.5);
    EXPECT_TRUE(std::isnan(length.values.at(1)));
    EXPECT_EQ(length.values.at(2), -2000);
    EXPECT_EQ(length.values.at(3), 4);
    const Column& kind = table.at("kind");
    EXPECT_EQ(kind.categories, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_EQ(kind.values.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 0, -1}));
    EXPECT_EQ(kind.missing, 1);
    EXPECT_EQ(table.at("note").categories,
              (std::vector<std::string>{"a, b", "says \"no\"\r\ntwice", "x"}));
  }
}

TEST(Csv, ColumnsOfNumbersBecomeAMatrix) {
  const Table table = table_of("a;b;c;d\n1;2;x;\n3;4;y;5\n", {.separator = ';'});
  const std::vector<std::string> names = {"b", "a"};
  const Tensor matrix = table.matrix(names);
  EXPECT_EQ(matrix.shape(), (Shape{2, 2}));
  EXPECT_EQ(matrix.dtype(), DType::kFloat32);
  EXPECT_EQ(matrix.to_vector<float>(), (std::vector<float>{2, 1, 4, 3}));
  const auto message = [&](std::vector<std::string> wanted) -> std::string {
    try {
      (void)table.matrix(wanted);
    } catch (const Error& error) {
      return error.what();
    }
    return "was accepted";
  };
  EXPECT_NE(message({"a", "c"}).find("'c' is of 2 categories"), std::string::npos);
  EXPECT_NE(message({"d"}).find("1 of 2 numbers of column 'd' are missing, first in row 0"),
            std::string::npos);
  EXPECT_NE(message({"bb"}).find("did you mean 'b'?"), std::string::npos);
}

TEST(Csv, NumbersAreWholeFields) {
  const Table table = table_of("a,b,c,d,e\n1x,0x10,inf,1e999,-1e-999\n", {});
  EXPECT_TRUE(table.at("a").is_categorical());
  EXPECT_TRUE(table.at("b").is_categorical());
  EXPECT_EQ(table.at("c").values.at(0), HUGE_VAL);
  EXPECT_EQ(table.at("d").values.at(0), HUGE_VAL);
  EXPECT_EQ(table.at("e").values.at(0), 0);
  const Table nan = table_of("a,b\n-nan,NAN\n1,2\n");
  EXPECT_EQ(nan.at("a").missing + nan.at("b").missing, 2) << "what C prints is missing too";
  EXPECT_EQ(table_of("a\n0." + std::string(400, '0') + "1\n").at("a").values.at(0), 0);
  EXPECT_EQ(table_of("a\n1" + std::string(400, '0') + "\n").at("a").values.at(0), HUGE_VAL);
  EXPECT_EQ(table_of("a,b\n1,2\n").matrix({"b", "a"}).at(0), 2);
  const Table bare = table_of("1,2\n3,4\n", {.header = false});
  EXPECT_EQ(bare.rows, 2);
  EXPECT_EQ(bare.at("column 2").values.at(1), 4);
}

TEST(Csv, WhatIsNoTableIsAnErrorThatNamesTheLine) {
  const auto refused = [](const std::string& text, const char* part) {
    try {
      (void)table_of(text);
      ADD_FAILURE() << "was accepted: " << part;
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("t.csv"), std::string::npos) << error.what();
    }
  };
  refused("", "is empty");
  refused("\n\n", "is empty");
  refused("a,b\n1,2\n\n3\n", "line 4 has 1 fields, the first row 2");
  refused("a,b\n\"x\ny\",2\n1,2,3\n", "line 4 has 3 fields");
  refused("a,b\n1,\"2\n3,4\n", "line 2 has a quote that does not end");
  refused("a,b\n\"1\"2,3\n", "line 2 goes on after a quote in column 1");
  refused(std::string("a,b\n1,\0\n", 8), "line 2 holds a zero byte");
  refused("a,b,a\n1,2,3\n", "two columns named 'a'");
  EXPECT_THROW((void)read_csv("/nonexistent/t.csv"), IoError);
}

// No text, however mangled, does more than throw.
TEST(Csv, AnyBytesAreATableOrAnError) {
  const std::string letters = "a,\"\n\r1.-e \\;\t";
  std::uint64_t state = 1;
  int tables = 0;
  const TemporaryFolder folder;
  for (int i = 0; i < 1000; ++i) {
    std::string text;
    for (int k = 0; k < 30; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += letters[static_cast<std::size_t>(state >> 33) % letters.size()];
    }
    try {
      put_bytes(folder / "t.csv", text);
      const Table table = read_csv(folder / "t.csv");
      for (const Column& column : table.columns) EXPECT_EQ(column.values.size(0), table.rows);
      ++tables;
    } catch (const IoError&) {
    }
  }
  EXPECT_GT(tables, 5);
}

TEST(Csv, GzipBombsTakeNoMemory) {
  const TemporaryFolder folder;
  std::string text = "a,b\n";
  while (text.size() < 100'000'000) text += "1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n";
  put_bytes(folder / "t.csv.gz", gzip(text));
  text = {};
  start_counting_allocations();
  expect_io_error(folder / "t.csv.gz", "unpacks to more than the 67108864 allowed; if you trust it",
                  [&] { (void)read_csv(folder / "t.csv.gz"); });
  EXPECT_LT(allocated_bytes(), 300'000'000u);  // a text that grew to the limit
}

TEST(Csv, TheLimitOfUnpackingIsTheCallers) {
  const std::string text = "a\n" + std::string(2000, '1') + "\n";
  expect_io_error_of(gzip(text), {.unpacked_limit = 1000}, "set CsvOptions::unpacked_limit");
  EXPECT_EQ(table_of(gzip(text), {.unpacked_limit = 3000}).rows, 1);
  EXPECT_EQ(table_of(text, {.unpacked_limit = 1000}).rows, 1) << "it is not packed";
}

TEST(Csv, ColumnsAreCountedBeforeTheyAreMade) {
  start_counting_allocations();
  expect_io_error_of(std::string(3'000'000, ','), {.header = false},
                     "line 1 has more than 1,000,000 columns");
  EXPECT_LT(allocated_bytes(), 100'000'000u);
}

}  // namespace
}  // namespace wengert::io
