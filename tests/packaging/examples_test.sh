#!/usr/bin/env bash
# examples_test.sh SOURCE BUILD: the readme shows the program that is built, the examples keep
# their sizes, and what the build made of them prints what it should.
source=$1 build=$2
. "$source/tests/packaging/common.sh"

sed -n '/^```cpp$/,/^```$/p' "$source/README.md" | sed '1d;$d' >"$folder/shown.cc"
diff -u "$source/examples/readme.cc" "$folder/shown.cc" >&2 ||
  fail "the program in README.md is not examples/readme.cc"
lines=$(grep -c . "$source/examples/readme.cc")
[ "$lines" -le 20 ] || fail "examples/readme.cc has $lines lines, at most 20 are promised"
lines=$(grep -c . "$source/examples/user_op.cc")
[ "$lines" -le 40 ] || fail "examples/user_op.cc has $lines lines, at most 40 are promised"
expect_readme "$build/readme_program"
expect_user_op "$build/user_op"
