#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tests/autodiff/rows.h"
#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// Gradients that lookups send to a few rows of a leaf: how they add up and meet dense ones.
namespace wengert {
namespace {

using ::testing::ElementsAre;

/// Every op that sends rows, each as a lookup of slices of axis 0.
struct Lookup {
  const char* name;
  Shape table;
  std::function<Var(const Var& table, const Var& indices)> call;
};

const Lookup kLookups[] = {
    {"embedding", {7, 3}, [](const Var& t, const Var& i) { return embedding(t, i); }},
    {"embedding_of_blocks", {7, 2, 2}, [](const Var& t, const Var& i) { return embedding(t, i); }},
    {"index_select", {7, 3}, [](const Var& t, const Var& i) { return index_select(t, i); }},
    {"index_select_from_the_back",
     {7, 3},
     [](const Var& t, const Var& i) { return index_select(t, i, -2); }},
    {"take", {7}, [](const Var& t, const Var& i) { return take(t, i); }}};

class LookupTest : public ::testing::TestWithParam<Lookup> {
 protected:
  Lookup lookup = GetParam();
  Var table = variable(testing::spread(lookup.table, -1, 1));
  /// Weighted, so that no two lookups of a row send the same back.
  Var loss_of(const Var& from, const Indices& indices, double phase = 0.5) const {
    const Var y = lookup.call(from, Var(indices_of(indices)));
    return sum(square(y) * Var(testing::spread(y.shape(), phase, 2)));
  }
};

TEST_P(LookupTest, SendsRowsToALeaf) {
  const Tape tape;
  const Var loss = loss_of(table, {5, 2, 5, -2, 0});
  const Var expected = grad(loss, table, {.retain = true});
  const Gradients gradients = backward(loss);
  ASSERT_EQ(gradients.entries().size(), 1u);
  const Gradient& g = gradients.entries()[0].gradient;
  ASSERT_TRUE(g.is_rows());
  EXPECT_THAT(indices_in(g), ElementsAre(0, 2, 5));
  EXPECT_EQ(g.shape(), lookup.table);
  const auto ours = numbers(gradients[table]), dense = numbers(expected);
  for (std::size_t i = 0; i < dense.size(); ++i) EXPECT_NEAR(ours[i], dense[i], 1e-14) << i;
}

TEST_P(LookupTest, AddsTheRowsOfAllLookups) {
  const Tape tape;
  const Var loss = loss_of(table, {5, 2, 5}) + loss_of(table, {}, 0.75) + loss_of(table, {2, 6}, 1);
  const auto dense = numbers(grad(loss, table, {.retain = true}));
  const Gradients gradients = backward(loss);
  EXPECT_THAT(indices_in(gradients.entries()[0].gradient), ElementsAre(2, 5, 6));
  const auto ours = numbers(gradients[table]);
  for (std::size_t i = 0; i < dense.size(); ++i) EXPECT_NEAR(ours[i], dense[i], 1e-14) << i;
}

TEST_P(LookupTest, BesideDenseUsesTheGradientIsDense) {
  for (const bool first : {false, true}) {
    const Tape tape;
    Var loss = first ? sum(square(table)) : Var(0.0);
    loss = loss + loss_of(table, {5, 2, 5});
    if (!first) loss = loss + sum(table * table);
    loss = loss + loss_of(table, {1}, 1);
    const auto dense = numbers(grad(loss, table, {.retain = true}));
    const Gradients gradients = backward(loss);
    EXPECT_FALSE(gradients.entries()[0].gradient.is_rows());
    const auto ours = numbers(gradients[table]);
    for (std::size_t i = 0; i < dense.size(); ++i) EXPECT_NEAR(ours[i], dense[i], 1e-14) << i;
  }
}

/// What the sweep hands on (here: the cotangent of a sum) is not written into.
TEST_P(LookupTest, ADenseGradientThatOthersHoldStaysAsItIs) {
  const Tape tape;
  const Var other = variable(testing::spread(lookup.table, -1, 1, 3));
  const Var loss = sum(square(table + other)) + loss_of(table, {1, 1});
  const auto dense = numbers(grad(loss, other, {.retain = true}));
  const Gradients gradients = backward(loss);
  EXPECT_EQ(numbers(gradients[other]), dense);
}

TEST_P(LookupTest, OfWhatIsNoLeafTheGradientIsDense) {
  const Tape tape;
  const Var loss = loss_of(table * 2, {5, 2, 5});
  const auto dense = numbers(grad(loss, table, {.retain = true}));
  const Gradients gradients = backward(loss);
  EXPECT_FALSE(gradients.entries()[0].gradient.is_rows());
  EXPECT_EQ(numbers(gradients[table]), dense);
}

TEST_P(LookupTest, RecordedGradientsAreDense) {
  const Tape tape;
  const Var loss = loss_of(table, {5, 2, 5});
  const Gradients gradients = backward(loss, {.create_graph = true});
  const Gradient& g = gradients.entries()[0].gradient;
  EXPECT_FALSE(g.is_rows());
  EXPECT_TRUE(g.dense().requires_grad());
}

TEST_P(LookupTest, AreTheSameInTwoPassesOverOneTape) {
  const Tape tape;
  const Var loss = loss_of(table, {5, 2, 5});
  const Gradients a = backward(loss, {.retain = true}), b = backward(loss);
  EXPECT_EQ(numbers(a.entries()[0].gradient.rows()), numbers(b.entries()[0].gradient.rows()));
}

TEST_P(LookupTest, InsideACheckpointGivesTheSameBits) {
  const auto gradient = [&](bool checkpointed) {
    ParameterSet parameters;
    parameters.add("table", testing::spread(lookup.table, -1, 1).to(DType::kFloat32));
    const Tape tape;
    const auto part = [&](const Var& x) {
      const Var t = use(parameters.at("table"));
      const Var y = lookup.call(t, Var(indices_of({5, 2, 5, 5}))) +
                    lookup.call(t, Var(indices_of({2, 0, 5, 2})));
      return sum(tanh(y * x));
    };
    const Var x = Tensor::scalar(0.7f);
    Var total = sum(lookup.call(use(parameters.at("table")), Var(indices_of({5, 5, 1})))) * 0.3f;
    for (int i = 0; i < 2; ++i) {
      const Var inputs[] = {x};
      total =
          total +
          (checkpointed
               ? checkpoint([&](std::span<const Var> v) { return std::vector<Var>{part(v[0])}; },
                            inputs)[0]
               : part(x));
    }
    return backward(total).entries()[0].gradient;
  };
  const Gradient plain = gradient(false), checkpointed = gradient(true);
  ASSERT_TRUE(plain.is_rows() && checkpointed.is_rows());
  EXPECT_EQ(indices_in(plain), indices_in(checkpointed));
  EXPECT_EQ(numbers(plain.rows()), numbers(checkpointed.rows()));
}

/// What looks on as backward goes.
class Watch final : public GradientObserver {
 public:
  void on_edge(const Tape&, std::uint32_t, int input, const Gradient& g) override {
    if (g.shape() == shape_ && input == 0) edges.push_back(g);
  }
  void on_node(const Tape&, std::uint32_t node, const Gradient& g) override {
    EXPECT_LT(node, last_) << "nodes come from the last to the first";
    last_ = node;
    if (g.shape() == shape_) nodes.push_back(g);
  }
  explicit Watch(Shape shape) : shape_(shape) {}
  std::vector<Gradient> edges, nodes;

