#include "wengert/optim/training/search.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "nlohmann/json.hpp"
#include "tests/graph/errors.h"
#include "tests/temporary_folder.h"
#include "wengert/graph/error.h"
#include "wengert/io/safetensors.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/training/cross_validation.h"
#include "wengert/optim/training/fit.h"

namespace wengert::optim {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A file in a folder that goes away with the object.
class SearchFile {
 public:
  std::string path() const { return folder_ / "search.safetensors"; }

 private:
  TemporaryFolder folder_;
};

std::vector<SearchAxis> grid_axes() {
  return {SearchAxis::values("rate", {0.5, 0.1, 0.25}),
          SearchAxis::words("method", {"sgd", "adam"}), SearchAxis::whole("units", 3, 4)};
}
std::vector<SearchAxis> random_axes() {
  return {SearchAxis::log_uniform("rate", 1e-4, 1), SearchAxis::uniform("keep", 0.25, 0.75),
          SearchAxis::whole("units", -2, 5), SearchAxis::words("method", {"sgd", "adam", "lion"})};
}

/// Least at rate 0.25, adam and 4 units.
double bowl(const Trial& trial) {
  return std::fabs(trial.value("rate") - 0.25) + (trial.text("method") == "adam" ? 0 : 1) +
         static_cast<double>(4 - trial.whole("units"));
}

std::vector<std::string> told(const SearchResult& result) {
  std::vector<std::string> texts;
  for (const TrialRecord& record : result.trials) texts.push_back(record.trial.str());
  return texts;
}

TEST(GridSearch, TriesEveryCombinationOnce) {
  const SearchResult result = grid_search(grid_axes(), bowl);
  ASSERT_EQ(result.trials.size(), 12u);
  EXPECT_EQ(result.wanted, 12);
  EXPECT_EQ(told(result)[0], "rate=0.5, method=sgd, units=3");
  EXPECT_EQ(told(result)[1], "rate=0.5, method=sgd, units=4");
  EXPECT_EQ(told(result)[2], "rate=0.5, method=adam, units=3");
  EXPECT_EQ(told(result)[11], "rate=0.25, method=adam, units=4");
  const auto texts = told(result);
  EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 12u);
  ASSERT_NE(result.best(), nullptr);
  EXPECT_EQ(result.best()->trial.number(), 11);
  EXPECT_EQ(result.best()->loss, 0);
}

TEST(GridSearch, TheFirstOfEqualLossesIsTheBest) {
  EXPECT_EQ(grid_search(grid_axes(), [](const Trial&) { return 1.0; }).best()->trial.number(), 0);
}

TEST(RandomSearch, DrawsWithinItsAxesAndFollowsFromItsSeed) {
  constexpr std::int64_t kTrials = 4000;
  const auto loss = [](const Trial& trial) { return trial.value("rate"); };
  const SearchResult result = random_search(random_axes(), kTrials, loss);
  ASSERT_EQ(result.trials.size(), static_cast<std::size_t>(kTrials));
  std::vector<double> logs, keeps;
  std::map<std::int64_t, int> units;
  std::map<std::string, int> methods;
  for (const TrialRecord& record : result.trials) {
    const Trial& trial = record.trial;
    ASSERT_GE(trial.value("rate"), 1e-4);
    ASSERT_LE(trial.value("rate"), 1);
    ASSERT_GE(trial.value("keep"), 0.25);
    ASSERT_LE(trial.value("keep"), 0.75);
    logs.push_back(std::log10(trial.value("rate")));
    keeps.push_back(trial.value("keep"));
    ++units[trial.whole("units")];
    ++methods[trial.text("method")];
  }
  // As many below the middle as above it, six standard deviations of a fair coin allowed.
  const double allowed = 6 * std::sqrt(kTrials) / 2;
  const auto below = [](const std::vector<double>& values, double middle) {
    return static_cast<double>(std::count_if(values.begin(), values.end(),
                                             [middle](double value) { return value < middle; }));
  };
  EXPECT_NEAR(below(logs, -2), kTrials / 2.0, allowed) << "each power of ten as likely";
  EXPECT_NEAR(below(logs, -3), kTrials / 4.0, allowed);
  EXPECT_NEAR(below(keeps, 0.5), kTrials / 2.0, allowed);
  EXPECT_NEAR(below(keeps, 0.375), kTrials / 4.0, allowed);
  ASSERT_EQ(units.size(), 8u) << "both ends too";
  for (const auto& [value, count] : units) EXPECT_NEAR(count, kTrials / 8.0, allowed) << value;
  ASSERT_EQ(methods.size(), 3u);
  for (const auto& [word, count] : methods) EXPECT_NEAR(count, kTrials / 3.0, allowed) << word;

  EXPECT_EQ(told(random_search(random_axes(), kTrials, loss)), told(result));
  EXPECT_NE(told(random_search(random_axes(), kTrials, loss, {.seed = 2})), told(result));
  std::set<std::uint64_t> seeds;
  for (const TrialRecord& record : result.trials) seeds.insert(record.trial.seed());
  EXPECT_EQ(seeds.size(), static_cast<std::size_t>(kTrials)) << "each has draws of its own";
}

