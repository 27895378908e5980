#include "wengert/io/transfer.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/parameter_filter.h"
#include "wengert/graph/text.h"
#include "wengert/io/parameter_names.h"

namespace wengert::io {
namespace {

/// One transfer: everything is looked at before anything is written.
class Transfer {
 public:
  Transfer(ParameterSet& parameters, const SafeTensors& file, const std::string& path,
           const TransferOptions& options)
      : set_(parameters),
        file_(file),
        path_(path),
        options_(options),
        used_(options.wanted.size()) {}

  TransferReport run() {
    if (set_.size() == 0) {
      throw Error(ErrorKind::kParameter, "transfer", "the set has no parameters to load into",
                  "let the model run once before, by TrainingStep::make_parameters for instance");
    }
    name_file();
    for (Parameter* parameter : set_.all()) {
      report_.elements += parameter->value().element_count();
      look_at(parameter->name(), parameter->value(), parameter->initializer(), parameter, nullptr);
    }
    for (Buffer* buffer : set_.buffers()) {
      look_at(buffer->name(), buffer->value(), {}, nullptr, buffer);
    }
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) continue;
      throw Error(ErrorKind::kParameter, "transfer",
                  "nothing here is called '" + options_.wanted[i] + "'",
                  "ask by the names of this set; `*` stands for any characters");
    }
    for (const NamedTensor& entry : file_.tensors) {
      if (unknown_.contains(entry.name)) report_.unused.push_back(entry.name);
    }
    if (report_.loaded.empty()) {
      throw IoError(path_, "nothing of it fits: " + reasons(),
                    "give what the file calls a tensor and what it is here in TransferOptions::"
                    "rename");
    }
    put();
    return std::move(report_);
  }

 private:
  struct There {
    const NamedTensor* entry;
    bool is_buffer;
  };
  struct Planned {
    Parameter* parameter;
    Buffer* buffer;
    Tensor value;  ///< dense
  };

  /// Brings the file's tensors under the names that they have here.
  void name_file() {
    const std::set<std::string> state = detail::named_by(file_, detail::kState);
    const std::set<std::string> buffers = detail::named_by(file_, detail::kBuffers);
    tells_buffers_ = !buffers.empty();
    std::vector<bool> fitted(options_.rename.size());
    for (const NamedTensor& entry : file_.tensors) {
      if (state.contains(entry.name)) continue;
      std::string name = entry.name;
      for (std::size_t i = 0; i < options_.rename.size(); ++i) {
        if (auto to = detail::renamed_by(options_.rename[i], name)) {
          name = std::move(*to);
          fitted[i] = true;
          break;
        }
      }
      if (!there_.try_emplace(name, There{&entry, buffers.contains(entry.name)}).second) {
        throw IoError(path_, "'" + name + "' comes twice once names are changed",
                      "mend the table of names");
      }
      names_.push_back(name);
      if (set_.find(name) == nullptr && set_.find_buffer(name) == nullptr) {
        strangers_.push_back(name);
      }
      unknown_.insert(entry.name);
    }
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      if (fitted[i]) continue;
      throw IoError(path_, "has nothing called '" + options_.rename[i].first + "' to rename",
                    "it has " + detail::some_of(names_));
    }
  }

  bool is_wanted(const std::string& name) {
    bool wanted = false;
    for (std::size_t i = 0; i < options_.wanted.size(); ++i) {
      if (!name_fits(name, options_.wanted[i])) continue;
      used_[i] = true;
      wanted = true;
    }
    return wanted;
  }

  void look_at(const std::string& name, const Tensor& value, std::string initial,
               Parameter* parameter, Buffer* buffer) {
    const bool is_buffer = buffer != nullptr;
    const auto skip = [&](TransferSkip reason, std::string words = {}) {
      report_.skipped.push_back({name, reason, std::move(words), std::move(initial), is_buffer});
    };
    const bool wanted = is_wanted(name);
    const auto found = there_.find(name);
    if (found != there_.end()) unknown_.erase(found->second.entry->name);
    if (!wanted) return skip(TransferSkip::kNotWanted);
    if (found == there_.end()) {
      const std::string close = closest(name, strangers_);
      return skip(TransferSkip::kNotInFile,
                  close.empty() ? close : "the closest there is '" + close + "'");
    }
    const auto& [entry, was_buffer] = found->second;
    // Files of other tools name no buffers: what the set has decides there.
    if (tells_buffers_ && was_buffer != is_buffer) {
      return skip(TransferSkip::kOtherKind, is_buffer ? "a parameter there, here a buffer"
                                                      : "a buffer there, here a parameter");
    }
    const Tensor& tensor = entry->tensor;
    const std::string words = to_string(tensor.dtype(), tensor.shape()) + " there, here " +
                              to_string(value.dtype(), value.shape());
    if (tensor.shape() != value.shape()) return skip(TransferSkip::kOtherShape, words);
    if (tensor.dtype() != value.dtype()) return skip(TransferSkip::kOtherDType, words);
    if (!is_buffer) report_.loaded_elements += value.element_count();
    report_.loaded.push_back({name, entry->name, to_string(value.dtype(), value.shape()), is_buffer,
                              options_.freeze && !is_buffer && parameter->trainable()});
    planned_.push_back({parameter, buffer, tensor.contiguous()});
  }

  /// Why the first few that were asked for are not loaded.
  std::string reasons() const {
    constexpr int kShown = 3;
    std::string text;
    int shown = 0;
    for (const TransferReport::Skipped& entry : report_.skipped) {
      if (entry.reason == TransferSkip::kNotWanted) continue;
      if (++shown > kShown) return text + ", …";
      text += (shown == 1 ? "'" : ", '") + printable(entry.name) + "' " +
              std::string(name_of(entry.reason));
      if (!entry.words.empty()) text += " (" + printable(entry.words) + ")";
    }
    return text;
  }

  /// All or, on an error, nothing: what can fail is done before the first value is written.
  void put() {
    BufferUpdates updates;
    std::vector<std::pair<WriteGuard, const Tensor*>> writes;
    for (const auto& [parameter, buffer, value] : planned_) {
      if (buffer != nullptr) {
        updates.add(*buffer, value.clone());
      } else {
        writes.emplace_back(WriteGuard(parameter->mutable_value(), "transfer"), &value);
      }
    }
    for (const auto& [guard, value] : writes) {
      const auto bytes = static_cast<std::size_t>(value->element_count()) * size_of(value->dtype());
      if (bytes > 0) std::memcpy(guard.data(), value->data(), bytes);
    }
    updates.commit();
    if (!options_.freeze) return;
    for (const auto& [parameter, buffer, value] : planned_) {
      if (parameter != nullptr) parameter->set_trainable(false);
    }
  }

  ParameterSet& set_;
  const SafeTensors& file_;
  const std::string& path_;
  const TransferOptions& options_;
  std::map<std::string, There> there_;  ///< by the names here
  std::vector<std::string> names_;      ///< the same, in the order of the file
  std::vector<std::string> strangers_;  ///< those of them that nothing here bears
  std::set<std::string> unknown_;       ///< the same, by the file's names
  bool tells_buffers_ = false;
  std::vector<bool> used_;  ///< patterns of `wanted` that fit something
  std::vector<Planned> planned_;
  TransferReport report_;
};

}  // namespace

