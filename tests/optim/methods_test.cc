#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tests/optim/training_models.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/testing.h"
#include "wengert/tests/sanitizers.h"

// Every method of the table against the reference in its own file. What is here runs at each CPU
// level (tests/CMakeLists.txt).
namespace wengert::optim {
namespace {

using testing::Numbers;
using testing::OptimizerCase;
using testing::OptimizerTests;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string words(const OptimizerTests& tests, const OptimizerCase& c) {
  std::string text = tests.name;
  for (const OptionSetting& s : c.settings) text += " " + s.name + "=" + s.value;
  return text;
}

template <class Body>
void for_each_case(Body&& body) {
  const std::vector<OptimizerTests> all = testing::all_optimizer_tests();
  ASSERT_GE(all.size(), 8u);
  for (const OptimizerTests& tests : all) {
    ASSERT_FALSE(tests.cases.empty()) << tests.name;
    for (const OptimizerCase& c : tests.cases) {
      SCOPED_TRACE(words(tests, c));
      body(tests, c);
    }
  }
}

Tensor tensor_of(const Numbers& values, DType dtype) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}).to(dtype);
}

/// Irregular numbers in [−1, 1], none of them 0.
Numbers irregular(std::int64_t count, double phase) {
  Numbers values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(std::sin(1.7 * static_cast<double>(i) + phase) + 1e-3);
  }
  return values;
}

void step(Optimizer& optimizer, ParameterSet& parameters, const Tensor& gradient) {
  optimizer.step(parameters, gradients_equal_to(parameters, {{"w", gradient}}));
}

TEST(Methods, TwoStepsByHand) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    if (c.by_hand.empty()) return;
    ASSERT_EQ(c.by_hand.size(), 2u);
    const auto optimizer = make_optimizer(tests.name, c.settings);
    const testing::ReferenceStep reference = c.reference();
    ParameterSet parameters;
    parameters.add("w", Tensor::from({1.0}, {1}));
    Numbers w = {1};
    for (int i = 0; i < 2; ++i) {
      const double g = i == 0 ? 2 : -1;
      step(*optimizer, parameters, Tensor::from({g}, {1}));
      reference(w, {g}, optimizer->rate());
      EXPECT_NEAR(parameters.at("w").value().at(0), c.by_hand[i], 1e-15);
      EXPECT_NEAR(w[0], c.by_hand[i], 1e-15) << "the reference";
    }
    EXPECT_EQ(optimizer->steps(), 2);
  });
}

TEST(Methods, EachHasTwoStepsByHand) {
  for (const OptimizerTests& tests : testing::all_optimizer_tests()) {
    bool some = false;
    for (const OptimizerCase& c : tests.cases) some |= !c.by_hand.empty();
    EXPECT_TRUE(some) << tests.name;
  }
}

/// A bowl with a ripple: curvatures 0.5 to 3.5, and no direction in which it is quadratic.
double slope(double w, int i) { return 0.5 * (i + 1) * w + 0.3 * std::cos(w + i); }

TEST(Methods, AThousandStepsInFloat64) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    constexpr int kSize = 7;
    const auto optimizer = make_optimizer(tests.name, c.settings);
    optimizer->set_rate(std::fmin(optimizer->rate(), 0.01));
    const testing::ReferenceStep reference = c.reference();
    Numbers w, first;
    for (int i = 0; i < kSize; ++i) w.push_back(2.0 - 0.7 * i);
    first = w;
    ParameterSet parameters;
    parameters.add("w", tensor_of(w, DType::kFloat64));
    for (int t = 1; t <= 1000; ++t) {
      if (t == 500) optimizer->set_rate(optimizer->rate() / 2);
      Numbers ours, theirs;
      for (int i = 0; i < kSize; ++i) {
        ours.push_back(slope(parameters.at("w").value().at(i), i));
        theirs.push_back(slope(w[i], i));
      }
      step(*optimizer, parameters, tensor_of(ours, DType::kFloat64));
      reference(w, theirs, optimizer->rate());
      for (int i = 0; i < kSize; ++i) {
        ASSERT_NEAR(parameters.at("w").value().at(i), w[i], 1e-12 * std::fmax(1, std::fabs(w[i])))
            << "element " << i << " after step " << t;
      }
    }
    for (int i = 0; i < kSize; ++i) EXPECT_GT(std::fabs(w[i] - first[i]), 1e-3) << "nothing moved";
  });
}

/// Ends that fill no vector, and sizes around those of blocks of sums and of tasks (65,536).
const std::vector<std::int64_t> kSizes = {0,  1,  2,  3,    7,    8,    15,    16,        17,
                                          33, 63, 65, 1023, 1024, 1041, 65537, 131072 + 5};

