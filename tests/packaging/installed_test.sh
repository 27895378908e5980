#!/usr/bin/env bash
# installed_test.sh SOURCE BUILD CXX: installs the build to a folder of its own, moves it, and
# uses it by find_package and by pkg-config.
source=$1 build=$2 compiler=$3
. "$source/tests/packaging/common.sh"

run install.log cmake --install "$build" --prefix "$folder/first"
mv "$folder/first" "$folder/prefix"  # nothing in it may remember where it was installed
prefix=$folder/prefix
[ -x "$prefix/bin/wengert" ] || fail "the program is not installed"
"$prefix/bin/wengert" version | grep -q '^wengert ' || fail "the installed program does not run"
# Public headers only, and nothing that names the source tree or the build.
[ -f "$prefix/include/wengert/wengert.h" ] || fail "wengert.h is not installed"
if grep -rlF -e "$source/" -e "$build" "$prefix/include" "$prefix"/lib*/cmake \
    "$prefix"/lib*/pkgconfig; then
  fail "these installed files name the source tree"
fi

# By find_package, from copies outside the tree.
cp -r "$source/examples" "$folder/examples"
run configure.log cmake -S "$folder/examples/consumer" -B "$folder/consumer" -G Ninja \
  -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler"
run build.log cmake --build "$folder/consumer"
expect_readme "$folder/consumer/readme"
expect_user_op "$folder/consumer/user_op"
expect_row_op "$folder/consumer/row_op"
expect_custom_gradient "$folder/consumer/custom_gradient"

# By pkg-config.
pc=$(find "$prefix" -name wengert.pc)
[ -n "$pc" ] || fail "wengert.pc is not installed"
export PKG_CONFIG_PATH=${pc%/*}
run pkg-config.log pkg-config --exists --print-errors wengert
read -r -a flags <<<"$(pkg-config --cflags --libs wengert)"
run compile.log "$compiler" -O1 -Wall -Wextra -Werror "$folder/examples/readme.cc" "${flags[@]}" \
  -o "$folder/readme"
lib=$(dirname "$(find "$prefix" -name libwengert.so)")
expect_readme env LD_LIBRARY_PATH="$lib" "$folder/readme"
