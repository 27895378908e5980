#!/usr/bin/env bash
# loaded_test.sh SOURCE BUILD CXX: a program that is not linked with the library opens it by dlopen,
# uses it on its threads and closes it, fifty times; ten copies of it at once; and two of them
# computing side by side, in a child of a fork, and at exit.
source=$1 build=$2 compiler=$3
. "$source/tests/packaging/common.sh"

loaded=$source/tests/packaging/loaded
flags=(-std=c++20 -O1 -Wall -Wextra -Werror -fPIC)
mkdir "$folder/other"
# A second library is one of another name, which stands in it once.
sed 's/libwengert\.so\.0/libwengerX.so.0/g' "$build/libwengert.so" >"$folder/other/libwengerX.so.0"
run plugin.log "$compiler" "${flags[@]}" -shared -I"$build/include" "$loaded/plugin.cc" \
  "$build/libwengert.so" -Wl,-rpath,"$build" -o "$folder/plugin.so"
run other.log "$compiler" "${flags[@]}" -shared -I"$build/include" "$loaded/plugin.cc" \
  "$folder/other/libwengerX.so.0" -Wl,-rpath,"$folder/other" -o "$folder/other.so"
run host.log "$compiler" "${flags[@]}" "$loaded/host.cc" -ldl -pthread -o "$folder/host"
copies=()
for i in 1 2 3 4 5 6 7 8 9 10; do
  cp "$build/libwengert.so" "$folder/copy$i.so"
  copies+=("$folder/copy$i.so")
done
out=$("$folder/host" "$folder/plugin.so" "$folder/other.so" "${copies[@]}") ||
  fail "the host ended with status $?"
[ "$out" = loaded ] || fail "the host says: $out"