TEST(RandomSearch, AnotherAxisAndMoreTrialsChangeNoValue) {
  const auto loss = [](const Trial&) { return 0.0; };
  const SearchResult some = random_search(random_axes(), 5, loss);
  std::vector<SearchAxis> more = random_axes();
  more.insert(more.begin(), SearchAxis::uniform("other", 0, 1));
  const SearchResult result = random_search(more, 9, loss);
  for (std::size_t i = 0; i < 5; ++i) {
    for (const SearchAxis& axis : random_axes()) {
      EXPECT_EQ(result.trials[i].trial.text(axis.name()), some.trials[i].trial.text(axis.name()));
    }
  }
}

TEST(Search, AFailureIsRecordedAndNotTheEnd) {
  const auto fails = [](const Trial& trial) -> double {
    switch (trial.number()) {
      case 0:
        return kNaN;
      case 1:
        return -std::numeric_limits<double>::infinity();
      case 2:
        throw std::runtime_error("out of\x1b luck");
      default:
        return static_cast<double>(trial.number());
    }
  };
  const SearchFile file;
  const SearchResult result =
      random_search({SearchAxis::uniform("x", 0, 1)}, 5, fails, {.file = file.path()});
  ASSERT_EQ(result.trials.size(), 5u);
  EXPECT_EQ(result.trials[0].error, "the loss is nan");
  EXPECT_EQ(result.trials[1].error, "the loss is -inf");
  EXPECT_EQ(result.trials[2].error, "out of\\x1b luck");
  EXPECT_EQ(result.best()->trial.number(), 3);
  EXPECT_EQ(result.best()->loss, 3);

  int calls = 0;
  const auto counted = [&](const Trial&) { return ++calls, 1.5; };
  const std::vector<SearchAxis> axes = {SearchAxis::uniform("x", 0, 1)};
  const SearchResult again = random_search(axes, 5, counted, {.file = file.path()});
  EXPECT_EQ(calls, 0) << "failures count as tried";
  EXPECT_EQ(again.trials[2].error, "out of\\x1b luck");
  const SearchResult retried =
      random_search(axes, 5, counted, {.file = file.path(), .retry_failed = true});
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(retried.best()->trial.number(), 0);
  EXPECT_EQ(retried.trials[3].loss, 3);

  const SearchResult none = grid_search(grid_axes(), [](const Trial&) { return kNaN; });
  EXPECT_EQ(none.best(), nullptr);
  EXPECT_NE(none.str().find("12 of them failed"), std::string::npos) << none.str();
}

