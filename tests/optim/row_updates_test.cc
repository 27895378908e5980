#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "tests/optim/rows.h"
#include "tests/optim/training_models.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/testing.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/testing.h"
#include "wengert/optim/training/step.h"
#include "wengert/tests/sanitizers.h"

// Gradients of a few rows through every method, and in training.
namespace wengert::optim {
namespace {

using optim::bytes_of;
using testing::OptimizerCase;
using testing::OptimizerTests;

/// Some rows of twelve, others in each step.
Indices some_rows(int t) {
  return {(5 * t + 1) % kHeight, (7 * t) % kHeight, (5 * t + 1) % kHeight};
}

std::string bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()),
          static_cast<std::size_t>(tensor.element_count()) * size_of(tensor.dtype())};
}

std::string bytes_of(const std::vector<Optimizer::StateTensor>& state) {
  std::string bytes;
  for (const Optimizer::StateTensor& entry : state) bytes += entry.name + bytes_of(entry.value);
  return bytes;
}

/// Without those that other tests register.
std::vector<const MethodDef*> methods_of_the_table() {
  std::vector<const MethodDef*> result;
  for (const OptimizerTests& tests : testing::all_optimizer_tests()) {
    result.push_back(&find_method(tests.name));
  }
  return result;
}

/// The methods of the table with each of their tests' options, in both dtypes.
template <class Body>
void for_each_method(Body&& body) {
  for (const OptimizerTests& tests : testing::all_optimizer_tests()) {
    for (const OptimizerCase& c : tests.cases) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
        std::string words = tests.name + " " + std::string(name_of(dtype));
        for (const OptionSetting& s : c.settings) words += " " + s.name + "=" + s.value;
        SCOPED_TRACE(words);
        body(find_method(tests.name), c.settings, dtype);
      }
    }
  }
}

/// Two runs from the same parameters.
struct Pair {
  ParameterSet few, whole;
  std::unique_ptr<Optimizer> of_few, of_whole;
  Pair(const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype,
       std::int64_t height = kHeight, std::int64_t width = 5)
      : of_few(make_optimizer(method.name, settings)),
        of_whole(make_optimizer(method.name, settings)) {
    fill(few, dtype, height, width);
    fill(whole, dtype, height, width);
  }
  /// A step of one by rows and of the other by the same gradients made dense.
  void step(const Indices& indices, int t) {
    const Gradients rows = lookup(few, indices, t + 1);
    ASSERT_TRUE(rows.find(few.at("table"))->is_rows());
    of_few->step(few, rows);
    of_whole->step(whole, dense(lookup(whole, indices, t + 1)));
  }
  void expect_equal_bits() {
    EXPECT_TRUE(bytes_of(few) == bytes_of(whole)) << "parameters";
    EXPECT_TRUE(bytes_of(of_few->state()) == bytes_of(of_whole->state())) << "state";
  }
};

TEST(RowUpdates, OfAllRowsAreThoseOfTheDenseGradient) {
  for_each_method(
      [](const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype) {
        Pair run(method, settings, dtype);
        for (int t = 0; t < 10; ++t) run.step(all_rows(), t);
        run.expect_equal_bits();
      });
}

/// By the formula rows without a gradient then decay, and a method that is exact is lazy.
bool decays(const std::vector<OptionSetting>& settings) {
  return std::any_of(settings.begin(), settings.end(),
                     [](const OptionSetting& s) { return s.name == "weight_decay"; });
}

TEST(RowUpdates, AreExactWhereTheRecordSaysSo) {
  int exact = 0, lazy = 0, dense = 0;
  for_each_method(
      [&](const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype) {
        if (method.rows == RowUpdates::kLazy || decays(settings)) {
          ++lazy;
          return;
        }
        ++(method.rows == RowUpdates::kExact ? exact : dense);
        Pair run(method, settings, dtype);
        for (int t = 0; t < 20; ++t) run.step(some_rows(t), t);
        run.expect_equal_bits();
      });
  EXPECT_GT(exact, 0);
  EXPECT_GT(lazy, 0);
  EXPECT_GT(dense, 0);
}

TEST(RowUpdates, WithoutLazinessEveryMethodIsExact) {
  for_each_method(
      [](const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype) {
        Pair run(method, settings, dtype);
        run.of_few->set_lazy_rows(false);
        for (int t = 0; t < 20; ++t) run.step(some_rows(t), t);
        run.expect_equal_bits();
      });
}

std::string bytes_of_row(const Tensor& tensor, std::int64_t row) {
  return bytes_of(tensor.rows(row, row + 1).clone());
}

