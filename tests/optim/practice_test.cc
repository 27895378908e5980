#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "tests/graph/errors.h"
#include "tests/temporary_folder.h"
#include "wengert/graph/error.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/parameter_kinds.h"
#include "wengert/optim/training/test_set.h"

// The test set that is seen once, and what numbers a training has.
namespace wengert::optim {
namespace {

Batch data() {
  return {Tensor::from({0.5f, -1.5f, 2.0f, 0.25f, -0.75f, 1.0f}, {3, 2}),
          Tensor::from(std::vector<std::int64_t>{1, 0, 1}, {3})};
}
Var logits(ParameterSet& set, const Var& x) {
  return linear(set, "out", dropout(set, "drop", linear(set, "in", x, 4), 0.5), 2);
}

std::string text_at(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(TestSet, IsSeenOnceUnlessAFurtherLookIsSaidToBeOne) {
  const TemporaryFolder folder;
  const ArrayLoader loader(data(), {.batch_size = 2, .shuffle = false});
  const Model model = classifier(logits);
  ParameterSet set(1);
  TestSet test(loader, folder / "looks");
  const Totals first = test.measure(set, model, "the final network");
  EXPECT_EQ(first.loss(), measure(set, loader, model).loss());
  EXPECT_EQ(first.denominator(), 3);
  expect_error(ErrorKind::kValue, "the test set was seen once, last for 'the final network'",
               [&] { (void)test.measure(set, model); });
  expect_error(ErrorKind::kValue, "a further look without a reason",
               [&] { (void)test.measure_again(set, model, ""); });
  EXPECT_EQ(test.looks(), (std::vector<std::string>{"the final network"}));
  EXPECT_EQ(test.measure_again(set, model, "a table\nfor a paper").loss(), first.loss());

  // Another run of the program knows of them.
  TestSet later(loader, folder / "looks");
  EXPECT_EQ(later.looks().size(), 2u);
  expect_error(ErrorKind::kValue, "was seen 2 times, last for 'a table\\x0afor a paper'",
               [&] { (void)later.measure(set, model); });
  EXPECT_EQ(text_at(folder / "looks"),
            "look 1: the final network\nlook 2: a table\\x0afor a paper\n");
  TestSet forgetful(loader);
  EXPECT_EQ(forgetful.looks().size(), 0u);
  (void)forgetful.measure(set, model);
  expect_error(ErrorKind::kValue, "was seen once, last for 'test'",
               [&] { (void)forgetful.measure(set, model); });
}

TEST(TestSet, WasNotSeenWhereNoNumberCameOut) {
  const TemporaryFolder folder;
  const ArrayLoader loader(data(), {.shuffle = false});
  ParameterSet set(1);
  TestSet test(loader, folder / "looks");
  EXPECT_THROW(
      (void)test.measure(
          set, [](ParameterSet&, const Batch&) -> Outcome { throw std::runtime_error("no"); }),
      std::runtime_error);
  EXPECT_TRUE(test.looks().empty());
  EXPECT_FALSE(std::filesystem::exists(folder / "looks"));
  (void)test.measure(set, classifier(logits));

  TestSet nowhere(loader, "/no such folder/looks");
  expect_error(ErrorKind::kFile, "", [&] { (void)nowhere.measure(set, classifier(logits)); });
  EXPECT_TRUE(nowhere.looks().empty());
  std::ofstream(folder / "notes") << "look 1: a\nlook 3: b\n";
  expect_error(ErrorKind::kFile, "line 2 does not begin with 'look 2: '",
               [&] { const TestSet other(loader, folder / "notes"); });
}

TEST(ParameterKinds, TellApartWhatIsLearnedGatheredKeptAndChosen) {
  ParameterSet set(7);
  Adam adam({.rate = 1e-2});
  (void)adam.add_group(named("out/*"), {.rate = 1e-3});
  const ArrayLoader loader(data(), {.batch_size = 2});
  EarlyStop early({.patience = 3});
  Training training(set, adam, loader, classifier(logits),
                    {.epochs = 2, .schedule = ReduceOnPlateau({.patience = 1}), .hooks = {&early}});
  training.step().make_parameters(loader.batch(1, 0));
  (void)freeze(set, named("in/bias"));
  (void)training.run();

  const std::vector<ParameterKind> kinds = parameter_kinds(training);
  ASSERT_EQ(kinds.size(), 7u);
  const auto& [trained, frozen, buffers, gradients] =
      std::tie(kinds[0], kinds[1], kinds[2], kinds[3]);
  const auto& [state, progress, hyper] = std::tie(kinds[4], kinds[5], kinds[6]);
  EXPECT_EQ(trained.kind, "parameters");
  EXPECT_EQ(trained.numbers, 2 * 4 + 4 * 2 + 2);
  EXPECT_EQ(trained.names, (std::vector<std::string>{"in/weight f32[2,4]", "out/weight f32[4,2]",
                                                     "out/bias f32[2]"}));
  EXPECT_EQ(frozen.numbers, 4);
  EXPECT_EQ(frozen.names, (std::vector<std::string>{"in/bias f32[4]"}));
  EXPECT_EQ(buffers.numbers, 1) << "the counter of what dropout draws";
  EXPECT_EQ(gradients.numbers, trained.numbers);
  EXPECT_EQ(gradients.kept_in, "nowhere");
  std::int64_t slots = 0;
  for (const Optimizer::StateTensor& entry : adam.state()) {
    if (entry.name.starts_with("slots/")) slots += entry.value.element_count();
  }
  EXPECT_EQ(slots, 2 * trained.numbers) << "two averages of each trained number";
  EXPECT_GE(state.numbers, slots);
  EXPECT_LE(state.numbers, slots + 10) << "and counts of steps";
  EXPECT_GE(progress.numbers, 3 + trained.numbers + frozen.numbers) << "the best weights too";
  const auto has = [&hyper = hyper](const std::string& name) {
    return std::find(hyper.names.begin(), hyper.names.end(), name) != hyper.names.end();
  };
  for (const char* name : {"adam rate = 0.01", "adam group 1 rate = 0.001", "adam beta1 = 0.9",
                           "reduce_on_plateau patience = 1", "epochs = 2", "micro_batches = 1"}) {
    EXPECT_TRUE(has(name)) << name << " is not among " << testing::PrintToString(hyper.names);
  }
  EXPECT_EQ(hyper.numbers, static_cast<std::int64_t>(hyper.names.size()));

  const std::string table = to_table(kinds);
  EXPECT_TRUE(table.starts_with("kind               numbers  decided by")) << table;
  EXPECT_NE(
      table.find("\nparameters         18       training, by their gradients  each step   model "
                 "file"),
      std::string::npos)
      << table;
  EXPECT_NE(table.find("in/weight f32[2,4], out/weight f32[4,2], … (3)\n"), std::string::npos)
      << table;
}

}  // namespace
}  // namespace wengert::optim
