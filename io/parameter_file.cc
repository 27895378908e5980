#include "wengert/io/parameter_file.h"

#include <cstring>
#include <set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/parameter_names.h"

namespace wengert::io {
namespace {

using detail::kBuffers;
using detail::kState;
using detail::named_by;
using detail::renamed_by;
using detail::some_of;

/// One load: everything is looked at before anything is written.
class Loading {
 public:
  Loading(ParameterSet& parameters, const SafeTensors& file, const std::string& path,
          const LoadOptions& options)
      : set_(parameters),
        file_(file),
        path_(path),
        options_(options),
        was_empty_(parameters.size() == 0 && parameters.buffers().empty()),
        buffers_(named_by(file, kBuffers)),
        state_(named_by(file, kState)) {}

  LoadReport run() {
    for (const NamedTensor& entry : file_.tensors) {
      if (!state_.contains(entry.name)) plan(entry);
    }
    find_missing();
    if (!report_.missing.empty() && !options_.allow_missing) {
      refuse(some_of(report_.missing) + (report_.missing.size() == 1 ? " is" : " are") + " missing",
             close_name(report_.missing.front()));
    }
    if (!report_.unused.empty() && !options_.allow_unused) {
      refuse(
          "the set has no " + some_of(report_.unused),
          "rename them, add = true to take them as well, or allow_unused = true to pass them over");
    }
    report_.metadata = file_.metadata;
    report_.metadata.erase(kBuffers);
    report_.metadata.erase(kState);
    put();
    return std::move(report_);
  }

 private:
  struct Planned {
    std::string name;
    Tensor value;  ///< dense
    bool is_buffer;
  };

  void plan(const NamedTensor& entry) {
    if (entry.name.empty()) refuse("a tensor has no name");
    std::string name = entry.name;
    for (const auto& rule : options_.rename) {
      if (auto to = renamed_by(rule, name)) {
        name = std::move(*to);
        report_.renamed.emplace_back(entry.name, name);
        break;
      }
    }
    if (!there_.insert(name).second) {
      refuse("'" + name + "' comes twice once names are changed", "mend the table of names");
    }
    const Parameter* parameter = set_.find(name);
    const Buffer* buffer = set_.find_buffer(name);
    const bool known = parameter != nullptr || buffer != nullptr;
    if (!known && !was_empty_ && !options_.add && !buffers_.contains(entry.name)) {
      report_.unused.push_back(entry.name);
      return;
    }
    // Files of other tools name no buffers: what the set has decides there.
    const bool is_buffer =
        buffers_.empty() && known ? buffer != nullptr : buffers_.contains(entry.name);
    if (known) check(name, entry.tensor, is_buffer, parameter, buffer);
    planned_.push_back({name, entry.tensor.contiguous(), is_buffer});
  }

  void check(const std::string& name, const Tensor& tensor, bool is_buffer,
             const Parameter* parameter, const Buffer* buffer) {
    if ((buffer != nullptr) != is_buffer) {
      refuse("'" + name + "' is a " + (is_buffer ? "buffer" : "parameter") + " there, here a " +
             (is_buffer ? "parameter" : "buffer"));
    }
    const Tensor& known = is_buffer ? buffer->value() : parameter->value();
    if (known.dtype() == tensor.dtype() && known.shape() == tensor.shape()) return;
    refuse("'" + name + "' is " + to_string(tensor.dtype(), tensor.shape()) + " there, here " +
           to_string(known.dtype(), known.shape()));
  }

  void find_missing() {
    const auto look = [this](const std::string& name) {
      if (!there_.contains(name)) report_.missing.push_back(name);
    };
    for (const Parameter* parameter : set_.all()) look(parameter->name());
    for (const Buffer* buffer : set_.buffers()) look(buffer->name());
  }

  /// All or, on an error, nothing: what can fail is done before the first value is written.
  void put() {
    BufferUpdates updates;
    std::vector<std::pair<WriteGuard, const Tensor*>> writes;
    bool has_parameters = false;
    std::vector<std::pair<std::string, Tensor>> parameters, buffers;
    for (const auto& [name, value, is_buffer] : planned_) {
      report_.loaded.push_back(name);
      has_parameters |= !is_buffer;
      if (is_buffer) {
        if (Buffer* known = set_.find_buffer(name)) {
          updates.add(*known, value.clone());
        } else {
          buffers.emplace_back(name, value);
        }
      } else if (Parameter* known = set_.find(name)) {
        writes.emplace_back(WriteGuard(known->mutable_value(), "load"), &value);
      } else {
        parameters.emplace_back(name, value);
      }
    }
    std::string source = "the file " + path_;
    set_.add_all(std::move(parameters), buffers);
    for (const auto& [guard, value] : writes) {
      const auto bytes = static_cast<std::size_t>(value->element_count()) * size_of(value->dtype());
      if (bytes > 0) std::memcpy(guard.data(), value->data(), bytes);
    }
    updates.commit();
    if (was_empty_ && has_parameters && !options_.allow_missing) set_.seal(std::move(source));
  }

