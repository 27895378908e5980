#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/program/child.h"

// The experiments of examples/, each run on little data: what they print holds, and they leave a
// picture that says what it shows.
namespace wengert {
namespace {

struct Ran {
  std::string out, picture;
};

Ran run_example(const std::string& name) {
  const TemporaryFolder folder;
  const Outcome outcome = run_command({WENGERT_BINARY_DIR "/" + name, folder.path(), "--quick"});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const std::string picture = bytes_at(folder / (name + ".svg"));
  EXPECT_TRUE(picture.starts_with("<?xml")) << name;
  EXPECT_TRUE(holds(picture, "</svg>")) << name;
  EXPECT_FALSE(holds(picture, "<title></title>")) << name;
  EXPECT_FALSE(holds(picture, ">no data<")) << name;
  EXPECT_FALSE(holds(picture, "nan")) << name;
  return {outcome.out, picture};
}

/// The numbers in what `form` takes out of the text, in order, one for each group of each match.
std::vector<double> numbers(const std::string& text, const std::string& form) {
  std::vector<double> found;
  const std::regex pattern(form);
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    for (std::size_t group = 1; group < at->size(); ++group) {
      found.push_back(std::strtod(at->str(group).c_str(), nullptr));
    }
  }
  return found;
}

constexpr const char* kNumber = "([-+.0-9e]+|-?nan)";

/// The first number behind `words`.
double number_after(const std::string& text, const std::string& words) {
  const std::vector<double> found = numbers(text, words + " *" + kNumber);
  EXPECT_FALSE(found.empty()) << "no '" << words << "' in " << text;
  return found.empty() ? std::nan("") : found[0];
}

/// The line that begins so.
std::string line_of(const std::string& text, const std::string& begin) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(begin)) return line;
  }
  ADD_FAILURE() << "no line " << begin << " in " << text;
  return {};
}

