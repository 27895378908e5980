#include <gtest/gtest.h>

#include <regex>

#include "tests/house/sources.h"

// Numbers are read and written by <charconv>: what the C library and streams do with them depends
// on the locale that the program around us has set.
namespace wengert::house {
namespace {

/// The calls in a text that obey the locale: printf of fractions, strtod and its like.
std::vector<std::string> obeying(const std::string& text) {
  static const std::regex calls(
      "\\b(strtod|strtof|strtold|atof|stod|stof|stold|sscanf|stringstream|istringstream|"
      "ostringstream|setprecision|setlocale|imbue)\\b");
  static const std::regex fractions("%[-+#0']*[0-9*]*(\\.[0-9*]*)?[lL]?[aAeEfFgG]\\b");
  std::vector<std::string> found;
  for (const std::regex* form : {&calls, &fractions}) {
    for (std::sregex_iterator at(text.begin(), text.end(), *form), end; at != end; ++at) {
      found.push_back(at->str());
    }
  }
  return found;
}

TEST(Locale, NothingThatObeysItReadsOrWritesNumbers) {
  int seen = 0;
  for (const Source& source :
       sources({"graph", "plot", "io", "ops", "autodiff", "nn", "optim", "testing", "tools"})) {
    if (source.path.starts_with("tools/peers/")) continue;
    ++seen;
    for (const std::string& call : obeying(source.text)) {
      ADD_FAILURE() << source.path << " has " << call << ": use format_number or std::from_chars";
    }
  }
  EXPECT_GT(seen, 250);
}

TEST(Locale, TheCheckFindsWhatItLooksFor) {
  for (const char* text :
       {"printf(\"%f\", x)", "snprintf(s, n, \"%-8.*g|\", 3, x)", "\"%.2Lf\"", "\" %5.1f %%\"",
        "std::strtod(p, &e)", "std::stod(s)", "atof(s)", "std::ostringstream out;", "\"%a\""}) {
    EXPECT_EQ(obeying(text).size(), 1u) << text;
  }
  for (const char* text : {"\"%d %s %zu %lld %%\"", "71 % of all", "a % f_value", "from_chars(a)",
                           "\"%.*s\"", "to_chars"}) {
    EXPECT_TRUE(obeying(text).empty()) << text;
  }
}

}  // namespace
}  // namespace wengert::house