  std::string close_name(const std::string& name) const {
    const std::string close =
        closest(name, std::vector<std::string>(report_.unused.begin(), report_.unused.end()));
    return close.empty() ? "use a file of this model, or allow_missing = true"
                         : "the file has '" + close + "': rename it, or use a file of this model";
  }
  [[noreturn]] void refuse(const std::string& problem,
                           const std::string& fix = "use a file of this model") const {
    throw IoError(path_, problem, fix);
  }

  ParameterSet& set_;
  const SafeTensors& file_;
  const std::string& path_;
  const LoadOptions& options_;
  bool was_empty_;
  std::set<std::string> buffers_, state_, there_;
  std::vector<Planned> planned_;
  LoadReport report_;
};

void list_names(const char* key, const char* what, const std::vector<std::string>& names,
                std::map<std::string, std::string>& metadata) {
  if (metadata.contains(key)) {
    throw Error(ErrorKind::kValue, "save", "the metadata key '" + std::string(key) + "' is taken",
                "choose another key");
  }
  std::string lines;
  for (const std::string& name : names) {
    if (name.find('\n') != std::string::npos) {
      throw Error(ErrorKind::kValue, "save",
                  "the name of " + std::string(what) + " '" + name + "' holds a line break");
    }
    lines += (lines.empty() ? "" : "\n") + name;
  }
  if (!lines.empty()) metadata[key] = std::move(lines);
}

}  // namespace

SafeTensors to_file(const ParameterSet& parameters, std::map<std::string, std::string> metadata,
                    std::vector<NamedTensor> state, std::source_location where) {
  const wengert::detail::CallSite site(where);
  SafeTensors file;
  for (const Parameter* parameter : parameters.all()) {
    file.tensors.push_back({parameter->name(), parameter->value()});
  }
  std::vector<std::string> buffers, others;
  for (const Buffer* buffer : parameters.buffers()) {
    buffers.push_back(buffer->name());
    file.tensors.push_back({buffer->name(), buffer->value()});
  }
  list_names(kBuffers, "buffer", buffers, metadata);
  for (NamedTensor& entry : state) {
    others.push_back(entry.name);
    file.tensors.push_back(std::move(entry));
  }
  list_names(kState, "state", others, metadata);
  file.metadata = std::move(metadata);
  return file;
}

void save(const ParameterSet& parameters, const std::string& path,
          std::map<std::string, std::string> metadata, std::source_location where) {
  const wengert::detail::CallSite site(where);
  const SafeTensors file = to_file(parameters, std::move(metadata), {}, where);
  write_safetensors(path, file.tensors, file.metadata, where);
}

LoadReport load(ParameterSet& parameters, const std::string& path, const LoadOptions& options,
                std::source_location where) {
  const wengert::detail::CallSite site(where);
  return load(parameters, read_safetensors(path), path, options, where);
}

LoadReport load(ParameterSet& parameters, const SafeTensors& file, const std::string& path,
                const LoadOptions& options, std::source_location where) {
  const wengert::detail::CallSite site(where);
  return Loading(parameters, file, path, options).run();
}

std::vector<NamedTensor> state_of(const SafeTensors& file) {
  const std::set<std::string> names = named_by(file, kState);
  std::vector<NamedTensor> result;
  for (const NamedTensor& entry : file.tensors) {
    if (names.contains(entry.name)) result.push_back(entry);
  }
  return result;
}

std::string LoadReport::str() const {
  const auto part = [](const char* what, const std::vector<std::string>& names) {
    return names.empty() ? std::string()
                         : ", " + std::string(what) + " " + std::to_string(names.size()) + " (" +
                               some_of(names) + ")";
  };
  std::string text =
      "loaded " + std::to_string(loaded.size()) + part("missing", missing) + part("unused", unused);
  if (!renamed.empty()) text += ", renamed " + std::to_string(renamed.size());
  return text;
}

}  // namespace wengert::io