/// What a lazy step is: the dense step in the rows that were looked up, nothing in the others.
TEST(RowUpdates, LazyOnesMoveTheRowsThatWereLookedUpAlone) {
  for_each_method(
      [](const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype) {
        if (method.rows == RowUpdates::kDense) return;
        if (method.rows == RowUpdates::kExact && !decays(settings)) return;
        Pair run(method, settings, dtype);
        for (int t = 0; t < 3; ++t) run.step(all_rows(), t);  // the same state in both, and not 0
        const Tensor before = run.few.at("table").value().clone();
        const auto state_before = run.of_few->state();
        const Indices rows = {8, 3, 8};
        run.step(rows, 9);
        const auto state = run.of_few->state(), dense_state = run.of_whole->state();
        bool differs = false;  // from the dense step, in rows without a gradient
        for (std::int64_t row = 0; row < kHeight; ++row) {
          const bool touched = row == 3 || row == 8;
          const auto expect = [&](const Tensor& few, const Tensor& whole, const Tensor& old) {
            const std::string now = bytes_of_row(few, row);
            const bool as_dense = now == bytes_of_row(whole, row);
            EXPECT_EQ(now == bytes_of_row(old, row), !touched) << "row " << row;
            EXPECT_TRUE(as_dense || !touched) << "row " << row;
            differs |= !as_dense;
          };
          expect(run.few.at("table").value(), run.whole.at("table").value(), before);
          for (std::size_t k = 0; k < state.size(); ++k) {
            if (state[k].name.rfind("slots/table/", 0) != 0) continue;
            if (state[k].value.rank() == 0) continue;  // a number for all rows
            SCOPED_TRACE(state[k].name);
            expect(state[k].value, dense_state[k].value, state_before[k].value);
          }
        }
        EXPECT_TRUE(differs) << "this method is exact";
        EXPECT_EQ(bytes_of(run.few.at("other").value()), bytes_of(run.whole.at("other").value()));
      });
}

/// Widths around a vector, many rows, more than one task: rows are cut by size alone.
TEST(RowUpdates, OfEveryWidthAndAtAnyNumberOfThreads) {
  struct Restore {
    ~Restore() { kernels::set_thread_count(0); }
  } restore;
  for (const MethodDef* method : methods_of_the_table()) {
    for (const auto& [height, width] :
         {std::pair{70001, 1}, {9001, 17}, {2001, 64}, {3, 70001}, {40, 0}}) {
      for (const int threads : {1, 3}) {
        if (WENGERT_ADDRESS_SANITIZER && threads == 1) continue;  // the same memory
        SCOPED_TRACE(std::string(method->name) + ", " + std::to_string(height) + " × " +
                     std::to_string(width));
        kernels::set_thread_count(threads);
        Pair run(*method, {}, DType::kFloat32, height, width);
        for (int t = 0; t < 2; ++t) run.step(all_rows(height), t);
        run.expect_equal_bits();
      }
    }
  }
}

TEST(RowUpdates, ResumeToTheBit) {
  for_each_method(
      [](const MethodDef& method, const std::vector<OptionSetting>& settings, DType dtype) {
        ParameterSet straight, resumed;
        fill(straight, dtype);
        fill(resumed, dtype);
        const auto first = make_optimizer(method.name, settings);
        for (int t = 0; t < 7; ++t) first->step(straight, lookup(straight, some_rows(t), t + 1));
        const auto second = make_optimizer(method.name, settings);
        second->restore(first->state());
        for (Parameter* parameter : resumed.all()) {
          parameter->mutable_value() = straight.at(parameter->name()).value().clone();
        }
        for (int t = 7; t < 14; ++t) {
          first->step(straight, lookup(straight, some_rows(t), t + 1));
          second->step(resumed, lookup(resumed, some_rows(t), t + 1));
        }
        EXPECT_TRUE(bytes_of(straight) == bytes_of(resumed));
        EXPECT_TRUE(bytes_of(first->state()) == bytes_of(second->state()));
      });
}

TEST(RowUpdates, ThatAreNotFiniteOrDoNotFitChangeNothing) {
  for (const MethodDef* method : methods_of_the_table()) {
    ParameterSet parameters;
    fill(parameters, DType::kFloat32);
    const auto optimizer = make_optimizer(method->name);
    optimizer->step(parameters, lookup(parameters, {1}, 1));
    const std::string before = bytes_of(parameters), state = bytes_of(optimizer->state());
    Gradients bad = lookup(parameters, {4, 2}, 2);
    for (Gradients::Entry& entry : bad.entries()) {
      if (entry.gradient.is_rows()) entry.gradient *= std::numeric_limits<double>::infinity();
    }
    EXPECT_EQ(error_of([&] { optimizer->step(parameters, bad); }).message(),
              "the gradient of 'table' holds NaN or infinity");
    for (Gradients::Entry& entry : bad.entries()) {
      if (!entry.gradient.is_rows()) continue;
      entry.gradient = Gradient::of_rows(indices_of({0}), Tensor::zeros({1, 5}), {kHeight + 1, 5});
    }
    EXPECT_EQ(error_of([&] { optimizer->step(parameters, bad); }).message(),
              "the gradient of 'table' is rows 1 of f32[13,5], the parameter f32[12,5]");
    EXPECT_TRUE(bytes_of(parameters) == before) << method->name;
    EXPECT_TRUE(bytes_of(optimizer->state()) == state) << method->name;
  }
}

