#include "wengert/io/checkpoint.h"

#include <cstring>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"

namespace wengert::io {
namespace {

constexpr const char* kBuffers = "buffers";

/// Says why a tensor of the file cannot be what the set has under its name.
void check(const std::string& path, const NamedTensor& entry, bool is_buffer,
           const ParameterSet& parameters) {
  const Parameter* parameter = parameters.find(entry.name);
  const Buffer* buffer = parameters.find_buffer(entry.name);
  if (parameter == nullptr && buffer == nullptr) return;
  if ((buffer != nullptr) != is_buffer) {
    throw IoError(path,
                  "'" + entry.name + "' is a " + (is_buffer ? "buffer" : "parameter") +
                      " there, here a " + (is_buffer ? "parameter" : "buffer"),
                  "use a checkpoint of this model");
  }
  const Tensor& known = is_buffer ? buffer->value() : parameter->value();
  if (known.dtype() == entry.tensor.dtype() && known.shape() == entry.tensor.shape()) return;
  throw IoError(path,
                "'" + entry.name + "' is " + to_string(entry.tensor.dtype(), entry.tensor.shape()) +
                    " there, here " + to_string(known.dtype(), known.shape()),
                "use a checkpoint of this model");
}

void put(NamedTensor& entry, bool is_buffer, ParameterSet& parameters) {
  if (is_buffer) {
    if (Buffer* known = parameters.find_buffer(entry.name)) {
      known->set(entry.tensor);
    } else {
      parameters.add_buffer(entry.name, entry.tensor);
    }
    return;
  }
  if (Parameter* known = parameters.find(entry.name)) {
    const WriteGuard guard(known->mutable_value(), "read_checkpoint");
    const auto count = static_cast<std::size_t>(entry.tensor.element_count());
    if (count > 0) {
      std::memcpy(guard.data(), entry.tensor.data(), count * size_of(entry.tensor.dtype()));
    }
  } else {
    parameters.add(entry.name, std::move(entry.tensor));
  }
}

}  // namespace

void write_checkpoint(const std::string& path, const ParameterSet& parameters,
                      std::map<std::string, std::string> metadata, std::source_location where) {
  const detail::CallSite site(where);
  std::vector<NamedTensor> tensors;
  for (const Parameter* parameter : parameters.all()) {
    tensors.push_back({parameter->name(), parameter->value()});
  }
  std::string names;
  for (const Buffer* buffer : parameters.buffers()) {
    if (buffer->name().find('\n') != std::string::npos) {
      throw Error(ErrorKind::kValue, "write_checkpoint",
                  "the name of buffer '" + buffer->name() + "' holds a line break");
    }
    names += (names.empty() ? "" : "\n") + buffer->name();
    tensors.push_back({buffer->name(), buffer->value()});
  }
  if (metadata.contains(kBuffers)) {
    throw Error(ErrorKind::kValue, "write_checkpoint", "the metadata key 'buffers' is taken",
                "choose another key");
  }
  if (!names.empty()) metadata[kBuffers] = std::move(names);
  write_safetensors(path, tensors, metadata, where);
}

std::set<std::string> buffers_of(const SafeTensors& file) {
  std::set<std::string> names;
  const auto listed = file.metadata.find(kBuffers);
  if (listed == file.metadata.end()) return names;
  const std::string& text = listed->second;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    names.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

std::map<std::string, std::string> read_checkpoint(const std::string& path,
                                                   ParameterSet& parameters) {
  SafeTensors file = read_safetensors(path);
  const std::set<std::string> buffers = buffers_of(file);
  std::set<std::string> there;
  for (const NamedTensor& entry : file.tensors) {
    if (entry.name.empty()) throw IoError(path, "a tensor has no name");
    check(path, entry, buffers.contains(entry.name), parameters);
    there.insert(entry.name);
  }
  const auto require = [&](const std::string& name) {
    if (there.contains(name)) return;
    throw IoError(path, "'" + name + "' is missing", "use a checkpoint of this model");
  };
  for (const Parameter* parameter : parameters.all()) require(parameter->name());
  for (const Buffer* buffer : parameters.buffers()) require(buffer->name());
  for (NamedTensor& entry : file.tensors) put(entry, buffers.contains(entry.name), parameters);
  file.metadata.erase(kBuffers);
  return std::move(file.metadata);
}

}  // namespace wengert::io
