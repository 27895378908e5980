#!/usr/bin/env bash
# embedded_test.sh SOURCE BUILD CXX: uses the source tree by add_subdirectory, as a project with
# targets and options of its own does. What is compiled there is the same as in BUILD, file by file;
# one file of each part of the library is, unoptimized, and the examples, which run with BUILD's.
source=$1 build=$2 compiler=$3
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

# The same sources make up the library and its testing library.
compiled() { grep -o '"command": .* -o [^ ]*CMakeFiles/wengert[^ ]*\.o ' "$1/compile_commands.json" |
  sed 's/.* -o //; s#^wengert/##' | grep -v '^tools/\|cmake_pch' | sort; }
compiled "$build" >"$folder/whole"
compiled "$folder/build" >"$folder/embedded"
[ -s "$folder/embedded" ] || fail "nothing of the library is compiled"
diff "$folder/whole" "$folder/embedded" >&2 || fail "the library is of other files when embedded"

objects=$(sed 's#\(.*CMakeFiles/[^/]*\)/.*#\1#' "$folder/embedded" | uniq | while read -r part; do
  grep -m 1 "^$part/" "$folder/embedded" | sed 's#^#wengert/#'; done)
own_objects="CMakeFiles/readme.dir$source/examples/readme.cc.o CMakeFiles/user_op.dir$source/examples/user_op.cc.o"
run build.log cmake --build "$folder/build" --target $objects $own_objects
for example in readme user_op; do
  run "link_$example.log" "$compiler" -o "$folder/$example" \
    "$folder/build/CMakeFiles/$example.dir$source/examples/$example.cc.o" \
    "$build/libwengert_testing.a" "$build/libwengert.so" -Wl,-rpath,"$build"
done
expect_readme "$folder/readme"
expect_user_op "$folder/user_op"