TEST(Methods, EverySizeInBothDtypes) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      for (const std::int64_t size : kSizes) {
        const auto optimizer = make_optimizer(tests.name, c.settings);
        const testing::ReferenceStep reference = c.reference();
        ParameterSet parameters;
        parameters.add("w", tensor_of(irregular(size, 0.3), dtype));
        Numbers w = parameters.at("w").value().to_vector<double>();
        for (int t = 0; t < 3; ++t) {
          const Tensor g = tensor_of(irregular(size, 1.1 * t), dtype);
          step(*optimizer, parameters, g);
          reference(w, g.to_vector<double>(), optimizer->rate());
        }
        const Numbers ours = parameters.at("w").value().to_vector<double>();
        const double tolerance = dtype == DType::kFloat32 ? 4e-6 : 1e-13;
        for (std::size_t i = 0; i < w.size(); ++i) {
          ASSERT_NEAR(ours[i], w[i], tolerance) << "element " << i << " of " << size;
        }
      }
    }
  });
}

TEST(Methods, SameBitsAtAnyNumberOfThreads) {
  if (WENGERT_ADDRESS_SANITIZER) GTEST_SKIP() << "EverySizeInBothDtypes watches the same memory";
  struct Restore {
    ~Restore() { kernels::set_thread_count(0); }
  } restore;
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      std::string expected;
      for (const int threads : {1, 2, 3}) {
        kernels::set_thread_count(threads);
        const auto optimizer = make_optimizer(tests.name, c.settings);
        ParameterSet parameters;
        parameters.add("w", tensor_of(irregular(300001, 0.3), dtype));
        for (int t = 0; t < 3; ++t) {
          step(*optimizer, parameters, tensor_of(irregular(300001, 1.1 * t), dtype));
        }
        if (threads == 1) expected = bytes_of(parameters);
        EXPECT_TRUE(bytes_of(parameters) == expected) << threads << " threads";
      }
    }
  });
}

TEST(Methods, ResumingGivesTheSameBits) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    const auto gradient = [](int t) { return tensor_of(irregular(37, 0.9 * t), DType::kFloat32); };
    const auto optimizer = make_optimizer(tests.name, c.settings);
    ParameterSet straight, resumed;
    straight.add("w", tensor_of(irregular(37, 0.3), DType::kFloat32));
    for (int t = 0; t < 17; ++t) step(*optimizer, straight, gradient(t));
    auto saved = optimizer->state();
    resumed.add("w", straight.at("w").value().clone());
    for (int t = 17; t < 34; ++t) step(*optimizer, straight, gradient(t));

    const auto fresh = make_optimizer(tests.name);  // the options come from the state
    // What other options need is another state: those that change the slots are given again.
    const auto same = make_optimizer(tests.name, c.settings);
    same->restore(saved);
    fresh->restore(saved);
    EXPECT_EQ(fresh->option_values(), optimizer->option_values());
    EXPECT_EQ(same->steps(), 17);
    for (auto& entry : saved) entry.value = Tensor();  // the restored state is memory of its own
    ParameterSet again;
    again.add("w", resumed.at("w").value().clone());
    for (int t = 17; t < 34; ++t) step(*same, resumed, gradient(t));
    for (int t = 17; t < 34; ++t) step(*fresh, again, gradient(t));
    EXPECT_TRUE(bytes_of(resumed) == bytes_of(straight));
    EXPECT_TRUE(bytes_of(again) == bytes_of(straight));
  });
}

TEST(Methods, WithoutTheirStateTheBitsDiffer) {
  for (const MethodDef* method : registered_methods()) {
    if (method->slots.empty()) continue;
    const auto optimizer = make_optimizer(method->name);
    ParameterSet straight, resumed;
    straight.add("w", tensor_of(irregular(37, 0.3), DType::kFloat32));
    const Tensor g = tensor_of(irregular(37, 0.9), DType::kFloat32);
    for (int t = 0; t < 3; ++t) step(*optimizer, straight, g);
    resumed.add("w", straight.at("w").value().clone());
    step(*optimizer, straight, tensor_of(irregular(37, 2.5), DType::kFloat32));
    step(*make_optimizer(method->name), resumed, tensor_of(irregular(37, 2.5), DType::kFloat32));
    EXPECT_FALSE(bytes_of(resumed) == bytes_of(straight)) << method->name;
  }
}

