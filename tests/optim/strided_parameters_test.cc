#include <gtest/gtest.h>

#include "tests/io/files.h"
#include "tests/optim/training_models.h"
#include "wengert/io/parameter_file.h"
#include "wengert/optim/method.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/snapshot.h"

// Whoever writes into a parameter writes into its elements, also where somebody put a strided
// tensor into its place, and into nothing beside them.
namespace wengert::optim {
namespace {

constexpr std::int64_t kRows = 3, kColumns = 5;

Tensor numbers(const Shape& shape, double first) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    values.push_back(first + 0.25 * static_cast<double>(i % 7));
  }
  return Tensor::from(values, shape);
}

/// The elements of `dense` in memory of another order, or with gaps; `around` is all of that
/// memory.
struct Layout {
  const char* name;
  Tensor (*place)(const Tensor& dense, Tensor& around);
};
const Layout kLayouts[] = {
    {"transposed",
     [](const Tensor& dense, Tensor& around) {
       around = transpose(dense).value().contiguous();
       return transpose(around).value();
     }},
    {"with gaps",
     [](const Tensor& dense, Tensor& around) {
       around = concat({dense, Tensor::full(dense.shape(), 99, dense.dtype())}, 1).value();
       return slice(around, {0}, {kColumns}, {1}).value();
     }},
};

class StridedParameters : public ::testing::TestWithParam<Layout> {
 protected:
  /// Runs `write` on a set with a dense parameter and on one with a strided one.
  template <class Write>
  void check(const char* what, Write&& write) {
    ParameterSet dense, strided;
    const Tensor start = numbers({kRows, kColumns}, -0.5);
    dense.add("w", start.clone());
    strided.add("w", start.clone());
    Tensor around;
    strided.at("w").mutable_value() = GetParam().place(start, around);
    ASSERT_FALSE(strided.at("w").value().is_dense());
    const Tensor before = around.clone();
    write(dense);
    write(strided);
    EXPECT_EQ(strided.at("w").value().to_vector<double>(),
              dense.at("w").value().to_vector<double>())
        << what;
    EXPECT_NE(dense.at("w").value().to_vector<double>(), start.to_vector<double>()) << what;
    EXPECT_EQ(around.to_vector<double>(), before.to_vector<double>()) << what << " wrote elsewhere";
  }
};

TEST_P(StridedParameters, AreSteppedByEveryMethod) {
  for (const MethodDef* method : registered_methods()) {
    check(std::string(method->name).c_str(), [&](ParameterSet& parameters) {
      const auto optimizer = make_optimizer(method->name, 0.1);
      for (int step = 0; step < 3; ++step) {
        optimizer->step(parameters, [&] {
          const Tape tape;
          return backward(sum(square(use(parameters.at("w"))) * numbers({kRows, kColumns}, 1)));
        });
      }
    });
  }
}

TEST_P(StridedParameters, AreLoadedRestoredAndWrittenByPasses) {
  const TemporaryFolder folder;
  ParameterSet other;
  other.add("w", numbers({kRows, kColumns}, 7));
  io::save(other, folder / "f");
  const Snapshot snapshot(other);
  check("load", [&](ParameterSet& parameters) { (void)io::load(parameters, folder / "f"); });
  check("restore", [&](ParameterSet& parameters) { snapshot.restore(parameters); });
  struct Halve : Pass {
    std::string_view name() const override { return "halve"; }
    PassStage stage() const override { return PassStage::kAfterStep; }
    bool rewrite(Roots& roots, PassContext&) override {
      for (Roots::Root& root : roots.all()) root.value = root.value * 0.5;
      return true;
    }
  };
  PassPipeline passes;
  passes.add(std::make_unique<Halve>());
  check("pass", [&](ParameterSet& parameters) {
    PassContext context;
    EXPECT_TRUE(run_after_step(passes, parameters, context));
  });
}

TEST(RunAfterStep, TakesAllValuesBeforeItWritesOne) {
  struct Swap : Pass {
    std::string_view name() const override { return "swap"; }
    PassStage stage() const override { return PassStage::kAfterStep; }
    bool rewrite(Roots& roots, PassContext&) override {
      std::swap(roots.at("a"), roots.at("b"));
      return true;
    }
  };
  ParameterSet parameters;
  parameters.add("a", numbers({4}, 1));
  parameters.add("b", numbers({4}, 9));
  PassPipeline passes;
  passes.add(std::make_unique<Swap>());
  PassContext context;
  EXPECT_TRUE(run_after_step(passes, parameters, context));
  EXPECT_EQ(parameters.at("a").value().at(0), 9);
  EXPECT_EQ(parameters.at("b").value().at(0), 1);
}

INSTANTIATE_TEST_SUITE_P(, StridedParameters, ::testing::ValuesIn(kLayouts), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace wengert::optim
