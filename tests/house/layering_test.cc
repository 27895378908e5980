#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/house/sources.h"

// Dependencies point down only, public headers are light, and folders say what they are for.
namespace wengert::house {
namespace {

/// What each room may include beside itself.
const std::map<std::string, std::set<std::string>> kBelow = {
    {"graph", {}},
    {"plot", {"graph"}},
    {"io", {"graph"}},
    {"ops", {"graph"}},
    {"autodiff", {"graph", "ops"}},
    {"nn", {"graph", "io", "ops", "autodiff"}},
    {"optim", {"graph", "plot", "io", "ops", "autodiff", "nn"}},
    {"testing", {"graph", "ops", "autodiff"}},
};

std::vector<std::string> rooms() {
  std::vector<std::string> names;
  for (const auto& [room, below] : kBelow) names.push_back(room);
  return names;
}

/// "graph" of "wengert/graph/tape.h", empty for what is not ours.
std::string room_of(const std::string& include) {
  constexpr std::string_view kOurs = "wengert/";
  if (!include.starts_with(kOurs)) return {};
  const std::size_t slash = include.find('/', kOurs.size());
  if (slash == std::string::npos) return "wengert.h";
  return include.substr(kOurs.size(), slash - kOurs.size());
}

/// Helpers of the tests' part of op files: they belong to the testing library.
bool is_for_tests(const Source& source) {
  return source.room == "testing" || source.path == "ops/testing.h" ||
         source.path == "optim/testing.h" || source.path.ends_with("_tests.h");
}

/// What is wrong with one include of one file, or nothing.
std::string fault(const Source& source, const std::string& include) {
  const std::string room = room_of(include);
  if (room == source.room || (room == "autodiff" && is_for_tests(source))) return {};
  if (room.empty()) {
    const bool relative = include.starts_with("..") || include.find("./") != std::string::npos ||
                          kBelow.contains(include.substr(0, include.find('/')));
    return relative ? "write wengert/room/file.h" : "";
  }
  const std::set<std::string>& below = kBelow.at(source.room);
  return below.contains(room) ? "" : source.room + " may not know " + room;
}

TEST(Layering, IncludesPointDownOnly) {
  int seen = 0;
  for (const Source& source : sources(rooms())) {
    for (const std::string& include : source.includes()) {
      seen += !room_of(include).empty();
      const std::string problem = fault(source, include);
      EXPECT_TRUE(problem.empty()) << source.path << " includes " << include << ": " << problem;
    }
  }
  EXPECT_GT(seen, 300);
}

TEST(Layering, TheCheckFindsWhatItLooksFor) {
  const Source low{"graph/tape.cc", "graph", ""};
  EXPECT_NE(fault(low, "wengert/ops/ops.h"), "");
  EXPECT_NE(fault(low, "wengert/wengert.h"), "");
  EXPECT_NE(fault(low, "../ops/ops.h"), "");
  EXPECT_NE(fault(low, "ops/ops.h"), "");
  EXPECT_EQ(fault(low, "wengert/graph/var.h"), "");
  EXPECT_EQ(fault(low, "absl/strings/str_cat.h"), "");
  EXPECT_NE(fault({"io/csv.cc", "io", ""}, "wengert/ops/ops.h"), "");
  EXPECT_NE(fault({"plot/figure.cc", "plot", ""}, "wengert/io/file.h"), "");
  EXPECT_NE(fault({"ops/calls.cc", "ops", ""}, "wengert/io/file.h"), "");
  const Source odd{"graph/a.h", "graph",
                   "  #  include <a/b.h>\n// include \"no.h\"\n#include\t\"c.h\"\n"};
  EXPECT_EQ(odd.includes(), (std::vector<std::string>{"a/b.h", "c.h"}));
}

TEST(Layering, KernelsKnowNoVarsAndNoTapes) {
  const std::set<std::string> allowed = {"wengert/graph/api.h",
                                         "wengert/graph/dtype.h",
                                         "wengert/graph/elementwise_kernels.h",
                                         "wengert/graph/error.h",
                                         "wengert/graph/kept_by_thread.h",
                                         "wengert/graph/not_cancelled.h",
                                         "wengert/graph/shape.h",
                                         "wengert/graph/tensor_view.h"};
  for (const Source& source : sources({"ops"})) {
    if (!source.path.starts_with("ops/kernels/")) continue;
    for (const std::string& include : source.includes()) {
      if (room_of(include).empty() || include.starts_with("wengert/ops/kernels/")) continue;
      EXPECT_TRUE(allowed.contains(include)) << source.path << " includes " << include;
    }
  }
}

bool is_private(const Source& source) {
  return source.text.find("Private to the library") != std::string::npos;
}

/// The folders whose headers are installed, as cmake/install.cmake names them.
std::set<std::string> installed_folders() {
  std::ifstream file(WENGERT_SOURCE_DIR "/cmake/install.cmake");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const std::string start = "set(public_rooms ";
  const std::size_t from = all.find(start);
  if (from == std::string::npos) return {};
  std::istringstream words(
      all.substr(from + start.size(), all.find(')', from) - from - start.size()));
  std::set<std::string> result;
  for (std::string word; words >> word;) result.insert(word);
  return result;
}

std::vector<Source> public_headers() {
  const std::set<std::string> folders = installed_folders();
  std::vector<Source> result;
  for (Source& source : sources(rooms())) {
    const std::string folder = std::filesystem::path(source.path).parent_path().string();
    if (source.is_header() && !is_private(source) && folders.contains(folder)) {
      result.push_back(std::move(source));
    }
  }
  return result;
}

/// What breaks a rule, and why it may.
const std::set<std::pair<std::string, std::string>> kExceptions = {
    // Only the library's own build takes the branch that includes it.
    {"ops/elementwise/formula.h", "wengert/ops/elementwise/levels.h"},
    // A model is the caller's lambda, and so is what a search or a cross-validation calls.
    {"optim/training/step.h", "functional"},
    {"optim/training/search.h", "functional"},
    {"optim/training/cross_validation.h", "functional"},
};

TEST(PublicHeaders, IncludeTheStandardLibraryAndEachOther) {
  const std::set<std::string> heavy = {"functional", "iostream",   "regex",  "fstream",
                                       "sstream",    "filesystem", "thread", "future"};
  std::set<std::string> private_headers;
  for (const Source& source : sources(rooms())) {
    if (source.is_header() && is_private(source)) private_headers.insert("wengert/" + source.path);
  }
  EXPECT_GT(private_headers.size(), 3u);
  EXPECT_GT(public_headers().size(), 30u);
  for (const Source& source : public_headers()) {
    const bool for_tests = is_for_tests(source);
    for (const std::string& include : source.includes()) {
      if (kExceptions.contains({source.path, include})) continue;
      const std::string where = source.path + " includes " + include;
      EXPECT_FALSE(private_headers.contains(include)) << where << ", which is not installed";
      if (for_tests) continue;
      const bool ours = !room_of(include).empty();
      const bool standard = include.find('/') == std::string::npos && !include.ends_with(".h");
      const bool vectors = include == "immintrin.h" || include == "xmmintrin.h";
      EXPECT_TRUE(ours || standard) << where << (vectors ? ": SIMD belongs into kernels" : "");
      EXPECT_FALSE(heavy.contains(include)) << where << ", which is slow to compile";
    }
  }
}

TEST(Headers, AreGuarded) {
  for (const Source& source : sources(rooms())) {
    if (!source.is_header()) continue;
    const bool guarded = source.text.find("#pragma once") != std::string::npos ||
                         source.text.find("#ifndef WENGERT_") != std::string::npos;
    EXPECT_TRUE(guarded) << source.path;
  }
}

TEST(Folders, SayWhatTheyAreFor) {
  namespace fs = std::filesystem;
  std::set<fs::path> folders;
  for (const Source& source : sources(rooms())) {
    folders.insert(fs::path(source.path).parent_path());
  }
  for (const fs::path& folder : folders) {
    std::ifstream readme(fs::path(WENGERT_SOURCE_DIR) / folder / "README.md");
    ASSERT_TRUE(readme.is_open()) << folder << " has no README.md";
    int lines = 0;
    for (std::string line; std::getline(readme, line);) ++lines;
    EXPECT_LE(lines, 15) << folder << "/README.md";
  }
}

}  // namespace
}  // namespace wengert::house
