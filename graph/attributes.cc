#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

namespace wengert {
namespace {

using Given =
    std::variant<std::int64_t, double, bool, std::string_view, std::span<const std::int64_t>>;

std::string describe(const Given& given) {
  struct Describe {
    std::string operator()(std::int64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return format_number(x); }
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(std::string_view x) const { return "'" + std::string(x) + "'"; }
    std::string operator()(std::span<const std::int64_t> x) const { return to_string(x); }
  };
  return std::visit(Describe{}, given);
}

/// Writes one attribute; the others pass by.
class Writer final : public AttributeWriter {
 public:
  Writer(const OpDef& op, std::string_view name, const Given& given)
      : op_(op), name_(name), given_(given) {}

  void operator()(const char* name, std::int64_t& value) override {
    if (!is(name)) return;
    if (const auto* real = std::get_if<double>(&given_);
        real != nullptr && std::trunc(*real) == *real && std::fabs(*real) < 0x1p63) {
      value = static_cast<std::int64_t>(*real);
    } else {
      value = get<std::int64_t>("a whole number");
    }
  }
  void operator()(const char* name, double& value) override {
    if (!is(name)) return;
    const auto* whole = std::get_if<std::int64_t>(&given_);
    value = whole != nullptr ? static_cast<double>(*whole) : get<double>("a number");
  }
  void operator()(const char* name, ExactNumber& value) override {
    if (!is(name)) return;
    const auto* whole = std::get_if<std::int64_t>(&given_);
    value = whole != nullptr ? ExactNumber(*whole) : ExactNumber(get<double>("a number"));
  }
  void operator()(const char* name, bool& value) override {
    if (is(name)) value = get<bool>("true or false");
  }
  void operator()(const char* name, std::string_view& value) override {
    if (is(name)) value = get<std::string_view>("a word");
  }
  void operator()(const char* name, std::span<const std::int64_t>& value) override {
    if (is(name)) value = get<std::span<const std::int64_t>>("a list of whole numbers");
  }
  void operator()(const char* name, Dims& value) override {
    if (is(name)) value = Dims(get<std::span<const std::int64_t>>("a list of whole numbers"));
  }
  void operator()(const char* name, DType& value) override {
    int chosen = static_cast<int>(value);
    choose(
        name, [](int i) { return i < kDTypeCount ? name_of(static_cast<DType>(i)) : "unknown"; },
        chosen);
    value = static_cast<DType>(chosen);
  }

  bool found() const { return found_; }
  const std::vector<std::string>& known() const { return known_; }

 private:
  void choose(const char* name, std::string_view (*word)(int), int& value) override {
    if (!is(name)) return;
    const auto wanted = get<std::string_view>("a word");
    std::string words;
    for (int i = 0; i < 256 && word(i) != "unknown"; ++i) {
      if (word(i) == wanted) {
        value = i;
        return;
      }
      words += (i == 0 ? "" : ", ") + std::string(word(i));
    }
    fail("'" + std::string(wanted) + "' is none of the words for '" + name_ + "'",
         "choose one of: " + words);
  }
  int narrow(const char* name, std::int64_t value) override {
    if (name_ == name &&
        (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())) {
      fail(std::to_string(value) + " is too large for '" + name_ + "'", "");
    }
    return static_cast<int>(value);
  }
  bool is(const char* name) {
    known_.emplace_back(name);
    if (name_ != name) return false;
    found_ = true;
    return true;
  }
  template <class T>
  T get(const char* wanted) {
    if (const T* value = std::get_if<T>(&given_)) return *value;
    fail("'" + name_ + "' was given " + ::wengert::describe(given_),
         std::string("it takes ") + wanted);
  }
  [[noreturn]] void fail(std::string message, std::string fix) const {
    throw Error(ErrorKind::kValue, std::string(op_.name), std::move(message), std::move(fix));
  }

  const OpDef& op_;
  std::string name_;
  const Given& given_;
  bool found_ = false;
  std::vector<std::string> known_;
};

}  // namespace

struct Attributes::Members {
  const OpDef* op;
  std::unique_ptr<std::max_align_t[]> data;
  // What words and lists point to.
  std::deque<std::string> words;
  std::deque<std::vector<std::int64_t>> lists;

  void write(std::string_view name, const Given& given) {
    if (op->attributes == nullptr) {
      throw Error(ErrorKind::kValue, std::string(op->name),
                  "has no attributes, '" + std::string(name) + "' was set");
    }
    Writer writer(*op, name, given);
    op->attributes->write(data.get(), writer);
    if (writer.found()) return;
    const std::string close = closest(name, writer.known());
    std::string all;
    for (const std::string& each : writer.known()) all += (all.empty() ? "" : ", ") + each;
    throw Error(ErrorKind::kValue, std::string(op->name),
                "has no attribute '" + std::string(name) + "'",
                close.empty() ? "it has " + all : "did you mean '" + close + "'?");
  }
};

Attributes::Attributes(const OpDef& op, std::source_location where)
    : members_(std::make_unique<Members>()) {
  const detail::CallSite site(where);
  members_->op = &op;
  if (op.attributes == nullptr) return;
  const std::size_t units =
      (op.attributes->size + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
  members_->data = std::make_unique<std::max_align_t[]>(units);
  if (op.default_attributes != nullptr) {
    __builtin_memcpy(members_->data.get(), op.default_attributes, op.attributes->size);
  } else {
    op.attributes->construct(members_->data.get());
  }
}
Attributes::~Attributes() = default;

Attributes& Attributes::set(std::string_view name, std::int64_t value) {
  members_->write(name, value);
  return *this;
}
Attributes& Attributes::set(std::string_view name, double value) {
  members_->write(name, value);
  return *this;
}
Attributes& Attributes::set(std::string_view name, bool value) {
  members_->write(name, value);
  return *this;
}
Attributes& Attributes::set(std::string_view name, std::string_view value) {
  members_->write(name, std::string_view(members_->words.emplace_back(value)));
  return *this;
}
Attributes& Attributes::set(std::string_view name, std::span<const std::int64_t> value) {
  const auto& kept = members_->lists.emplace_back(value.begin(), value.end());
  members_->write(name, std::span<const std::int64_t>(kept));
  return *this;
}

const void* Attributes::get() const { return members_->data.get(); }

}  // namespace wengert
