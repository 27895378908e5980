#include "wengert/autodiff/checkpoint.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "wengert/autodiff/engine.h"
#include "wengert/autodiff/users_code.h"
#include "wengert/graph/buffer.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/random_stream.h"
#include "wengert/graph/thread_state.h"

namespace wengert {
namespace {

/// What a checkpoint's node remembers; the tape owns it.
struct Block {
  detail::CheckpointFunction f;
  std::vector<std::size_t> arguments;  ///< of f: which input of the node each is
  std::size_t inputs = 0;              ///< of the node before those that are `parameters`
  /// For which parameters inputs stood that f uses, and which.
  std::vector<std::pair<const Parameter*, std::size_t>> overridden;
  std::vector<Parameter*> parameters;  ///< that f uses, for which none did
  std::uint64_t random_lane = 0;
  detail::ComputedOutputs computed;  ///< what f gave when it was recorded
  BufferUpdates before;              ///< buffers that f updates, as they were before it
};

struct CheckpointAttributes {
  Block* block;
  template <class Self, class V>
  static void visit(Self&, V&&) {}
};

void infer_checkpoint(InferContext& call) {
  call.attributes<CheckpointAttributes>().block->computed.infer(call);
}

void evaluate_checkpoint(EvalContext& call) {
  detail::ComputedOutputs& computed = call.attributes<CheckpointAttributes>().block->computed;
  if (computed.are_taken()) {
    call.fail(ErrorKind::kGraph, "it was computed once and is not applied again",
              "call the function itself, without checkpoint");
  }
  computed.evaluate(call);
}

[[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix) {
  throw Error(kind, "checkpoint", std::move(message), std::move(fix));
}

/// f's values and, of those that gradients flow to, the cotangents.
struct Outputs {
  std::vector<Var> values, cotangents;
};
Outputs run_again(const Block& block, std::span<const Var> inputs, VjpContext& c) {
  std::vector<Var> arguments, given;
  for (std::size_t place : block.arguments) arguments.push_back(inputs[place]);
  {
    // As it was then, whatever is in effect now.
    std::vector<std::pair<const Parameter*, Var>> values;
    for (const auto& [parameter, place] : block.overridden) {
      values.emplace_back(parameter, inputs[place]);
    }
    for (std::size_t i = 0; i < block.parameters.size(); ++i) {
      values.emplace_back(block.parameters[i], inputs[block.inputs + i]);
    }
    const ParameterOverride parameters(std::move(values));
    const RandomLane lane(block.random_lane);
    const detail::AsTheUser users;
    block.f.call(block.f.function.get(), arguments, given);
  }
  const auto& outputs = block.computed.outputs;
  if (given.size() != outputs.size()) {
    fail(ErrorKind::kValue,
         "the function gave " + std::to_string(outputs.size()) + " values and now gives " +
             std::to_string(given.size()),
         "it must do the same each time");
  }
  Outputs result;
  for (std::size_t k = 0; k < given.size(); ++k) {
    if (given[k].dtype() != outputs[k].dtype || !(given[k].shape() == outputs[k].shape)) {
      fail(ErrorKind::kValue,
           "value " + std::to_string(k) + " was " + to_string(outputs[k].dtype, outputs[k].shape) +
               " and is now " + to_string(given[k].dtype(), given[k].shape()),
           "it must do the same each time");
    }
    Var g = c.cotangent(static_cast<int>(k));
    if (!g.has_value() || !given[k].requires_grad()) continue;
    result.values.push_back(given[k]);
    result.cotangents.push_back(std::move(g));
  }
  return result;
}

}  // namespace

/// The rule has two ways. Recorded: f is computed on the live tape and differentiated there. Else
/// on a tape of its own, whose leaves begin with what later uses of the inputs have sent: then the
/// sums are those of a sweep without checkpoints, term by term.
class CheckpointRule {
 public:
  static void vjp(VjpContext& c) {
    const Block& block = *c.attributes<CheckpointAttributes>().block;
    if (detail::t_state.recording_off == 0) {
      recorded(block, c);
    } else {
      fused(block, c);
    }
  }

 private:
  static void recorded(const Block& block, VjpContext& c) {
    if (!block.before.empty()) {
      fail(ErrorKind::kGraph,
           "the function draws random numbers or updates buffers, which it would do once more",
           "differentiate a second time without the checkpoint");
    }
    std::vector<Var> inputs, wanted;
    std::vector<int> places;
    for (int i = 0; i < c.input_count(); ++i) {
      inputs.push_back(c.input(i));
      if (!c.needs(i)) continue;
      wanted.push_back(inputs.back());
      places.push_back(i);
    }
    const Outputs y = run_again(block, inputs, c);
    const std::vector<Var> gradients = grad(y.values, wanted, y.cotangents, {.create_graph = true});
    for (std::size_t k = 0; k < places.size(); ++k) c.set(places[k], gradients[k]);
  }