TEST(RowUpdates, OfNoRowMoveNoRow) {
  for (const MethodDef* method : methods_of_the_table()) {
    if (method->rows == RowUpdates::kDense) continue;
    ParameterSet parameters;
    fill(parameters, DType::kFloat32);
    const std::string before = bytes_of(parameters.at("table").value());
    make_optimizer(method->name)->step(parameters, lookup(parameters, {}, 1));
    EXPECT_EQ(bytes_of(parameters.at("table").value()), before) << method->name;
  }
}

/// A program's own method gets what its update was written for.
TEST(RowUpdates, AMethodOfAProgramsOwnGetsThemDense) {
  static const MethodDef method = {
      .name = "test_dense_rows",
      .doc = {.summary = "Looks at gradients.", .formula = "θ ← θ"},
      .options = find_method("sgd").options,
      .update =
          [](ParameterStep& step) {
            EXPECT_FALSE(step.rows.has_value());
            EXPECT_EQ(step.gradient.shape(), step.parameter.value().shape());
          },
  };
  ParameterSet parameters;
  fill(parameters, DType::kFloat64);
  Optimizer(method, option_values(method.options(), {}, method.name))
      .step(parameters, lookup(parameters, {1, 1}, 1));
}

// ---------------------------------------------------------------------------- training

/// A bag of words: the mean of five words' rows, and a class of it.
Outcome bag_of_words(ParameterSet& parameters, const Batch& batch) {
  const Var words = embedding(parameters.at("table"), batch.inputs, 0);
  const Var logits = matmul(mean(words, {1}), use(parameters.at("out")));
  return {softmax_cross_entropy(logits, batch.targets), static_cast<double>(batch.count()), {}};
}

/// The bytes after twelve steps of three parts each, or of one part.
std::string trained(const std::string& method, bool in_parts, int threads) {
  kernels::set_thread_count(threads);
  ParameterSet parameters;
  parameters.add("table", testing::spread({3001, 32}, -1, 1).to(DType::kFloat32));
  parameters.add("out", testing::spread({32, 4}, -1, 1, 2).to(DType::kFloat32));
  PassPipeline passes;
  passes.add<ClipGlobalNorm>({.limit = 0.05});
  TrainingStep step(parameters, bag_of_words, &passes);
  const auto optimizer = make_optimizer(method, 0.125);
  PassContext context;
  for (int t = 0; t < 12; ++t) {
    auto indices = testing::spread({480}, -100, 3000, t + 1).to_vector<std::int64_t>();
    for (std::size_t i = 0; i < indices.size(); i += 7) indices[i] = 0;  // padding
    const Tensor words = Tensor::from(indices, {96, 5});
    const Tensor classes = testing::spread({96}, 0, 4, t + 1).to(DType::kInt64);
    std::vector<Batch> parts;
    for (std::int64_t begin = 0; begin < 96; begin += in_parts ? 32 : 96) {
      Batch part;
      part.inputs = words.rows(begin, begin + (in_parts ? 32 : 96));
      part.targets = classes.rows(begin, begin + (in_parts ? 32 : 96));
      parts.push_back(std::move(part));
    }
    (void)step.run(*optimizer, parts, context);
  }
  EXPECT_FALSE(context.explanations().empty()) << "nothing was clipped";
  const Tensor table = parameters.at("table").value();
  EXPECT_EQ(bytes_of(table.rows(0, 1)),
            bytes_of(testing::spread({3001, 32}, -1, 1).to(DType::kFloat32).rows(0, 1)))
      << "the padding row moved";
  return bytes_of(parameters);
}

TEST(RowUpdates, TrainToTheSameBitsAtAnyNumberOfThreads) {
  struct Restore {
    ~Restore() { kernels::set_thread_count(0); }
  } restore;
  for (const char* method : {"sgd", "adam"}) {
    for (const bool in_parts : {false, true}) {
      const std::string bytes = trained(method, in_parts, 1);
      EXPECT_TRUE(bytes == trained(method, in_parts, 2)) << method;
      EXPECT_TRUE(bytes == trained(method, in_parts, 3)) << method;
    }
  }
  // Parts add up to their batch but for rounding.
  const std::string whole = trained("sgd", false, 1), parts = trained("sgd", true, 1);
  ASSERT_EQ(whole.size(), parts.size());
  for (std::size_t i = 0; i + 4 <= whole.size(); i += 4) {
    float a, b;
    std::memcpy(&a, whole.data() + i, 4);
    std::memcpy(&b, parts.data() + i, 4);
    ASSERT_NEAR(a, b, 1e-6) << i / 4;
  }
}

}  // namespace
}  // namespace wengert::optim
