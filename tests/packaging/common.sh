# What the packaging tests share: a folder that goes away, and checks that say what they missed.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/wengert_packaging_XXXXXX")
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "packaging: $*" >&2
  exit 1
}

# run LOG COMMAND…: keeps quiet unless the command fails.
run() {
  local log=$folder/$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "failed: $*"; }
}

# expect_readme PROGRAM…: what the program of the readme prints, values worked out by hand:
# u = x² + 1/x = 2.25 at x = 0.5, u' = 2x − 1/x² = −3, u'' = 2 + 2/x³ = 18;
# y' = (1 − y²)u', y'' = (1 − y²)(u'' − 2y·u'²).
expect_readme() {
  local out
  out=$("$@") || fail "$* ended with status $?"
  local wanted
  wanted=$(awk 'BEGIN {
    u = 2.25; e = exp(2 * u); y = (e - 1) / (e + 1); s = 1 - y * y
    printf "y = %.6f  y'"'"' = %.6f  y'"''"' = %.6f", y, -3 * s, s * (18 - 18 * y)
  }')
  [ "$(head -n 1 <<<"$out")" = "$wanted" ] || fail "wanted '$wanted', got: $out"
  local error
  error=$(sed -n 2p <<<"$out")
  case $error in
    matmul:*'[2,3]'*'[4,3]'*readme.cc:*) ;;
    *) fail "the error of the readme reads: $error" ;;
  esac
  [ "$(wc -l <<<"$out")" -eq 2 ] || fail "more lines than expected: $out"
}

# expect_user_op PROGRAM…: no failures, it learned, and its op stands in the picture.
expect_user_op() {
  local out
  out=$("$@") || fail "$* ended with status $?"
  grep -q '^0 failures, loss 0\.0' <<<"$out" || fail "user_op says: $(head -n 1 <<<"$out")"
  grep -q digraph <<<"$out" || fail "user_op draws nothing"
  grep -q symlog <<<"$out" || fail "user_op's own op is not in its picture"
}

# expect_custom_gradient PROGRAM…: both derivatives are right, weights were found that no gradient of
# round() leads to, and the picture names the node.
expect_custom_gradient() {
  local out
  out=$("$@") || fail "$* ended with status $?"
  grep -q '^right, loss 0\.00000' <<<"$out" || fail "custom_gradient says: $(head -n 1 <<<"$out")"
  grep -q round_through <<<"$out" || fail "custom_gradient's node is not in its picture"
}

# expect_row_op PROGRAM…: check_op and gradcheck find nothing wrong with an op over rows.
expect_row_op() {
  local out
  out=$("$@") || fail "$* ended with status $?"
  grep -q ', 0 failures, derivatives right$' <<<"$out" || fail "row_op says: $out"
}