  static void fused(const Block& block, VjpContext& c) {
    std::vector<Tensor> values;
    for (int i = 0; i < c.input_count(); ++i) values.push_back(c.input(i).value());
    Tape tape;
    tape.start_after(block.before);  // the same draws; what f makes of buffers ends with the tape
    std::vector<Var> leaves;
    for (std::size_t i = 0; i < block.inputs; ++i) {
      leaves.push_back(c.needs(static_cast<int>(i)) ? variable(values[i]) : Var(values[i]));
      tape.adopt(leaves[i].get(), detail::constant_op, std::source_location::current());
    }
    for (Parameter* parameter : block.parameters) {
      leaves.push_back(tape.use(*parameter, std::source_location::current()));
    }
    const Outputs y = run_again(block, leaves, c);
    Engine engine(tape, {}, std::source_location::current());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const int place = static_cast<int>(i);
      if (!c.needs(place)) continue;
      if (c.takes_rows(place)) engine.take_rows(leaves[i].get()->id);
      engine.place(leaves[i].get()->id, c.take_pending(place));
    }
    for (std::size_t k = 0; k < y.values.size(); ++k) {
      engine.seed(y.values[k], y.cotangents[k], "checkpoint", false);
    }
    engine.sweep(0);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const int place = static_cast<int>(i);
      if (!c.needs(place)) continue;
      c.set(place, engine.extract(leaves[i].get()->id));
      for (const detail::RowPart& part : engine.extract_rows(leaves[i].get()->id)) {
        const auto count = static_cast<std::int64_t>(part.indices.size());
        c.add_rows(place, Tensor::from(part.indices, {count}), part.rows);
      }
    }
  }
};

namespace ops {

constinit const OpDef checkpoint_op = {
    .name = "checkpoint",
    .doc = {.summary = "A function of its inputs that backward computes anew.",
            .formula = "y = f(x)",
            .arguments = "any tensors; made by checkpoint(f, inputs)",
            .gradient = "that of f, computed again from the inputs",
            .source = "T. Chen et al., Training deep nets with sublinear memory cost, 2016"},
    .min_inputs = 0,
    .max_inputs = -1,
    .differentiable = kAllInputs,
    .reads = {kReadsAllInputs, kReadsAllInputs, kReadsAllInputs, kReadsAllInputs},
    .infer = infer_checkpoint,
    .evaluate = evaluate_checkpoint,
    .vjp = CheckpointRule::vjp,
    .attributes = &attribute_type<CheckpointAttributes>,
    .bound_to_tape = true,
};

}  // namespace ops

std::vector<Var> detail::checkpoint(CheckpointFunction f, std::span<const Var> inputs,
                                    std::source_location where) {
  const detail::CallSite site(where);
  detail::require_inputs(inputs, "checkpoint");
  Tape* tape = Tape::current();
  if (tape == nullptr || detail::t_state.recording_off > 0) {
    const UserCode users;
    std::vector<Var> outputs;
    f.call(f.function.get(), inputs, outputs);
    return outputs;
  }
  auto block = std::make_shared<Block>();
  std::vector<const Var*> all;  // each value once: gradients of its uses add up inside
  const auto place_of = [&all](const Var& value) {
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Var* other) { return other->get() == value.get(); });
    return static_cast<std::size_t>(known - all.begin());
  };
  for (const Var& input : inputs) {
    block->arguments.push_back(place_of(input));
    if (block->arguments.back() == all.size()) all.push_back(&input);
  }
  block->random_lane = detail::t_state.random_lane;
  const auto overrides = ParameterOverride::in_effect();
  {
    Tape scratch;  // finds the parameters, and refuses values of the outer tape that f reads
    const auto leaf_of = [](const Var& value) {
      return value.requires_grad() ? variable(value.value()) : Var(value.value());
    };
    std::vector<Var> leaves, arguments;
    for (const Var* input : all) leaves.push_back(leaf_of(*input));
    for (std::size_t place : block->arguments) arguments.push_back(leaves[place]);
    std::vector<std::pair<const Parameter*, Var>> standing;
    const auto leaf_for = [&](const Var& value) {  // each value once here, too
      if (const std::size_t place = place_of(value); place < all.size()) return leaves[place];
      for (std::size_t i = 0; i < standing.size(); ++i) {
        if (overrides[i].second.get() == value.get()) return standing[i].second;
      }
      return leaf_of(value);
    };
    for (const auto& [parameter, value] : overrides) {
      standing.emplace_back(parameter, leaf_for(value));
    }
    const ParameterOverride substitutes(standing);
    const detail::UserCode users;
    std::vector<Var> outputs;
    f.call(f.function.get(), arguments, outputs);
    block->computed.take(outputs, "checkpoint");
    block->parameters = scratch.parameters();
    for (std::size_t i = 0; i < overrides.size(); ++i) {
      if (!scratch.owns(standing[i].second)) continue;  // f does without
      const std::size_t place = place_of(overrides[i].second);
      if (place == all.size()) all.push_back(&overrides[i].second);
      block->overridden.emplace_back(overrides[i].first, place);
    }
    block->inputs = all.size();
    for (const auto& [buffer, value] : scratch.updates().latest()) {
      block->before.add(*buffer, tape->value_of(*buffer));
    }
    tape->take_updates(scratch.updates());
  }
  block->f = std::move(f);
  std::vector<Var> parameters;
  for (Parameter* parameter : block->parameters) {
    parameters.push_back(tape->use(*parameter, where));
  }
  for (const Var& parameter : parameters) all.push_back(&parameter);
  const CheckpointAttributes attributes{block.get()};
  tape->own(std::move(block));
  return apply_multiple(ops::checkpoint_op, all, &attributes, where);
}

}  // namespace wengert
