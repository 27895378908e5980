// The full gradient beside mini-batches.
//
// Shown: one net by plain gradient descent with batches of 10 examples to all of them, each at the
// best of four rates, over updates and over the examples that had to be read. Source: the lecture
// notes' claim that the full gradient is better update by update and slower by orders; L. Bottou
// and O. Bousquet 2008, The Tradeoffs of Large Scale Learning.
// Look at: the same curves twice. Over updates the largest batch is ahead or level, over examples
// the smallest is, by orders.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/loader.h>
#include <wengert/optim/training/step.h>

#include "shared.h"

using namespace wengert;

Var logits(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", relu(linear(parameters, "hidden", x, 32)), 10);
}

struct Course {
  std::vector<double> updates, examples, losses;
};

/// The loss on all data at updates 1, 2, 4, …
Course descend(const shared::Batch& data, std::int64_t batch, double rate, std::int64_t updates) {
  const optim::ArrayLoader loader(data, {.batch_size = batch});
  ParameterSet parameters(1);
  optim::Sgd sgd({.rate = rate});
  optim::TrainingStep step(parameters, optim::classifier(logits));
  Course course;
  std::int64_t next = 1;
  for (std::int64_t i = 0; i < updates; ++i) {
    const optim::Batch part = loader.batch(1 + i / loader.batch_count(), i % loader.batch_count());
    PassContext context;
    try {
      step.run(sgd, {&part, 1}, context);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNonFinite) throw;
      break;  // the rate was too high
    }
    if (i + 1 != next && i + 1 != updates) continue;
    next = std::max(next + 1, next * 3 / 2);
    course.updates.push_back(static_cast<double>(i + 1));
    course.examples.push_back(static_cast<double>((i + 1) * batch));
    course.losses.push_back(step.measure(data).loss());
  }
  return course;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 2000, 10);
  const std::int64_t all = data.train.count(), updates = run.quick ? 60 : 400;
  plot::Panel by_update{.title = "By update",
                        .x = {.label = "updates", .scale = plot::Scale::kLog},
                        .y = {.label = "loss on all data (nats)", .scale = plot::Scale::kLog}};
  plot::Panel by_example = by_update;
  by_example.title = "By work";
  by_example.x.label = "examples read";
  for (const std::int64_t batch : {std::int64_t{10}, std::int64_t{100}, all}) {
    Course best;
    double best_rate = 0, least = 1e300;
    for (const double rate : {0.03, 0.1, 0.3, 1.0}) {
      const Course course = descend(data.train, batch, rate, updates);
      const bool whole = !course.updates.empty() && course.updates.back() == updates;
      if (!whole || !(course.losses.back() < least)) continue;
      best = course;
      best_rate = rate;
      least = course.losses.back();
    }
    const std::string name = (batch == all ? "all " : "") + std::to_string(batch) +
                             " a batch, rate " + format_number(best_rate);
    by_update.curves.push_back({name, best.updates, best.losses});
    by_example.curves.push_back({name, best.examples, best.losses});
    std::printf("%-28s loss %.4f after %lld updates, %lld examples\n", name.c_str(), least,
                static_cast<long long>(updates), static_cast<long long>(updates * batch));
  }
  // What the smallest batch reached with all it read, and how much the largest had to read for
  // that.
  const auto& small = by_example.curves.front();
  const auto& full = by_example.curves.back();
  for (std::size_t i = 0; i < full.y.size(); ++i) {
    if (full.y[i] > small.y.back()) continue;
    std::printf("the loss that batches of 10 reach with %.0f examples takes the full batch %.0f\n",
                small.x.back(), full.x[i]);
    break;
  }
  run.save("full_batch", {.title = "The full gradient beside mini-batches, on " + data.name,
                          .panels = {by_update, by_example},
                          .caption = "Plain gradient descent, each batch size at the best of four "
                                     "rates. The right panel is the left one, drawn over work."});
}
