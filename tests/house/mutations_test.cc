#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// The table of tools/mutate: a mistake whose text no longer stands in the source is planted
// nowhere, and nobody would notice that nothing looks for it any more.
namespace wengert::house {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

struct Mutation {
  std::string id, file, find, replace, tests, note;
};

std::vector<Mutation> table() {
  const std::string separator = "¦";
  std::vector<Mutation> result;
  std::ifstream file(WENGERT_SOURCE_DIR "/tools/mutations.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(separator, begin), line.size());
      fields.push_back(trimmed(line.substr(begin, end - begin)));
      begin = end + separator.size();
    }
    EXPECT_EQ(fields.size(), 6u) << line;
    fields.resize(6);
    result.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]});
  }
  return result;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(Mutations, StandInTheSourceExactlyOnce) {
  std::set<std::string> ids;
  for (const Mutation& mutation : table()) {
    EXPECT_TRUE(ids.insert(mutation.id).second) << mutation.id << " stands twice";
    EXPECT_EQ(mutation.id.find(' '), std::string::npos) << mutation.id;
    EXPECT_FALSE(mutation.note.empty()) << mutation.id;
    EXPECT_FALSE(mutation.find.empty()) << mutation.id;
    EXPECT_NE(mutation.find, mutation.replace) << mutation.id;
    EXPECT_EQ(occurrences(text_of(fs::path(WENGERT_SOURCE_DIR) / mutation.file), mutation.find), 1u)
        << mutation.id << ": bring tools/mutations.txt up to date with " << mutation.file << ": "
        << mutation.find;
  }
  EXPECT_GE(ids.size(), 80u);
}

TEST(Mutations, NameTestsThatExist) {
  for (const Mutation& mutation : table()) {
    EXPECT_FALSE(mutation.tests.empty()) << mutation.id;
    std::istringstream words(mutation.tests);
    for (std::string word; words >> word;) {
      const std::string suite = word.substr(0, word.find(':'));
      EXPECT_TRUE(fs::is_directory(fs::path(WENGERT_SOURCE_DIR) / "tests" / suite))
          << mutation.id << " names " << suite;
    }
  }
}

/// Folders whose mistakes count: all that the library is made of.
std::set<std::string> folders_with_code() {
  std::set<std::string> result;
  for (const char* room : {"graph", "plot", "io", "ops", "autodiff", "nn", "optim"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(WENGERT_SOURCE_DIR) / room)) {
      if (entry.path().extension() != ".cc") continue;
      result.insert(fs::relative(entry.path().parent_path(), WENGERT_SOURCE_DIR).string());
    }
  }
  return result;
}

TEST(Mutations, AreInEveryFolderOfTheLibrary) {
  std::set<std::string> folders;
  for (const Mutation& mutation : table()) {
    folders.insert(fs::path(mutation.file).parent_path().string());
  }
  const std::set<std::string> wanted = folders_with_code();
  EXPECT_GT(wanted.size(), 15u);
  for (const std::string& folder : wanted) {
    EXPECT_TRUE(folders.contains(folder)) << "no mistake of tools/mutations.txt is in " << folder;
  }
}

}  // namespace
}  // namespace wengert::house
