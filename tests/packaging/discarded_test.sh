#!/usr/bin/env bash
# discarded_test.sh SOURCE BUILD COMPILER: what does nothing unless somebody keeps it is warned
# about, each line of its own; what may be left lying is not.
source=$1 build=$2 compiler=$3
. "$source/tests/packaging/common.sh"

cat >"$folder/discarded.cc" <<'END'
#include <wengert/autodiff/checkpoint.h>
#include <wengert/wengert.h>
using namespace wengert;
void kept(ParameterSet& parameters, Var& x, RandomStream& stream) {
  tanh(x);                                    // warns
  x + x;                                      // warns
  x * 2;                                      // warns
  -x;                                         // warns
  x[0];                                       // warns
  sum(x, {0});                                // warns
  concat({x, x});                             // warns
  sort(x);                                    // warns
  split(x, 2);                                // warns
  random_normal(stream, {2});                 // warns
  variable(1.0);                              // warns
  backward(x);                                // warns
  grad(x, x);                                 // warns
  grad(x, {x, x});                            // warns
  grad(std::vector<Var>{x}, std::vector<Var>{x});  // warns
  checkpoint([](const Var& v) { return v; }, x);   // warns
  Tape();                                     // warns
  Tape{Mode::kInference};                     // warns
  NoGrad();                                   // warns
  Scope("a");                                 // warns
  Region("t", 3);                             // warns
  ParameterOverride(parameters, {{"w", x}});  // warns
  RandomLane(1);                              // warns
  x += 1;
  x /= 2;
  Tape tape;
  const NoGrad off;
  tape.name(x, "x");
  on_gradient("x", [](const Tensor&) {});
  (void)tanh(x);
}
END
"$compiler" -std=c++20 -fsyntax-only -Wall -I"$build/include" "$folder/discarded.cc" \
  2>"$folder/warnings" || { cat "$folder/warnings" >&2; fail "it does not compile"; }
grep -n '// warns' "$folder/discarded.cc" | cut -d: -f1 | sort -n >"$folder/wanted"
sed -n 's/.*discarded\.cc:\([0-9]*\):[0-9]*: warning:.*/\1/p' "$folder/warnings" | sort -nu \
  >"$folder/warned"
diff "$folder/wanted" "$folder/warned" >&2 || fail "other lines are warned about than should be"
