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
    {"io", {"graph"}},
    {"ops", {"graph"}},
    {"autodiff", {"graph", "ops"}},
    {"nn", {"graph", "io", "ops", "autodiff"}},
    {"optim", {"graph", "io", "ops", "autodiff", "nn"}},
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

/// What is wrong with one include of one file, or nothing.
std::string fault(const Source& source, const std::string& include) {
  const std::string room = room_of(include);
  if (room == source.room) return {};
  if (room.empty()) {
    const bool relative = include.starts_with("..") || include.find("./") != std::string::npos ||
                          kBelow.contains(include.substr(0, include.find('/')));
    return relative ? "write wengert/room/file.h" : "";
  }
  // What only the tests' part of op files includes belongs to the testing library.
  const bool for_tests = source.path.ends_with("_tests.h");
  const std::set<std::string>& below = kBelow.at(for_tests ? "testing" : source.room);
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
  EXPECT_NE(fault({"ops/calls.cc", "ops", ""}, "wengert/io/file.h"), "");
  const Source odd{"graph/a.h", "graph", "  #  include <a/b.h>\n// include \"no.h\"\n#include\t\"c.h\"\n"};
  EXPECT_EQ(odd.includes(), (std::vector<std::string>{"a/b.h", "c.h"}));
}

TEST(Layering, KernelsKnowNoVarsAndNoTapes) {
  const std::set<std::string> allowed = {
      "wengert/graph/api.h",   "wengert/graph/dtype.h",  "wengert/graph/elementwise_kernels.h",
      "wengert/graph/error.h", "wengert/graph/shape.h", "wengert/graph/tensor_view.h"};
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

std::vector<Source> public_headers() {
  std::vector<Source> result;
  for (Source& source : sources(rooms())) {
    if (source.is_header() && !is_private(source)) result.push_back(std::move(source));
  }
  return result;
}

TEST(PublicHeaders, IncludeTheStandardLibraryAndEachOther) {
  const std::set<std::string> heavy = {"functional", "iostream", "regex", "fstream", "sstream",
                                       "filesystem", "thread",   "future"};
  std::set<std::string> private_headers;
  for (const Source& source : sources(rooms())) {
    if (source.is_header() && is_private(source)) private_headers.insert("wengert/" + source.path);
  }
  EXPECT_GT(private_headers.size(), 3u);
  for (const Source& source : public_headers()) {
    // The trainer takes callbacks and models as functions of the user's; wengert.h does without it.
    const bool for_tests = source.room == "testing" || source.path == "ops/testing.h" ||
                           source.path == "optim/trainer.h";
    for (const std::string& include : source.includes()) {
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

TEST(PublicHeaders, OpenWithPragmaOnce) {
  for (const Source& source : sources(rooms())) {
    if (!source.is_header()) continue;
    EXPECT_NE(source.text.find("#pragma once"), std::string::npos) << source.path;
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
