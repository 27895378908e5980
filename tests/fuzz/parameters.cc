#include "wengert/graph/error.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/parameter_file.h"
#include "wengert/io/transfer.h"
#include "wengert/tests/fuzz/target.h"

// A model's file into an empty set and into one that has parameters already: read, or refused with
// the set as it was.
namespace wengert::fuzz {
namespace {

std::string told(const ParameterSet& set) {
  std::string text;
  for (const Parameter* p : set.all()) text += p->name() + "=" + p->value().str() + ";";
  for (const Buffer* b : set.buffers()) text += b->name() + ":" + b->value().str() + ";";
  return text;
}

/// A part of it, by the same names.
void transferred(const std::string& path, const io::LoadOptions& options) {
  ParameterSet set(7);
  set.add("fc/weight", Tensor::full({2, 3}, 0.5, DType::kFloat32));
  set.add_buffer("mean", Tensor::full({}, 1, DType::kFloat64));
  const std::string before = told(set);
  try {
    const io::TransferReport report = io::transfer(set, path, {.rename = options.rename});
    require(!report.loaded.empty() && report.loaded.size() + report.skipped.size() == 2,
            "something of the set is not told of");
    for (const auto& entry : report.loaded) {
      require(entry.is_buffer || !set.at(entry.name).trainable(), "loaded, but not frozen");
    }
    (void)report.str();
  } catch (const IoError& error) {
    require(error.path() == path, "an error of another file");
    require(told(set) == before && set.at("fc/weight").trainable(),
            "a refused file has changed the set");
  }
}

}  // namespace

FUZZ_TARGET(parameters) {
  const std::uint8_t choices = input.byte();
  ParameterSet set(7);
  if ((choices & 1) != 0) {
    set.add("fc/weight", Tensor::full({2, 3}, 0.5, DType::kFloat32));
    set.add("fc/bias", Tensor::full({3}, 0.25, DType::kFloat32));
    set.add_buffer("mean", Tensor::full({}, 1, DType::kFloat64));
  }
  io::LoadOptions options;
  options.allow_missing = (choices & 2) != 0;
  options.allow_unused = (choices & 4) != 0;
  options.add = (choices & 8) != 0;
  if ((choices & 16) != 0) options.rename = {{"net.*", "fc/*"}, {"*", "all/*"}};
  const MemoryFile file(input.rest());
  transferred(file.path(), options);
  const std::string before = told(set);
  try {
    const io::LoadReport report = io::load(set, file.path(), options);
    for (const std::string& name : report.loaded) {
      require(set.find(name) != nullptr || set.find_buffer(name) != nullptr,
              "loaded, but not there");
    }
    accept();
    (void)report.str();
    (void)io::state_of(io::read_safetensors(file.path()));
  } catch (const IoError& error) {
    require(told(set) == before, "a refused file has changed the set");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::kParameter || error.kind() == ErrorKind::kValue,
            error.what());
    require(told(set) == before, "a refused file has changed the set");
  }
}

}  // namespace wengert::fuzz