std::string_view name_of(TransferSkip reason) {
  switch (reason) {
    case TransferSkip::kNotWanted:
      return "not asked for";
    case TransferSkip::kNotInFile:
      return "not in the file";
    case TransferSkip::kOtherShape:
      return "other shape";
    case TransferSkip::kOtherDType:
      return "other dtype";
    case TransferSkip::kOtherKind:
      return "other kind";
  }
  return "";
}

std::vector<std::string> TransferReport::left() const {
  std::vector<std::string> names;
  for (const Skipped& entry : skipped) {
    if (!entry.is_buffer) names.push_back(entry.name);
  }
  return names;
}

std::string TransferReport::str() const {
  std::string text = "loaded " + std::to_string(loaded.size()) + ", skipped " +
                     std::to_string(skipped.size()) + ", unused " + std::to_string(unused.size()) +
                     "; " + std::to_string(loaded_elements) + " of " + std::to_string(elements) +
                     " parameter elements";
  for (const Loaded& entry : loaded) {
    text += "\nloaded " + printable(entry.name) + ": " + entry.what;
    if (entry.from != entry.name) text += " from " + printable(entry.from);
    if (entry.is_buffer) text += ", a buffer";
    if (entry.frozen) text += ", frozen";
  }
  for (const Skipped& entry : skipped) {
    text += "\nskipped " + printable(entry.name) + ": " + std::string(name_of(entry.reason));
    if (!entry.words.empty()) text += " (" + printable(entry.words) + ")";
    text += "; stays " + (entry.is_buffer         ? std::string("as it was, a buffer")
                          : entry.initial.empty() ? std::string("as it was")
                                                  : entry.initial);
  }
  for (const std::string& name : unused) text += "\nunused " + printable(name);
  return text;
}

TransferReport transfer(ParameterSet& parameters, const std::string& path,
                        const TransferOptions& options, std::source_location where) {
  const wengert::detail::CallSite site(where);
  return transfer(parameters, read_safetensors(path), path, options, where);
}

TransferReport transfer(ParameterSet& parameters, const SafeTensors& file, const std::string& path,
                        const TransferOptions& options, std::source_location where) {
  const wengert::detail::CallSite site(where);
  return Transfer(parameters, file, path, options).run();
}

}  // namespace wengert::io