TEST(Methods, RejectOptionsOutsideTheirRanges) {
  for (const MethodDef* method : registered_methods()) {
    const OptionValues defaults = option_values(method->options(), {}, method->name);
    for (std::size_t k = 0; k < defaults.size(); ++k) {
      const OptionDef& option = method->options()[k];
      std::vector<double> bad = {kNan, kInfinity, -kInfinity, -1e-3};
      if (option.words.empty()) {
        bad.push_back(option.range.low_open ? option.range.low : option.range.low - 1);
        bad.push_back(option.range.high_open ? option.range.high : option.range.high + 1);
      } else {
        bad.insert(bad.end(), {0.5, static_cast<double>(option.words.size())});
      }
      for (const double value : bad) {
        OptionValues values = defaults;
        values[k] = value;
        const Error error = error_of([&] { Optimizer(*method, values); });
        EXPECT_EQ(error.kind(), ErrorKind::kValue);
        EXPECT_EQ(error.op(), method->name);
        EXPECT_TRUE(holds(error.message(), std::string(option.name) + " ")) << error.what();
        EXPECT_EQ(base_name(error.file()), "methods_test.cc");
      }
      for (const char* text : {"", "x", "nan", "0x", "1,5", "-7"}) {
        const std::vector<OptionSetting> settings = {{std::string(option.name), text}};
        EXPECT_EQ(error_of([&] { make_optimizer(method->name, settings); }).kind(),
                  ErrorKind::kValue)
            << option.name << "=" << text;
      }
      // What is printed reads back.
      const std::vector<OptionSetting> settings = {
          {std::string(option.name), option.text(defaults[k])}};
      EXPECT_EQ(make_optimizer(method->name, settings)->option_values(), defaults);
    }
  }
}

TEST(Methods, ABadGradientChangesNothing) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      ParameterSet parameters;
      parameters.add("good", Tensor::from({1.0f, 2.0f}, {2}));
      parameters.add("bad", Tensor::from({3.0f}, {1}));
      const auto optimizer = make_optimizer(tests.name, c.settings);
      const Tensor g = Tensor::from({1.0f, 1.0f}, {2});
      optimizer->step(parameters, gradients_equal_to(parameters, {{"good", g}}));
      const std::string before = bytes_of(parameters);
      const auto state = optimizer->state();
      const Gradients gradients =
          gradients_equal_to(parameters, {{"good", g}, {"bad", Tensor::from({bad}, {1})}});
      const Error error = error_of([&] { optimizer->step(parameters, gradients); });
      EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
      EXPECT_EQ(error.op(), tests.name);
      EXPECT_EQ(error.message(), "the gradient of 'bad' holds NaN or infinity");
      EXPECT_EQ(base_name(error.file()), "methods_test.cc");
      EXPECT_EQ(bytes_of(parameters), before);
      EXPECT_EQ(optimizer->steps(), 1);
      const auto after = optimizer->state();
      ASSERT_EQ(after.size(), state.size());
      for (std::size_t i = 0; i < state.size(); ++i) {
        EXPECT_EQ(after[i].name, state[i].name);
        EXPECT_EQ(after[i].value.to_vector<double>(), state[i].value.to_vector<double>());
      }
    }
  });
}

TEST(Methods, AMissingGradientLeavesItsParameterAlone) {
  for_each_case([](const OptimizerTests& tests, const OptimizerCase& c) {
    ParameterSet parameters;
    parameters.add("w", Tensor::from({1.0, 2.0}, {2}));
    parameters.add("other", Tensor::from({3.0}, {1}));
    const auto optimizer = make_optimizer(tests.name, c.settings);
    step(*optimizer, parameters, Tensor::from({1.0, -1.0}, {2}));
    EXPECT_EQ(parameters.at("other").value().at(0), 3);
    EXPECT_NE(parameters.at("w").value().at(0), 1);
    for (const auto& entry : optimizer->state()) EXPECT_FALSE(holds(entry.name, "other"));
  });
}

TEST(Methods, ThePageOfEachIsWhole) {
  std::set<std::string_view> names;
  for (const MethodDef* method : registered_methods()) {
    EXPECT_TRUE(names.insert(method->name).second) << method->name;
    for (const std::string_view text :
         {method->doc.summary, method->doc.formula, method->doc.notes, method->doc.source}) {
      EXPECT_FALSE(text.empty()) << method->name;
    }
    std::set<std::string_view> options;
    for (const OptionDef& option : method->options()) {
      EXPECT_FALSE(option.doc.empty()) << method->name << " " << option.name;
      EXPECT_TRUE(options.insert(option.name).second) << method->name << " " << option.name;
    }
    EXPECT_TRUE(options.contains("rate")) << method->name;
  }
}

}  // namespace
}  // namespace wengert::optim
