#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include "tests/temporary_folder.h"
#include "wengert/graph/error.h"
#include "wengert/io/system_calls.h"

namespace wengert::io {

/// Plain file access that shares no code with what is tested.
inline void put_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}
inline std::string get_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// `bytes` as one gzip member.
inline std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string result(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

/// Checks the IoError that `body` throws: it must name `path`, and hold `words` in what is wrong
/// and its fix, between which what() names the line.
template <class Body>
void expect_io_error(const std::string& path, const std::string& words, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected one with \"" << words << '"';
  } catch (const IoError& error) {
    EXPECT_EQ(error.path(), path);
    const std::string told = error.message() + "; " + error.fix();
    EXPECT_NE(told.find(words), std::string::npos) << error.what();
  }
}

/// Puts the system calls back as they were.
class RestoreSystemCalls {
 public:
  ~RestoreSystemCalls() { detail::system_calls() = saved_; }

 private:
  detail::SystemCalls saved_ = detail::system_calls();
};

}  // namespace wengert::io
