#!/usr/bin/env bash
# embedded_test.sh SOURCE BUILD CXX [configure]: uses the source tree by add_subdirectory, as a
# project with targets and options of its own does. With `configure` it only configures, which
# takes seconds; without, it builds the library a second time, without optimizing, and runs the
# examples.
source=$1 build=$2 compiler=$3 only=${4-}
. "$source/tests/packaging/common.sh"

mkdir "$folder/project"
cat >"$folder/project/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.25)
project(embedding CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_subdirectory("$source" wengert)
foreach(target wengert_program format)
  if(TARGET \${target})
    message(FATAL_ERROR "an embedded wengert defines the target \${target}")
  endif()
endforeach()
add_executable(readme "$source/examples/readme.cc")
target_link_libraries(readme PRIVATE wengert::wengert)
add_executable(user_op "$source/examples/user_op.cc")
target_link_libraries(user_op PRIVATE wengert::wengert wengert::testing)
EOF
run configure.log cmake -S "$folder/project" -B "$folder/build" -G Ninja \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_CXX_COMPILER="$compiler"
grep -q gtest "$folder/build/build.ninja" && fail "an embedded wengert builds its tests"
# Our warnings and flags are ours: the embedding project's own sources see none of them.
own=$(grep -A 4 '"directory"' "$folder/build/compile_commands.json" | grep 'readme\.cc' || true)
grep -q -- '-Werror' <<<"$own" && fail "-Werror reaches the project's own sources"
grep -q -- '-std=\(c++\|gnu++\)2' <<<"$own" || fail "C++20 does not reach the project: $own"
[ "$only" = configure ] && exit 0

run build.log cmake --build "$folder/build" --target readme user_op
expect_readme "$folder/build/readme"
expect_user_op "$folder/build/user_op"
