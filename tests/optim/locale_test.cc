// A host program may have any locale: numbers are read and written the same.
#include <gtest/gtest.h>
#include <locale.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <locale>
#include <sstream>

#include "nlohmann/json.hpp"
#include "wengert/graph/error.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/io/csv.h"
#include "wengert/io/safetensors.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/curves.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/progress_bar.h"

namespace wengert {
namespace {

/// "1.234,5", of streams.
class Commas : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// A locale of the C library whose decimal point is a comma, for as long as the object lives: one
/// that is installed, or one made for the test.
class CommaLocale {
 public:
  CommaLocale() {
    before_ = ::setlocale(LC_ALL, nullptr);
    streams_ = std::locale::global(std::locale(std::locale::classic(), new Commas));
    for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8", "ru_RU.UTF-8"}) {
      if (has_comma(name)) return;
    }
    std::string folder = testing::TempDir() + "wengert_locale_XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return;
    folder_ = folder;
    const std::string make =
        "localedef -i de_DE -f UTF-8 " + folder + "/de_DE.UTF-8 > /dev/null 2>&1";
    if (std::system(make.c_str()) != 0) return;
    ::setenv("LOCPATH", folder.c_str(), 1);
    (void)has_comma("de_DE.UTF-8");
  }
  ~CommaLocale() {
    std::locale::global(streams_);
    ::setlocale(LC_ALL, before_.c_str());
    ::unsetenv("LOCPATH");
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  /// Whether the C library writes commas; streams do in any case.
  bool complete() const { return complete_; }

 private:
  bool has_comma(const char* name) {
    if (::setlocale(LC_ALL, name) == nullptr) return false;
    char text[8];
    std::snprintf(text, sizeof text, "%.1f", 0.5);
    complete_ = std::string(text) == "0,5";
    return complete_;
  }

  std::string before_, folder_;
  std::locale streams_;
  bool complete_ = false;
};

std::string streamed(const Var& var) {
  std::ostringstream out;
  out << var << var.value() << var.shape();
  return out.str();
}

/// Everything that has numbers in its text, as one text.
std::string all_texts() {
  std::string text = format_number(1234567.5, 9) + fixed_number(0.5, 3) + progress_bar(0.42);
  Tape tape;
  const Var x = variable(Tensor::from({1.5, 1234567.25, -2e-7}, {3}));
  const Var loss = sum(x * 0.25);
  text += streamed(x) + streamed(zeros({1234567, 0}));
  GraphOptions options;
  options.title = "loss " + format_number(loss.scalar_value());
  const GraphView view = graph_view(tape, options);
  text += to_dot(view) + to_json(view);
  const optim::Totals totals(0.125, 1000, {});
  const std::vector<optim::EpochRecord> history = {{1, 0.001, totals, totals, 1234.5},
                                                   {2, 0.0005, totals, totals, 0.25}};
  text += optim::ProgressBar::line(history[0]) + optim::learning_curves("run", history);
  const auto message = [&](const std::function<void()>& body) {
    try {
      body();
      text += "no error";
    } catch (const Error& error) {
      text += error.what();
    }
  };
  message([] { (void)optim::make_optimizer("adam", {{"rate", "-0.5"}}); });
  message([] { (void)optim::make_optimizer("adam", {{"rate", "0,5"}}); });
  message([] { (void)optim::make_optimizer("adam", {{"beta1", "1234567.5"}}); });
  return text + nlohmann::json({0.5, 1234567.25}).dump();
}

/// What is read from text.
std::vector<double> all_numbers() {
  const std::string path =
      testing::TempDir() + "wengert_locale_" + std::to_string(::getpid()) + ".csv";
  std::ofstream(path) << "a,b\n1.5,-2e-3\n1234567.25,0.125\n";
  const io::Table table = io::read_csv(path);
  std::remove(path.c_str());
  const std::vector<std::string> names = {"a", "b"};
  std::vector<double> numbers = table.matrix(names, DType::kFloat64).to_vector<double>();
  const auto optimizer = optim::make_optimizer("adam", {{"rate", "0.125"}});
  numbers.push_back(optimizer->rate());
  const optim::Schedule schedule = optim::make_schedule("linear_decay", {{"final_share", "0.25"}});
  numbers.push_back(schedule.factor({99, 10, 100}));
  numbers.push_back(nlohmann::json::parse("[0.5]")[0].get<double>());
  return numbers;
}

TEST(Locale, ChangesNoNumber) {
  const std::string texts = all_texts();
  const std::vector<double> numbers = all_numbers();
  EXPECT_EQ(numbers[0], 1.5);
  EXPECT_EQ(numbers[4], 0.125);
  const CommaLocale commas;
  std::ostringstream proof;
  proof << 1234.5;
  ASSERT_EQ(proof.str(), "1.234,5") << "streams have commas now";
  EXPECT_EQ(all_texts(), texts);
  EXPECT_EQ(all_numbers(), numbers);
  if (!commas.complete()) GTEST_SKIP() << "no locale with a comma is installed or can be made";
}

}  // namespace
}  // namespace wengert