TEST(Search, GoesOnAfterAKillAndLosesOneTrialAtMost) {
  const SearchFile file;
  const auto die_in = [&](std::int64_t last) {
    return [last](const Trial& trial) -> double {
      if (trial.number() == last) ::_exit(9);
      return bowl(trial);
    };
  };
  const SearchResult whole = grid_search(grid_axes(), bowl);
  EXPECT_EXIT((void)grid_search(grid_axes(), die_in(5), {.file = file.path()}),
              testing::ExitedWithCode(9), "");
  std::vector<std::int64_t> tried;
  const SearchResult result = grid_search(grid_axes(),
                                          [&](const Trial& trial) {
                                            tried.push_back(trial.number());
                                            return bowl(trial);
                                          },
                                          {.file = file.path()});
  EXPECT_EQ(tried, (std::vector<std::int64_t>{5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(result.resumed, 5);
  ASSERT_EQ(result.trials.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(result.trials[i].loss, whole.trials[i].loss) << i;
    EXPECT_EQ(result.trials[i].trial.str(), whole.trials[i].trial.str());
    EXPECT_EQ(result.trials[i].trial.seed(), whole.trials[i].trial.seed());
  }
  // A random search goes on with more trials, and does not lose those that it has beyond.
  const SearchFile other;
  const auto loss = [](const Trial& trial) { return trial.value("x"); };
  const std::vector<SearchAxis> axes = {SearchAxis::uniform("x", 0, 1)};
  (void)random_search(axes, 3, loss, {.file = other.path()});
  EXPECT_EQ(random_search(axes, 7, loss, {.file = other.path()}).resumed, 3);
  EXPECT_EQ(random_search(axes, 2, loss, {.file = other.path()}).trials.size(), 7u);
  // What passes through, as an exception of a program's own does, loses nothing either.
  EXPECT_THROW(
      (void)random_search(axes, 9, [](const Trial&) -> double { throw 5; }, {.file = other.path()}),
      int);
  EXPECT_EQ(random_search(axes, 7, loss, {.file = other.path()}).resumed, 7);
}

TEST(Search, StopsWhenAskedAndDoesNotCountWhatWasUnderWay) {
  const SearchFile file;
  int asked = 0;
  SearchOptions options{.file = file.path(), .wants_stop = [&] { return ++asked > 5; }};
  // Asked before and after each: the third trial is under way when the sixth answer comes.
  const SearchResult stopped = grid_search(grid_axes(), bowl, options);
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.trials.size(), 2u);
  EXPECT_NE(stopped.str().find("2 of 12 trials, stopped"), std::string::npos) << stopped.str();
  std::vector<std::string> lines;
  options.wants_stop = {};
  options.after_trial = [&](const TrialRecord& record, const SearchResult& so_far) {
    lines.push_back(so_far.line(record));
  };
  const SearchResult result = grid_search(grid_axes(), bowl, options);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.resumed, 2);
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_EQ(lines[1],
            "trial 4 of 12: rate=0.5, method=adam, units=4: loss 0.25 (best 0.25, trial 4)");
}

TEST(Search, RefusesAFileOfAnotherSearchAndLeavesIt) {
  const SearchFile file;
  const std::vector<SearchAxis> axes = {SearchAxis::uniform("x", 0, 1)};
  const auto loss = [](const Trial&) { return 1.0; };
  (void)random_search(axes, 3, loss, {.file = file.path()});
  const auto refused = [&](const std::string& words, auto&& body) {
    expect_error(ErrorKind::kFile, words, body);
    EXPECT_EQ(random_search(axes, 3, loss, {.file = file.path()}).resumed, 3) << words;
  };
  refused("\"x\": uniform 0 1 there, here \"x\": uniform 0 2", [&] {
    (void)random_search({SearchAxis::uniform("x", 0, 2)}, 3, loss, {.file = file.path()});
  });
  refused("random search, seed 1 there, here random search, seed 2",
          [&] { (void)random_search(axes, 3, loss, {.file = file.path(), .seed = 2}); });
  refused("random search, seed 1 there, here grid search, seed 1",
          [&] { (void)grid_search(grid_axes(), bowl, {.file = file.path()}); });
  refused("nothing more there, here \"y\": uniform 0 1", [&] {
    (void)random_search({axes[0], SearchAxis::uniform("y", 0, 1)}, 3, loss, {.file = file.path()});
  });

  io::SafeTensors content = io::read_safetensors(file.path());
  const auto damaged = [&](const std::string& words, auto&& damage) {
    io::SafeTensors copy = content;
    damage(copy);
    io::write_safetensors(file.path(), copy.tensors, copy.metadata);
    expect_error(ErrorKind::kFile, words,
                 [&] { (void)random_search(axes, 3, loss, {.file = file.path()}); });
  };
  damaged("it is of no search", [](io::SafeTensors& f) { f.metadata.clear(); });
  damaged("it has no ", [](io::SafeTensors& f) { f.tensors.pop_back(); });
  damaged("not all there", [](io::SafeTensors& f) {
    for (auto& entry : f.tensors) {
      if (entry.name == "seconds") entry.tensor = Tensor::zeros({2}, DType::kFloat64);
    }
  });
  damaged("trial 0 had other values", [](io::SafeTensors& f) {
    for (auto& entry : f.tensors) {
      if (entry.name == "values") entry.tensor = Tensor::full({3, 1}, 0.5, DType::kFloat64);
    }
  });
  damaged("trial 0 has a loss and an error, or neither", [](io::SafeTensors& f) {
    for (auto& entry : f.tensors) {
      if (entry.name == "losses") entry.tensor = Tensor::full({3}, kNaN, DType::kFloat64);
    }
  });
  damaged("trial 0 took no time that is one", [](io::SafeTensors& f) {
    for (auto& entry : f.tensors) {
      if (entry.name == "seconds") entry.tensor = Tensor::full({3}, kNaN, DType::kFloat64);
    }
  });
  damaged("trial 1 has a loss and an error, or neither",
          [](io::SafeTensors& f) { f.metadata["error 1"] = "what?"; });
}

TEST(Search, AGridHasNoMoreTrialsThanItsCombinations) {
  const SearchFile file;
  const std::vector<SearchAxis> axes = {SearchAxis::values("x", {1, 2})};
  const auto loss = [](const Trial& trial) { return trial.value("x"); };
  (void)grid_search(axes, loss, {.file = file.path()});
  io::SafeTensors content = io::read_safetensors(file.path());
  for (auto& entry : content.tensors) {
    entry.tensor = entry.name == "values" ? Tensor::from({1.0, 2.0, 1.0}, {3, 1})
                                          : Tensor::full({3}, 1, DType::kFloat64);
  }
  io::write_safetensors(file.path(), content.tensors, content.metadata);
  expect_error(ErrorKind::kFile, "it has 3 trials of 2",
               [&] { (void)grid_search(axes, loss, {.file = file.path()}); });
}

TEST(Search, AFileThatCannotBeWrittenIsToldBeforeTheFirstTrial) {
  int calls = 0;
  expect_error(ErrorKind::kFile, "", [&] {
    (void)grid_search(grid_axes(), [&](const Trial&) { return ++calls, 0.0; },
                      {.file = "/no such folder/search"});
  });
  EXPECT_EQ(calls, 0);
}

TEST(Search, RefusesAxesThatAreNone) {
  const auto zero = [](const Trial&) { return 0.0; };
  const auto refused = [&](std::vector<SearchAxis> axes, const std::string& words) {
    expect_error(ErrorKind::kValue, words, [&] { (void)random_search(axes, 1, zero); });
    expect_error(ErrorKind::kValue, words, [&] { (void)grid_search(axes, zero); });
  };
  refused({}, "nothing is searched over");
  refused({SearchAxis::values("a", {})}, "axis 'a' is empty");
  refused({SearchAxis::words("a", {})}, "axis 'a' is empty");
  refused({SearchAxis::values("", {1})}, "has no name");
  refused({SearchAxis::values("a", {1, kNaN})}, "has the value nan");
  refused({SearchAxis::values("a", {1, 2, 1})}, "has a value twice");
  refused({SearchAxis::words("a", {"x", "x"})}, "has a value twice");
  refused({SearchAxis::values("a", {1}), SearchAxis::whole("a", 1, 2)}, "two axes are called 'a'");
  refused({SearchAxis::uniform("a", 1, 1)}, "runs from 1 to 1");
  refused({SearchAxis::uniform("a", 0, kNaN)}, "runs from 0 to nan");
  refused({SearchAxis::uniform("a", -1e308, 1e308)}, "runs from");
  refused({SearchAxis::whole("a", 2, 1)}, "runs from 2 to 1");
  refused({SearchAxis::whole("a", 0, std::int64_t{1} << 60)}, "whole numbers run to 2^53");
  refused({SearchAxis::log_uniform("a", 0, 1)}, "has no logarithm there");
  expect_error(ErrorKind::kValue, "axis 'a' has no end of values",
               [&] { (void)grid_search({SearchAxis::uniform("a", 0, 1)}, zero); });
  expect_error(ErrorKind::kValue, "more than 1,000,000,000 trials", [&] {
    (void)grid_search({SearchAxis::whole("a", 1, 1 << 30), SearchAxis::whole("b", 1, 1 << 30),
                       SearchAxis::whole("c", 1, 1 << 30)},
                      zero);
  });
  expect_error(ErrorKind::kValue, "0 trials",
               [&] { (void)random_search({SearchAxis::uniform("a", 0, 1)}, 0, zero); });
  expect_error(ErrorKind::kValue, "nothing to call",
               [&] { (void)random_search({SearchAxis::uniform("a", 0, 1)}, 1, Objective()); });
}

TEST(Search, ATrialNamesWhatIsAskedForWrongly) {
  const SearchResult result = grid_search(grid_axes(), [](const Trial& trial) {
    expect_error(ErrorKind::kValue, "did you mean 'rate'?", [&] { (void)trial.value("rates"); });
    expect_error(ErrorKind::kValue, "has words, no numbers", [&] { (void)trial.value("method"); });
    expect_error(ErrorKind::kValue, "no whole number", [&] { (void)trial.whole("rate"); });
    return 0.0;
  });
  EXPECT_FALSE(result.trials[0].failed());
  // A number's text reads back to the same bits.
  const SearchResult drawn = random_search({SearchAxis::uniform("x", 0, 1)}, 50,
                                           [](const Trial& t) { return t.value("x"); });
  for (const TrialRecord& record : drawn.trials) {
    EXPECT_EQ(nlohmann::json::parse(record.trial.text("x")).get<double>(), record.loss);
  }
}

TEST(Search, EndsInATableAPictureAndJson) {
  const auto loss = [](const Trial& trial) {
    return trial.number() == 1 ? kNaN : bowl(trial) + 1e-9;
  };
  const SearchResult result = grid_search(grid_axes(), loss);
  const std::string table = result.str();
  EXPECT_TRUE(
      table.starts_with("12 of 12 trials, 1 of them failed\n"
                        "trial  rate  method  units  loss"))
      << table;
  EXPECT_NE(table.find("\n12     0.25  adam    4      1e-09"), std::string::npos) << table;
  EXPECT_LT(table.find("\n12  "), table.find("\n8  ")) << "the best first: " << table;
  EXPECT_NE(table.rfind("the loss is nan\n"), std::string::npos);
  EXPECT_EQ(table.rfind("the loss is nan\n") + 16, table.size()) << "failures last: " << table;

  const auto json = nlohmann::json::parse(result.json());
  EXPECT_EQ(json.at("best"), 11);
  EXPECT_EQ(json.at("wanted"), 12);
  ASSERT_EQ(json.at("trials").size(), 12u);
  EXPECT_EQ(json.at("trials")[3].at("values").at("method"), "adam");
  EXPECT_EQ(json.at("trials")[3].at("values").at("rate"), 0.5);
  EXPECT_EQ(json.at("trials")[3].at("loss").get<double>(), result.trials[3].loss);
  EXPECT_TRUE(json.at("trials")[1].at("loss").is_null());
  EXPECT_EQ(json.at("trials")[1].at("error"), "the loss is nan");

  const std::string picture = result.picture("a <search>");
  for (const char* part :
       {"</svg>", "a &lt;search&gt;", "least loss so far", ">sgd<", ">adam<", "units"}) {
    EXPECT_NE(picture.find(part), std::string::npos) << part;
  }
  EXPECT_NE(random_search({SearchAxis::log_uniform("r", 1, 9)}, 3, [](const Trial&) { return 1.0; })
                .picture("p")
                .find(">r<"),
            std::string::npos);
  const SearchResult none = grid_search(grid_axes(), bowl, {.wants_stop = [] { return true; }});
  EXPECT_EQ(none.str(), "0 of 12 trials, stopped\n");
  EXPECT_EQ(nlohmann::json::parse(none.json()).at("trials").size(), 0u);
}

/// A line with noise, of which a straight line is learned.
Batch line() {
  std::vector<float> x, y;
  for (int i = 0; i < 20; ++i) {
    x.push_back(static_cast<float>(i) / 10 - 1);
    y.push_back(3 * x.back() + (i % 2 == 0 ? 0.25f : -0.25f));
  }
  return {Tensor::from(x, {20, 1}), Tensor::from(y, {20, 1})};
}

/// Validation loss after a few epochs of a line trained on a fold.
double trained(const Split& fold, const Trial& trial) {
  ParameterSet set(trial.seed());
  const Model model = [](ParameterSet& parameters, const Batch& batch) -> Outcome {
    const Var y = linear(parameters, "out", batch.inputs, 1);
    return {mean_squared_error(y, batch.targets), double(batch.count())};
  };
  const ArrayLoader train(line(), {.batch_size = 5, .seed = 3}, fold.train);
  const ArrayLoader validation(line(), {.shuffle = false}, fold.validation);
  const auto optimizer = make_optimizer("sgd", {{"rate", trial.text("rate")}});
  (void)fit(set, *optimizer, train, model, {.epochs = 10});
  return measure(set, validation, model).loss();
}

TEST(CrossValidation, IsWhatASearchMakesSmall) {
  const std::vector<Split> folds = k_folds(20, 4, 1);
  const SearchResult result =
      grid_search({SearchAxis::values("rate", {1e-4, 0.1, 1e6})}, [&](const Trial& trial) {
        return cross_validate(folds,
                              [&](const Split& fold, std::int64_t) { return trained(fold, trial); })
            .mean;
      });
  ASSERT_EQ(result.trials.size(), 3u);
  EXPECT_EQ(result.best()->trial.value("rate"), 0.1);
  EXPECT_LT(result.best()->loss, 0.2);
  EXPECT_GT(result.trials[0].loss, 1);
  EXPECT_TRUE(result.trials[2].failed()) << "it diverged";
}

TEST(CrossValidation, GivesMeanAndSpread) {
  const std::vector<Split> folds = k_folds(10, 5, 1);
  std::vector<std::int64_t> called;
  const CrossValidation result = cross_validate(folds, [&](const Split& fold, std::int64_t index) {
    EXPECT_EQ(fold.validation.size(), 2u);
    called.push_back(index);
    return std::vector<double>{2, 4, 4, 5, 10}[static_cast<std::size_t>(index)];
  });
  EXPECT_EQ(called, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_DOUBLE_EQ(result.mean, 5);
  EXPECT_DOUBLE_EQ(result.spread, 3) << "over n - 1: 9 + 1 + 1 + 0 + 25 by 4";
  EXPECT_EQ(result.str(), "5 ± 3 (5 folds: 2, 4, 4, 5, 10)");
}

TEST(CrossValidation, RefusesFoldsThatTellNothing) {
  const auto one = [](const Split&, std::int64_t) { return 1.0; };
  const auto refused = [&](const std::vector<Split>& folds, const std::string& words) {
    expect_error(ErrorKind::kValue, words, [&] { (void)cross_validate(folds, one); });
  };
  refused({}, "0 folds");
  refused({{{0}, {1}, {}}}, "1 folds");
  refused({{{0}, {1}, {}}, {{1}, {}, {}}}, "fold 2 of 2 has no examples for validation");
  refused({{{}, {1}, {}}, {{1}, {0}, {}}}, "fold 1 of 2 has no examples for training");
  refused({{{0, 1}, {1}, {}}, {{1}, {0}, {}}}, "example 1 for training and for validation");
  refused({{{0}, {1}, {}}, {{0}, {1}, {}}}, "fold 2 of 2 holds out example 1 a second time");
  expect_error(ErrorKind::kValue, "11 folds of 10 examples", [] { (void)k_folds(10, 11, 1); });
  expect_error(ErrorKind::kNonFinite, "fold 2 of 2 came to nan", [] {
    (void)cross_validate(k_folds(4, 2, 1),
                         [](const Split&, std::int64_t index) { return index == 1 ? kNaN : 1.0; });
  });
}

}  // namespace
}  // namespace wengert::optim
