#include "wengert/graph/text.h"

#include <gtest/gtest.h>

#include "wengert/graph/error.h"

namespace wengert {
namespace {

TEST(Closest, IsTheWordOfFewestSlips) {
  const std::vector<std::string> ops = {"tan", "tanh", "atan", "matmul", "softmax", "log_softmax"};
  EXPECT_EQ(closest("tahn", ops), "tanh");  // two letters swapped, not one too many
  EXPECT_EQ(closest("mtamul", ops), "matmul");
  EXPECT_EQ(closest("softmx", ops), "softmax");
  EXPECT_EQ(closest("logsoftmax", ops), "log_softmax");
  EXPECT_EQ(closest("tan", ops), "tan");
  EXPECT_EQ(closest("zzzzzz", ops), "");
  EXPECT_EQ(closest("", {}), "");
}

TEST(FormatNumber, IsShort) {
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(-1.0 / 0.0), "-inf");
  EXPECT_EQ(format_number(1.0 / 3, 2), "0.33");
}

TEST(FixedNumber, HasAsManyDigits) {
  EXPECT_EQ(fixed_number(0.5, 2), "0.50");
  EXPECT_EQ(fixed_number(1234567.5, 0), "1234568");
  EXPECT_EQ(fixed_number(-2.25, 1), "-2.2");
  EXPECT_EQ(fixed_number(-0.0 / 0.0, 3), "nan");
  EXPECT_EQ(fixed_number(1e308, 3).size(), 313u);
  EXPECT_EQ(fixed_number(-1.7e308, 1000).size(), 371u) << "at most 60 digits";
}

TEST(ProgressBar, ShowsTheShare) {
  EXPECT_EQ(progress_bar(0.334), "████████░░░░░░░░░░░░░░░░  33 %");
  EXPECT_EQ(progress_bar(2), "████████████████████████ 100 %");
  EXPECT_EQ(progress_bar(-1), "░░░░░░░░░░░░░░░░░░░░░░░░   0 %");
}

TEST(Printable, LeavesTextAndEscapesWhatATerminalObeys) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain ~ text", "plain ~ text"},
      {"λ 漢 🙂 é", "λ 漢 🙂 é"},
      {"a\x1b[31mb", "a\\x1b[31mb"},
      {"a\r\nb\tc", "a\\x0d\\x0ab\\x09c"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x7f", "\\u007f"},
      {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\u0080\\u009b\\u009f\xc2\xa0"},
      {"\x9b", "\\x9b"},  // C1 of Latin-1
      {"a\xff\xc0\xafz", "a\\xff\\xc0\\xafz"},
      {"\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066"},  // bidirectional
      {"\xd8\x9c\xe2\x80\x8f\xe2\x80\xa9", "\\u061c\\u200f\\u2029"},
      {"\xe2\x82", "\\xe2\\x82"},           // cut off
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
  };
  for (const auto& [text, shown] : cases) {
    EXPECT_EQ(printable(text), shown);
    EXPECT_EQ(printable(shown), shown);
  }
  // Of all single bytes and all code points of two bytes, nothing that is left is a control.
  for (int high = 0; high < 256; ++high) {
    for (int low = 0; low < 256; ++low) {
      const std::string text = {static_cast<char>(high), static_cast<char>(low)};
      for (const char c : printable(text)) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
      EXPECT_EQ(printable(text).find("\xc2\x85"), std::string::npos);
    }
  }
}

TEST(Printable, ErrorsAreInAllTheirParts) {
  const std::string evil = "\x1b]0;title\x07\n\xff";
  const Error error({.kind = ErrorKind::kValue,
                     .op = evil,
                     .message = evil,
                     .scope = evil,
                     .file = evil,
                     .line = 3,
                     .fix = evil});
  const std::string shown = printable(evil);
  for (const std::string& part :
       {error.op(), error.message(), error.scope(), error.file(), error.fix()}) {
    EXPECT_EQ(part, shown);
  }
  EXPECT_EQ(printable(error.what()), error.what());
  const IoError io(evil, evil, evil);
  EXPECT_EQ(io.path(), evil) << "a program may need the path itself";
  EXPECT_EQ(io.message(), shown + ": " + shown);
  EXPECT_EQ(printable(io.what()), io.what());
}

TEST(Printable, ErrorsAreNotAsLongAsAFile) {
  std::string name;
  for (int i = 0; i < 100'000; ++i) name += "漢";
  const Error error(ErrorKind::kValue, "op", "begins " + name + " ends", name);
  EXPECT_LT(error.message().size(), 10'000u);
  EXPECT_LT(std::string(error.what()).size(), 20'000u);
  EXPECT_TRUE(error.message().starts_with("begins 漢漢"));
  EXPECT_TRUE(error.message().ends_with("漢漢 ends"));
  EXPECT_EQ(error.message().find("\\x"), std::string::npos) << "a character was cut";
  const Error idempotent(ErrorKind::kValue, "op", error.message());
  EXPECT_EQ(idempotent.message(), error.message());
}

TEST(Text, Lines) {
  EXPECT_TRUE(lines_of("").empty());
  EXPECT_EQ(lines_of("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(lines_of("a\n\nb\n"), (std::vector<std::string>{"a", "", "b"}));
}

}  // namespace
}  // namespace wengert
