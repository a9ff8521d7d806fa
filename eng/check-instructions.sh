#!/usr/bin/env bash
# Counts the instructions that kernels execute and fails where one needs more for a unit of work than its bound. Unlike a time, a count
# is the same on a busy machine. Exit code 77 where valgrind is missing or the processor lacks AVX2.
# Usage: eng/check-instructions.sh [PROGRAM]      PROGRAM: luffy_cpu_counts of a build folder
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
program=${1:-$root/build/native/native/luffy_cpu_counts}
bounds=$root/native/cpu/tests/instruction-bounds.txt
if ! command -v valgrind >/dev/null; then
  echo "skipped: valgrind is not installed (Debian, Ubuntu: apt-get install valgrind)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

code=0
valgrind --tool=callgrind --callgrind-out-file="$work/out" --toggle-collect=measured --dump-after=measured \
  "$program" >"$work/names" 2>"$work/log" || code=$?
if [ "$code" -ne 0 ]; then
  cat "$work/names" "$work/log"
  exit "$code"
fi

# The n-th call's dump is out.n.
n=0
while IFS='|' read -r name units; do
  n=$((n + 1))
  echo "$name|$units|$(awk '/^totals:/ { print $2 }' "$work/out.$n")"
done <"$work/names" >"$work/counts"

awk -F'|' '
  FNR == NR { if ($0 !~ /^#/ && NF == 2) bound[$1] = $2; next }
  {
    per = $3 / $2
    seen[$1] = 1
    if (!($1 in bound)) { printf "FAILED %s: %.3f instructions a unit, and no bound in %s\n", $1, per, file; bad = 1 }
    else if (!(per > 0 && per <= bound[$1])) {
      printf "FAILED %s: %.3f instructions a unit of work, the bound is %s; if it does more on purpose, raise the bound in %s\n", $1, per, bound[$1], file
      bad = 1
    } else printf "ok %s: %.3f of %s\n", $1, per, bound[$1]
  }
  END {
    for (name in bound) if (!(name in seen)) { printf "FAILED %s has a bound and was not counted\n", name; bad = 1 }
    exit bad
  }' file="${bounds#"$root"/}" "$bounds" "$work/counts"
