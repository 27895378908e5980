#pragma once

#include <gtest/gtest.h>

#include <string>

#include "wengert/graph/error.h"

/// Passes when the statement throws wengert::Error of this kind with exactly this message.
#define EXPECT_ERROR(statement, expected_kind, expected_message)                    \
  do {                                                                              \
    try {                                                                           \
      (void)(statement);                                                            \
      ADD_FAILURE() << #statement " was accepted";                                  \
    } catch (const ::wengert::Error& error) {                                       \
      EXPECT_EQ(error.kind(), ::wengert::ErrorKind::expected_kind) << error.what(); \
      EXPECT_EQ(error.message(), std::string(expected_message)) << error.what();    \
    }                                                                               \
  } while (false)

namespace wengert {

/// Passes when `body` throws Error of this kind whose message and fix hold `words`.
template <class Body>
void expect_error(ErrorKind kind, const std::string& words, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE((error.message() + "; " + error.fix()).find(words), std::string::npos)
        << error.what();
  }
}

}  // namespace wengert
