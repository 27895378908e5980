#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "wengert/tests/fuzz/target.h"

// The corpus through its targets, and the table of readers held against the public headers.
namespace wengert::fuzz {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
std::string text_of(const fs::path& path) {
  const Bytes bytes = bytes_of(path);
  return {bytes.begin(), bytes.end()};
}

/// What is kept for a target, in the order of the names.
std::vector<std::pair<std::string, Bytes>> corpus(const std::string& target) {
  std::vector<std::pair<std::string, Bytes>> result;
  for (const auto& entry :
       fs::directory_iterator(fs::path(WENGERT_SOURCE_DIR) / "tests/fuzz/corpus" / target)) {
    result.emplace_back(entry.path().filename().string(), bytes_of(entry.path()));
  }
  std::sort(result.begin(), result.end());
  return result;
}

/// A fixed sequence of numbers.
class Numbers {
 public:
  std::size_t below(std::size_t limit) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state_ >> 33) % limit;
  }

 private:
  std::uint64_t state_ = 1;
};

void damage(Numbers& numbers, Bytes& bytes) {
  if (bytes.empty()) bytes.push_back(0);
  const std::size_t at = numbers.below(bytes.size());
  switch (numbers.below(4)) {
    case 0:
      bytes[at] = static_cast<std::uint8_t>(numbers.below(256));
      break;
    case 1:
      bytes.resize(at);
      break;
    case 2:
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   static_cast<std::uint8_t>(numbers.below(256)));
      break;
    default:
      bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

class Corpus : public ::testing::TestWithParam<std::size_t> {
 protected:
  Target target() const { return targets()[GetParam()]; }
  /// Whether the target came through.
  ::testing::AssertionResult holds(const Bytes& bytes) const {
    try {
      target().run(Input(bytes));
    } catch (const std::exception& error) {
      return ::testing::AssertionFailure() << error.what();
    }
    return ::testing::AssertionSuccess();
  }
};

TEST_P(Corpus, IsSurvived) {
  const auto kept = corpus(target().name);
  ASSERT_GE(kept.size(), 3u);
  int accepted = 0;
  for (const auto& [name, bytes] : kept) {
    EXPECT_LE(bytes.size(), 8192u) << name;
    EXPECT_TRUE(holds(bytes)) << target().name << "/" << name;
    accepted += was_accepted();
  }
  EXPECT_GE(accepted, 2) << "of " << kept.size() << ": nothing behind the first checks is tried";
}

TEST_P(Corpus, IsSurvivedDamaged) {
  const auto kept = corpus(target().name);
  ASSERT_FALSE(kept.empty());
  Numbers numbers;
  for (int i = 0; i < 300; ++i) {
    const auto& [name, whole] = kept[numbers.below(kept.size())];
    Bytes bytes = whole;
    for (std::size_t n = 1 + numbers.below(3); n > 0; --n) damage(numbers, bytes);
    ASSERT_TRUE(holds(bytes)) << target().name << "/" << name << ", damage " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, ::testing::Range(std::size_t{0}, targets().size()),
                         [](const auto& info) { return std::string(targets()[info.param].name); });

struct Reader {
  std::string header, function, target;
};
const std::vector<Reader>& readers() {
  static const std::vector<Reader> kReaders = {
#define READER(header, function, target) {header, function, #target},
#include "wengert/tests/fuzz/readers.def"
#undef READER
  };
  return kReaders;
}

TEST(Readers, HaveTargets) {
  for (const Reader& reader : readers()) {
    EXPECT_NE(find_target(reader.target), nullptr)
        << reader.function << " of " << reader.header << " has no target " << reader.target;
    EXPECT_NE(text_of(fs::path(WENGERT_SOURCE_DIR) / reader.header).find(reader.function),
              std::string::npos)
        << reader.header << " declares no " << reader.function;
  }
}

/// Functions of a header that are told a path or a folder to read from, by name.
std::set<std::string> reading_functions(const std::string& text) {
  const std::regex call(R"((\w+)\s*\([^()]*std::string&?\s+(path|folder)\b)");
  // These write, or only name a file in a message.
  const std::regex other("write_.*|save|save_.*|AtomicFile|check_writable_.*|IoError|.*Lock");
  std::set<std::string> names;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), call); it != std::sregex_iterator();
       ++it) {
    const std::string name = (*it)[1];
    if (!std::regex_match(name, other)) names.insert(name);
  }
  return names;
}

TEST(Readers, AllStandInTheTable) {
  std::set<std::string> listed;
  for (const Reader& reader : readers()) listed.insert(reader.header + ":" + reader.function);
  int found = 0;
  for (const char* room : {"graph", "io", "ops", "autodiff", "nn", "optim"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(WENGERT_SOURCE_DIR) / room)) {
      if (entry.path().extension() != ".h") continue;
      const std::string text = text_of(entry.path());
      if (text.find("Private to the library") != std::string::npos) continue;
      const std::string header = fs::relative(entry.path(), WENGERT_SOURCE_DIR).string();
      for (const std::string& name : reading_functions(text)) {
        ++found;
        EXPECT_TRUE(listed.contains(header + ":" + name))
            << name << " of " << header << " reads a file and has no line in readers.def";
      }
    }
  }
  EXPECT_GE(found, 8);
}

TEST(Readers, AreRecognized) {
  EXPECT_EQ(reading_functions("Tensor read_new(const std::string& path, int x);"),
            std::set<std::string>{"read_new"});
  EXPECT_EQ(reading_functions("void write_new(const std::string& path);"), std::set<std::string>{});
}

}  // namespace
}  // namespace wengert::fuzz