TEST(Examples, APerceptronFailsAtXorAndTwoLayersDoNot) {
  const Ran ran = run_example("xor");
  EXPECT_EQ(number_after(ran.out, "on AND"), 0);
  EXPECT_GT(number_after(ran.out, "AND 0, on XOR"), 0);
  EXPECT_EQ(number_after(ran.out, "two layers on XOR"), 0);
  for (const char* text : {">Perceptron, XOR<", ">Mistakes<", ">first input<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, AReluNetIsLinearInEachRegion) {
  const Ran ran = run_example("piecewise_linear");
  const std::vector<double> found = numbers(ran.out, "([0-9]+) regions .* by ([-+.0-9e]+) at most");
  ASSERT_EQ(found.size(), 2u) << ran.out;
  EXPECT_GT(found[0], 20);
  EXPECT_LT(found[1], 1e-12);
}

TEST(Examples, DifferencesCostTwoEvaluationsAParameter) {
  const Ran ran = run_example("chain_rule_cost");
  const std::vector<double> found = numbers(
      ran.out, "([0-9]+) parameters: ([0-9]+) evaluations.* by ([-+.0-9e]+) of the largest");
  ASSERT_EQ(found.size(), 9u) << ran.out;
  for (std::size_t i = 0; i < found.size(); i += 3) {
    EXPECT_EQ(found[i + 1], 2 * found[i]);
    EXPECT_LT(found[i + 2], 1e-7);
  }
  EXPECT_TRUE(holds(ran.picture, ">time (ms)<"));
}

TEST(Examples, TheSumOverPathsIsTheGradient) {
  const Ran ran = run_example("path_sum");
  EXPECT_LT(number_after(ran.out, "differs from backward by"), 1e-13);
  const std::vector<double> found =
      numbers(ran.out,
              "([0-9]+) layers: ([0-9]+) paths a weight, ‖g‖ ([-+.0-9e]+), bound "
              "([-+.0-9e]+)");
  ASSERT_EQ(found.size(), 20u) << ran.out;
  for (std::size_t i = 0; i < found.size(); i += 4) {
    EXPECT_EQ(found[i + 1], std::pow(4, std::max(0.0, found[i] - 2)));
    EXPECT_LE(found[i + 2], found[i + 3]);
  }
}

TEST(Examples, SurfacesHaveASaddleThatIsLeft) {
  const Ran ran = run_example("surfaces");
  const std::vector<double> found =
      numbers(ran.out, std::string("saddle ") + kNumber + " and " + kNumber + ", at its minimum " +
                           kNumber + " and " + kNumber);
  ASSERT_EQ(found.size(), 4u) << ran.out;
  EXPECT_NEAR(found[0], -2, 1e-9);
  EXPECT_NEAR(found[1], 2, 1e-9);
  EXPECT_NEAR(found[2], 2, 1e-9);
  EXPECT_NEAR(found[3], 4, 1e-4);
  // The saddle is 1 high, its minima 0: every method leaves it.
  for (const double height :
       numbers(line_of(ran.out, "Saddle"), " ([.0-9]+(?:e-[0-9]+)?)(?= |$)")) {
    EXPECT_LT(height, 0.9) << ran.out;
  }
  for (const char* method : {">sgd<", ">nesterov<", ">adam<"}) {
    EXPECT_TRUE(holds(ran.picture, method)) << method;
  }
}

TEST(Examples, GradientsVanishUnderSigmoidsAndExplodeUnderLargeWeights) {
  const Ran ran = run_example("gradient_health");
  const std::map<std::string, std::string> wanted = {
      {"sigmoid  N(0, 0.01²)", "vanishing"}, {"sigmoid  Xavier", "vanishing"},
      {"sigmoid  He", "vanishing"},          {"sigmoid  N(0, 0.5²)", "vanishing"},
      {"tanh     N(0, 0.01²)", "vanishing"}, {"tanh     Xavier", "healthy"},
      {"ReLU     N(0, 0.01²)", "vanishing"}, {"ReLU     He", "healthy"},
      {"ReLU     N(0, 0.5²)", "exploding"}};
  for (const auto& [begin, verdict] : wanted) {
    EXPECT_TRUE(holds(line_of(ran.out, begin), verdict)) << line_of(ran.out, begin);
  }
  for (const char* start :
       {"Xavier", "He", "N(0, 0.5²)"}) {  // of sigmoids, the first lines with it
    const std::string with = ran.out.substr(ran.out.find("batch-norm"));
    const std::size_t line = with.find(start);
    ASSERT_NE(line, std::string::npos) << start;
    EXPECT_TRUE(holds(with.substr(line, with.find('\n', line) - line), "healthy")) << start;
  }
  EXPECT_TRUE(holds(ran.picture, ">sigmoid, Xavier, batch-norm:<"));
  EXPECT_TRUE(holds(ran.picture, ">norm of the gradient<"));
}

TEST(Examples, TooMuchOfAPenaltyUnderfits) {
  const Ran ran = run_example("regularization");
  const auto training = [&](const char* line) {
    return number_after(line_of(ran.out, line), "training");
  };
  EXPECT_GT(number_after(line_of(ran.out, "none"), "in training"),
            2 * number_after(line_of(ran.out, "2 units"), "in training"));
  EXPECT_GT(training("lambda 0.0001:"), 2 * training("lambda 1:"));
  for (const char* text :
       {">dropout<", ">Accuracy in the end<", ">L2 from too little to too much<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, WiderNetsLearnMoreOfWhatTheySee) {
  const Ran ran = run_example("capacity");
  const auto training = [&](const char* line) {
    return number_after(line_of(ran.out, line), "training");
  };
  EXPECT_GT(training("width 64 "), 2 * training("width 1 "));
  EXPECT_GT(training("examples 10 "), training("examples 320 "));
  EXPECT_GE(number_after(line_of(ran.out, "depth 8 "), "test"), 0);
  for (const char* text : {">hidden layers<", ">units a layer<", ">training examples<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, ElevenOptimizersRace) {
  const Ran ran = run_example("optimizer_race");
  for (const char* name : {"sgd ", "momentum ", "nesterov ", "adagrad ", "rmsprop ", "adadelta ",
                           "adam ", "adamax ", "nadam ", "radam ", "lion "}) {
    EXPECT_LT(number_after(line_of(ran.out, name), "training loss"), 4) << name;
  }
  EXPECT_TRUE(holds(ran.picture, ">rate beside the middle one<"));
}

TEST(Examples, BatchNormAllowsLargerRates) {
  const Ran ran = run_example("batch_norm_claims");
  EXPECT_EQ(numbers(ran.out, std::string("up to a rate of ") + kNumber).size(), 4u);
  EXPECT_EQ(numbers(ran.out, std::string("accuracy ") + kNumber).size(), 6u);
  for (const char* text : {">sigmoid, batch-norm<", ">dropout .2<", ">rate<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, ScaledWeightsStandForAnEnsemble) {
  const Ran ran = run_example("dropout_ensemble");
  EXPECT_LT(number_after(ran.out, "off the op by"), 1e-6);
  EXPECT_LT(number_after(line_of(ran.out, "mean of 8"), "loss"),
            number_after(line_of(ran.out, "one thinned net"), "loss"));
  EXPECT_TRUE(holds(ran.picture, ">scaled weights<"));
}

TEST(Examples, MomentumAndNesterovTakeTheStepsOfTheirFormulas) {
  const Ran ran = run_example("step_by_step");
  const auto step_of = [&](const char* method) {
    const std::string pair = std::string("\\(") + kNumber + ", " + kNumber + "\\)";
    return numbers(line_of(ran.out, method), "from " + pair + ", gradient at " + pair + ", to " +
                                                 pair + ", off by " + kNumber);
  };
  const std::vector<double> momentum = step_of("Momentum"), nesterov = step_of("Nesterov");
  ASSERT_EQ(momentum.size(), 7u) << ran.out;
  ASSERT_EQ(nesterov.size(), 7u) << ran.out;
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_EQ(momentum[i], nesterov[i]);      // from one point
    EXPECT_EQ(momentum[i + 2], momentum[i]);  // the gradient where it stands
    EXPECT_NE(nesterov[i + 2], nesterov[i]);  // or ahead
  }
  EXPECT_LT(momentum[6], 1e-14);
  EXPECT_LT(nesterov[6], 1e-14);
  EXPECT_LT(std::fabs(nesterov[5]), 0.2 * std::fabs(momentum[5]));  // passes y = 0 by less
  const auto turn = [&](const char* method) {
    return number_after(line_of(ran.out, std::string("bowl, ") + method), "first move");
  };
  EXPECT_LT(turn("adagrad"), 30);
  EXPECT_NEAR(turn("rmsprop"), turn("adagrad"), 1);
  EXPECT_GT(turn("sgd"), 60);
  for (const char* text : {">kept move, −ηβm<", ">the step<", ">Nesterov<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, AdaGradsRateFallsAndRmsPropsStays) {
  const Ran ran = run_example("adagrad_stops");
  for (const char* task : {"linear regression, ", "net of 32 tanh units, "}) {
    const auto fell = [&](const char* method) {
      const std::vector<double> ends =
          numbers(line_of(ran.out, std::string(task) + method + " at 0.01:"),
                  std::string("from ") + kNumber + " to " + kNumber);
      return ends.size() == 2 ? ends[0] / ends[1] : std::nan("");
    };
    EXPECT_GT(fell("adagrad"), 1.5) << ran.out;  // from a tenth of the updates to the last
    EXPECT_LT(fell("rmsprop"), 1.2) << ran.out;
  }
  const double least = number_after(ran.out, "least loss");
  const std::vector<double> losses =
      numbers(ran.out, std::string("linear regression, [a-z]+ at [^:]*: loss ") + kNumber);
  ASSERT_EQ(losses.size(), 4u) << ran.out;
  for (const double loss : losses) EXPECT_GT(loss, least);
  EXPECT_LT(losses[1], losses[0]);  // AdaGrad at its best rate and at 0.01
  EXPECT_LT(losses[1], 1.1 * least);
}

TEST(Examples, EveryOptimizerIsInTheFamilyTree) {
  const Ran ran = run_example("method_family");
  const std::vector<double> found =
      numbers(ran.out, "([0-9]+) of ([0-9]+) methods .* ([0-9]+) others and ([0-9]+) lines");
  ASSERT_EQ(found.size(), 4u) << ran.out;
  const std::string table = bytes_at(WENGERT_SOURCE_DIR "/optim/optimizers.def");
  EXPECT_EQ(found[1], static_cast<double>(numbers(table, "\n(OPTIMIZER)\\(").size()));
  EXPECT_EQ(found[0], found[1]);
  EXPECT_GE(found[3], found[0] + found[2] - 1);  // a line at least to each but the root
  EXPECT_GE(number_after(ran.out, "lines\n"), found[0] - 1);  // a textbook's year is later
  for (const char* text : {">SGD<", ">Lion<", ">a decay beside the gradient<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, TheActiveSubNetworkHasTheNetsJacobian) {
  const Ran ran = run_example("subnetwork");
  const std::vector<double> active = numbers(ran.out, "([0-9]) of 6 and ([0-9]) of 5 units");
  ASSERT_EQ(active.size(), 2u) << ran.out;
  EXPECT_LT(active[0], 6);
  EXPECT_LT(active[1], 5);
  EXPECT_LT(number_after(ran.out, "from the Jacobian by"), 1e-13);
  EXPECT_TRUE(holds(ran.picture, ">W₂, " + std::to_string(static_cast<int>(active[0])) + " × " +
                                     std::to_string(static_cast<int>(active[1])) + "<"));
}

TEST(Examples, ASingularValueDecompositionHasSquareSidesAndOrthogonalOnes) {
  const Ran ran = run_example("svd_shapes");
  const std::vector<double> off =
      numbers(ran.out, std::string("U S V' by ") + kNumber + ", U'U from 1 by " + kNumber +
                           ", V'V by " + kNumber + "; values");
  ASSERT_EQ(off.size(), 6u) << ran.out;
  for (const double by : off) EXPECT_LT(by, 1e-13);
  const std::vector<double> values =
      numbers(line_of(ran.out, "3 x 6"), "values ([.0-9]+) ([.0-9]+) ([.0-9]+)");
  ASSERT_EQ(values.size(), 3u) << ran.out;
  EXPECT_TRUE(std::is_sorted(values.rbegin(), values.rend()));
  for (const char* text : {">U, 6 × 6<", ">S, 6 × 4<", ">S, 3 × 6<", ">Vᵀ, 6 × 6<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, DroppedUnitsAreGoneFromTheGraph) {
  const Ran ran = run_example("dropout_graph");
  const auto counts = [&](const char* line) {
    return numbers(line_of(ran.out, line),
                   "([0-9]+) nodes, ([0-9]+) edges; ([0-9]+) units and inputs, ([0-9]+) lines");
  };
  const std::vector<double> whole = counts("The whole net"), thinned = counts("Thinned");
  ASSERT_EQ(whole.size(), 4u) << ran.out;
  ASSERT_EQ(thinned.size(), 4u) << ran.out;
  EXPECT_EQ(whole[2], 13);  // 3 + 5 + 4 + 1
  EXPECT_EQ(whole[3], 39);  // 3·5 + 5·4 + 4
  for (std::size_t i = 0; i < 4; ++i) EXPECT_LT(thinned[i], whole[i]);
  EXPECT_EQ(number_after(ran.out, "multiplied by 0 by"), 0);
  const std::vector<double> left =
      numbers(ran.out, std::string("0.5: ") + kNumber + " of units and inputs, " + kNumber);
  ASSERT_EQ(left.size(), 2u) << ran.out;
  EXPECT_LT(left[1], 0.75 * left[0]);
}

TEST(Examples, FeaturesByHandAndLearnedOnes) {
  const Ran ran = run_example("handcrafted_features");
  const std::vector<double> reached =
      numbers(line_of(ran.out, "400 pictures"),
              std::string("pixels ") + kNumber + ", HOG " + kNumber + ", learned " + kNumber);
  ASSERT_EQ(reached.size(), 3u);
  EXPECT_GT(reached[0], 0.2);  // of ten classes
  EXPECT_GT(reached[2], 0.3);
  EXPECT_TRUE(holds(ran.picture, ">HOG, linear<"));
}

TEST(Examples, ATransferredNetKeepsWhatIsFrozenAndLearnsTheRest) {
  const Ran ran = run_example("transfer");
  EXPECT_GT(number_after(line_of(ran.out, "classes 0 to 4"), "accuracy"), 0.35);  // of five
  EXPECT_TRUE(holds(ran.out, "loaded 4, skipped 2, unused 0; 26816 of 27141"));
  EXPECT_TRUE(holds(ran.out, "loaded second/weight: f32[128,64], frozen"));
  EXPECT_TRUE(holds(ran.out, "skipped out/weight: not asked for"));
  const auto loss = [&](const std::string& way) {
    return number_after(line_of(ran.out, way + ": loss"), "loss");
  };
  EXPECT_GT(loss("both layers, frozen"), 3 * loss("first layer, frozen"));
  EXPECT_GT(loss("both layers, frozen"), 10 * loss("both layers, all trained"));
  EXPECT_EQ(numbers(ran.out, "pictures: ([.0-9]+) \\(").size(), 8u) << ran.out;
  EXPECT_TRUE(holds(ran.picture, ">both layers, all trained<"));
}

TEST(Examples, HigherCriticalPointsHaveMoreWaysDown) {
  const Ran ran = run_example("critical_points");
  const std::vector<double> found =
      numbers(ran.out, "([0-9]+) end at critical points, ([0-9]+) different, ([0-9]+) minima");
  ASSERT_EQ(found.size(), 3u) << ran.out;
  EXPECT_GE(found[0], 12);
  EXPECT_GE(found[1], 8);
  EXPECT_GE(found[2], 1);
  EXPECT_GT(number_after(ran.out, "correlation of loss and share"), 0.4);
  // Where all weights are 0 the loss is ln 2, and each of the 8 units has one way down.
  const std::vector<double> spectra = numbers(ran.out, "loss ([.0-9]+): ([0-9]+) of 33 negative");
  ASSERT_EQ(spectra.size(), 6u) << ran.out;
  EXPECT_EQ(spectra[1], 0);
  EXPECT_NEAR(spectra[4], std::log(2), 1e-6);
  EXPECT_EQ(spectra[5], 8);
}

TEST(Examples, HeldOutExamplesTellADegreeAndAnEpoch) {
  const Ran ran = run_example("validation");
  std::map<std::string, std::vector<double>> fits;
  for (const char* name : {"Under-fit", "Good fit", "Over-fit"}) {
    fits[name] = numbers(line_of(ran.out, name), "error ([.0-9]+), of other points ([.0-9]+)");
    ASSERT_EQ(fits[name].size(), 2u) << ran.out;
  }
  EXPECT_LT(fits["Over-fit"][0], fits["Good fit"][0]);
  EXPECT_LT(fits["Good fit"][0], fits["Under-fit"][0]);
  EXPECT_LT(2 * fits["Good fit"][1], fits["Under-fit"][1]);
  EXPECT_LT(10 * fits["Good fit"][1], fits["Over-fit"][1]);
  const std::vector<double> folds = numbers(ran.out, "degree [0-9]: ([.0-9]+) ±");
  ASSERT_EQ(folds.size(), 10u) << ran.out;
  EXPECT_EQ(std::min_element(folds.begin(), folds.end()) - folds.begin(), 3);
  const std::string line = line_of(ran.out, "stopped after");
  EXPECT_EQ(number_after(line, "after epoch"), number_after(line, "best was") + 3);
  EXPECT_EQ(number_after(line, "off by"), 0);
  EXPECT_EQ(number_after(ran.out, "off the formulas"), 0);
  EXPECT_TRUE(holds(ran.picture, ">put back<"));
}

TEST(Examples, AMachineLearnsByTheGradientOfItsFreeEnergy) {
  const Ran ran = run_example("rbm");
  EXPECT_LT(number_after(ran.out, "off the statistics by"), 1e-5);
  const std::vector<double> errors =
      numbers(ran.out, std::string("error from ") + kNumber + " to " + kNumber);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_LT(errors[1], 0.8 * errors[0]);
  EXPECT_FALSE(std::isnan(number_after(line_of(ran.out, "pre-trained"), "accuracy")));
  for (const char* text : {">weight<", ">pre-trained<", ">Reconstruction<"}) {
    EXPECT_TRUE(holds(ran.picture, text)) << text;
  }
}

TEST(Examples, ARateCanBeTooLowAndTooHigh) {
  const Ran ran = run_example("rate_comparison");
  const auto loss = [&](const char* name) {
    return number_after(line_of(ran.out, name), "training loss");
  };
  EXPECT_LT(loss("rate 0.1 "), loss("rate 0.001"));
  EXPECT_FALSE(loss("rate 10 ") < loss("rate 0.1 "));  // or it left, NaN
  EXPECT_TRUE(holds(ran.picture, ">0.4, falling to 0<"));
}

TEST(Examples, EverySchedulesRateAndLossIsDrawn) {
  const Ran ran = run_example("schedules_race");
  for (const char* name : {"constant", "piecewise_constant", "reduce_on_plateau", "exponential",
                           "power", "cosine", "one_cycle"}) {
    EXPECT_LT(number_after(line_of(ran.out, name), "training loss"), 2.4) << ran.out;
    EXPECT_TRUE(holds(ran.picture, ">" + std::string(name) + "<")) << name;
  }
}

TEST(Examples, TheFullGradientReadsMoreForTheSameUpdates) {
  const Ran ran = run_example("full_batch");
  const std::vector<double> examples = numbers(ran.out, "updates, ([0-9]+) examples");
  EXPECT_EQ(examples, (std::vector<double>{600, 6000, 24000}));  // 60 updates
  const std::vector<double> losses = numbers(ran.out, "loss ([.0-9]+) after");
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_LE(losses[2], losses[0]);  // update by update the full gradient is no worse
  EXPECT_TRUE(holds(ran.picture, ">examples read<"));
}

TEST(Examples, FiveActivationsLearn) {
  const Ran ran = run_example("activation_comparison");
  const double deep_sigmoid = number_after(line_of(ran.out, "sigmoid"), "training loss");
  for (const char* name : {"tanh", "ReLU", "leaky ReLU", "ELU"}) {
    EXPECT_LT(number_after(line_of(ran.out, name), "training loss"), deep_sigmoid) << ran.out;
  }
}

TEST(Examples, InitializationsKeepVariancesOrLoseThem) {
  const Ran ran = run_example("initialization_comparison");
  const auto ratio = [&](const char* name) {
    return number_after(line_of(ran.out, name), "first over last layer");
  };
  EXPECT_LT(ratio("N(0, 0.01"), 1e-10);
  EXPECT_LT(ratio("U("), 0.01);
  for (const char* name : {"Xavier", "orthogonal"}) {
    EXPECT_GT(ratio(name), 0.05);
    EXPECT_LT(ratio(name), 20);
  }
}

TEST(Examples, SayWhatIsWrongBeforeTheyWork) {
  const std::string xor_path = WENGERT_BINARY_DIR "/xor";
  const Outcome nowhere = run_command({xor_path, "/dev/null/folder"});
  EXPECT_EQ(nowhere.status, 1) << nowhere.err;
  EXPECT_TRUE(holds(nowhere.err, "/dev/null/folder")) << nowhere.err;
  EXPECT_EQ(nowhere.out, "");
  EXPECT_EQ(run_command({xor_path, "--fast"}).status, 2);
}

TEST(Examples, SayWhatTheyShowAndStayShort) {
  int experiments = 0;
  const std::string listed = bytes_at(WENGERT_SOURCE_DIR "/examples/README.md");
  for (const auto& entry : std::filesystem::directory_iterator(WENGERT_SOURCE_DIR "/examples")) {
    if (entry.path().extension() != ".cc") continue;
    const std::string text = bytes_at(entry.path());
    EXPECT_TRUE(holds(listed, "`" + entry.path().filename().string() + "`")) << entry.path();
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 120) << entry.path();
    if (!holds(text, "\"shared.h\"")) continue;
    ++experiments;
    const std::string head = text.substr(0, text.find("#include"));
    for (const char* part : {"Shown: ", "Source:", "Look at: "}) {
      EXPECT_TRUE(holds(head, part)) << entry.path() << " does not say " << part;
    }
  }
  EXPECT_GE(experiments, 11);
}

TEST(Examples, OfTheClaimsAreThere) {
  const std::string claims = bytes_at(WENGERT_SOURCE_DIR "/docs/claims.md");
  const std::regex form("`([a-z_]+)`");
  std::set<std::string> named;
  for (std::sregex_iterator at(claims.begin(), claims.end(), form), end; at != end; ++at) {
    const std::string path = std::string(WENGERT_SOURCE_DIR "/examples/") + at->str(1) + ".cc";
    if (exists(path)) named.insert(at->str(1));
  }
  EXPECT_GE(named.size(), 10u);
  int rows = 0;
  std::istringstream lines(claims);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ") || line.starts_with("| claim ")) continue;
    ++rows;
    EXPECT_EQ(std::count(line.begin(), line.end(), '|'), 6) << line;
    const std::string verdict = line.substr(line.find_last_of('|', line.size() - 2) + 2);
    EXPECT_TRUE(verdict.starts_with("holds") || verdict.starts_with("does not hold") ||
                verdict.starts_with("in part"))
        << line;
  }
  EXPECT_GE(rows, 12);
}

}  // namespace
}  // namespace wengert