 private:
  Shape shape_;
  std::uint32_t last_ = 0xffffffff;
};

TEST_P(LookupTest, ObserversAndHooksSeeTheRowsSettled) {
  for (const bool mixed : {false, true}) {
    const Tape tape;
    const_cast<Tape&>(tape).name(table, "table");
    const Var before = variable(1.0), later = variable(2.0);
    Var loss = loss_of(table, {5, 2, 5}) * before;
    loss = loss + loss_of(table, {0, 2}, 1) * later;
    if (mixed) loss = loss + sum(table);
    std::optional<Gradient> as_it_is;
    std::optional<Tensor> dense;
    on_gradient("table", [&](const Gradient& g) { as_it_is = g; });
    on_gradient("table", [&](const Tensor& g) { dense = g; });
    const auto expected = numbers(grad(loss, table, {.retain = true}));
    as_it_is.reset();
    Watch watch(lookup.table);
    const Gradients gradients = backward(loss, {.observer = &watch});
    ASSERT_EQ(watch.nodes.size(), 1u);
    ASSERT_EQ(watch.edges.size(), mixed ? 3u : 2u);
    EXPECT_EQ(watch.nodes[0].is_rows(), !mixed);
    ASSERT_TRUE(as_it_is.has_value());
    EXPECT_EQ(as_it_is->is_rows(), !mixed);
    ASSERT_TRUE(dense.has_value());
    EXPECT_EQ(dense->shape(), lookup.table);
    EXPECT_EQ(dense->to_vector<double>(), numbers(watch.nodes[0].dense()));
    EXPECT_EQ(dense->to_vector<double>(), numbers(gradients[table]));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(dense->at(static_cast<std::int64_t>(i)), expected[i], 1e-14);
    }
    if (mixed) continue;
    EXPECT_THAT(indices_in(watch.edges[0]), ElementsAre(0, 2));  // the later lookup comes first
    EXPECT_THAT(indices_in(watch.edges[1]), ElementsAre(2, 5));
    EXPECT_THAT(indices_in(watch.nodes[0]), ElementsAre(0, 2, 5));
  }
}

TEST_P(LookupTest, MicroBatchesAddUpAsRows) {
  ParameterSet parameters;
  parameters.add("table", testing::spread(lookup.table, -1, 1));
  Gradients total;
  std::vector<double> expected(static_cast<std::size_t>(element_count(lookup.table)));
  for (const Indices& batch : {Indices{5, 2, 5}, Indices{}, Indices{6, 2}}) {
    const Tape tape;
    const Gradients part = backward(loss_of(use(parameters.at("table")), batch));
    const auto dense = numbers(part.at("table"));
    for (std::size_t i = 0; i < dense.size(); ++i) expected[i] += dense[i];
    total += part;
  }
  const Gradient* sum = total.find(parameters.at("table"));
  ASSERT_NE(sum, nullptr);
  EXPECT_THAT(indices_in(*sum), ElementsAre(2, 5, 6));
  EXPECT_EQ(numbers(total.at("table")), expected);
}

INSTANTIATE_TEST_SUITE_P(Ops, LookupTest, ::testing::ValuesIn(kLookups),
                         [](const auto& info) { return info.param.name; });

TEST(RowGradients, HaveTheSameBitsAtAnyNumberOfThreads) {
  struct Restore {
    ~Restore() { kernels::set_thread_count(0); }
  } restore;
  for (const std::int64_t height : {37, 9001, 5000000}) {
    std::vector<float> expected;
    for (const int threads : {1, 2, 3}) {
      kernels::set_thread_count(threads);
      const Tape tape;
      const Tensor where = testing::spread({30011}, -36.5, 36.5).to(DType::kInt64);
      const Var table = variable(Tensor::full({height, 5}, 0.5));
      const Var y = embedding(table, where);
      const Gradients g =
          backward(sum(y * Var(testing::spread(y.shape(), -1, 1).to(DType::kFloat32))));
      const Gradient& rows = g.entries()[0].gradient;
      ASSERT_TRUE(rows.is_rows());
      const auto bits = rows.rows().to_vector<float>();
      if (threads == 1) expected = bits;
      EXPECT_EQ(bits, expected) << threads << " threads, " << height << " rows";
    }
  }
}

TEST(RowGradients, OfManyFloat32TermsKeepTheirDigits) {
  constexpr std::int64_t kTerms = 1 << 20;
  const Tape tape;
  const Var table = variable(Tensor::zeros({3}));
  const Var y = take(table, Var(Tensor::full({kTerms}, 1, DType::kInt64)));
  const Gradients g = backward(sum(y * 0.1f));
  const double expected = static_cast<double>(0.1f) * kTerms;
  EXPECT_NEAR(g[table].value().at(1), expected, expected * 4e-7);
}

TEST(RowGradients, OfEmptyTablesAndEmptyRows) {
  for (const Shape& shape : {Shape{0, 3}, Shape{4, 0}}) {
    const Tape tape;
    const Var table = variable(Tensor::zeros(shape, DType::kFloat64));
    const Indices some = shape[0] == 0 ? Indices{} : Indices{1, 1};
    const Gradients g = backward(sum(embedding(table, Var(indices_of(some)))));
    EXPECT_EQ(g[table].shape(), shape);
    EXPECT_TRUE(g.entries()[0].gradient.is_rows());
  }
}

TEST(RowGradients, OfAnEnclosingTapesTableAreRowsToo) {
  const Tape outer;
  const Var table = variable(testing::spread({4, 2}, 1, 2));
  const Var used = table * 2.0;  // a leaf of the outer tape
  {
    const Tape inner;
    const Gradients g = backward(sum(embedding(table, Var(indices_of({3, 3})))));
    EXPECT_EQ(g.entries()[0].gradient.describe(), "rows 1 of f64[4,2]");
    EXPECT_THAT(numbers(g[table]), ElementsAre(0, 0, 0, 0, 0, 0, 2, 2));
  }
  EXPECT_THAT(numbers(backward(sum(used))[table]), ::testing::Each(2));
}

TEST(RowGradients, AFrozenTableGetsNone) {
  ParameterSet parameters;
  parameters.add("table", testing::spread({4, 2}, 1, 2)).set_trainable(false);
  const Tape tape;
  const Var x = variable(1.0);
  const Gradients g =
      backward(sum(embedding(use(parameters.at("table")), Var(indices_of({3})))) * x);
  EXPECT_EQ(g.entries().size(), 1u);
  EXPECT_EQ(g.find(parameters.at("table")), nullptr);
}

TEST(RowGradients, ThePaddingIndexLearnsNothing) {
  for (const std::int64_t padding : {1, -3}) {
    const Tape tape;
    const Var table = variable(testing::spread({4, 2}, 1, 2));
    const Var indices = Tensor::from<std::int32_t>({1, 0, -3, 3, 1, 0}, {2, 3});
    const Var y = embedding(table, indices, padding);
    EXPECT_EQ(y.value().at(0), table.value().at(2));  // its row is looked up like others
    const Var loss = sum(y * 3.0);
    const Var recorded = grad(loss, table, {.create_graph = true});
    const Gradients g = backward(loss);
    EXPECT_THAT(numbers(g[table]), ElementsAre(6, 6, 0, 0, 0, 0, 3, 3));
    EXPECT_EQ(numbers(recorded), numbers(g[table]));
  }
}

TEST(RowGradients, APaddingIndexGetsExactlyZeroBesideInfinity) {
  const Tape tape;
  const Var table = variable(Tensor::from<double>({0, 4}, {2}));
  const Var y = embedding(table, Var(indices_of({0, 1})), 0);
  const Gradients g = backward(sum(sqrt(y)));  // √ has an infinite slope at 0
  EXPECT_THAT(numbers(g[table]), ElementsAre(0, 0.25));
}

}  // namespace
}  // namespace wengert
