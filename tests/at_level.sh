#!/usr/bin/env bash
# at_level.sh LEVEL PROGRAM…: runs a test program at a CPU level below this machine's own; 77 (skipped)
# where there is no such: its own level is what the program runs at anyway.
level=$1
shift
case $level in
  avx2) grep -qw avx512f /proc/cpuinfo || exit 77 ;;
  baseline) grep -qwE 'avx2|avx512f' /proc/cpuinfo || exit 77 ;;
esac
WENGERT_CPU_LEVEL=$level exec "$@"
