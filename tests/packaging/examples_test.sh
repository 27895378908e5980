#!/usr/bin/env bash
# examples_test.sh SOURCE BUILD COMPILER: the readme shows the program that is built, the examples
# keep their sizes, what the build made of them prints what it should, and what the guide shows
# compiles and runs.
source=$1 build=$2 compiler=$3
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
expect_row_op "$build/row_op"
expect_custom_gradient "$build/custom_gradient"

# Each piece of the guide is a block of its own, with what it takes for granted around it.
guide=$source/docs/guide.md
{
  sed -n '/^```cpp$/,/^```$/p' "$guide" | grep '^#include'
  cat <<'END'
#include <wengert/nn/linear.h>
#include <wengert/wengert.h>
using namespace wengert;
struct Batch { Tensor inputs, labels; };
int main() {
  const Tensor inputs = Tensor::full({4, 3}, 0.5, DType::kFloat32);
  const Tensor targets = Tensor::zeros({4, 1});
  const std::vector<Batch> batches(2, Batch{inputs, Tensor::zeros({4}, DType::kInt64)});
  ParameterSet parameters;
  Tape tape;
  const Var loss = sum(linear(parameters, "fc", inputs, 2));
END
  sed -n '/^```cpp$/,/^```$/p' "$guide" | grep -v '^#include' | sed 's/^```cpp$/  {/; s/^```$/  }/'
  echo '}'
} >"$folder/guide.cc"
blocks=$(grep -c '^  {$' "$folder/guide.cc")
[ "$blocks" -ge 5 ] || fail "docs/guide.md shows $blocks pieces of C++, at least 5 were expected"
"$compiler" -std=c++20 -Wall -I"$build/include" "$folder/guide.cc" -o "$folder/guide" \
  -L"$build" -lwengert -Wl,-rpath,"$build" >&2 || fail "what docs/guide.md shows does not compile"
(cd "$folder" && ./guide >/dev/null) || fail "what docs/guide.md shows does not run"
[ -s "$folder/model.safetensors" ] && [ -s "$folder/graph.dot" ] ||
  fail "the program of docs/guide.md left no checkpoint or no graph"
