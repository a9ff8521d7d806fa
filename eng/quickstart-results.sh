#!/usr/bin/env bash
# Makes the README's table of results: the quickstart with LUFFY and with GRPO, three seeds each, and prints Markdown.
#   eng/quickstart-results.sh [FOLDER]      (default: runs/results; finished runs are not run again)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
out=${1:-$root/runs/results}
seeds="42 43 44" methods="luffy grpo"

# value FILE OBJECT KEY: a number within one object of an indented JSON file.
value() { awk -v object="\"$2\": {" -v key="\"$3\":" 'index($0, object) {inside = 1} inside && index($0, key) {gsub(/[^0-9.eE-]/, "", $2); print $2; exit} inside && /}/ {inside = 0}' "$1"; }

for method in $methods; do
  for seed in $seeds; do
    run=$out/$method-$seed
    [ -s "$run/summary.json" ] && continue
    rm -rf "$run"
    "$root/luffy" train --output "$run" --set method="$method" --seed "$seed" >&2
  done
done

families=$(awk '/"accuracy_after": {/ {inside = 1; next} inside && /}/ {exit} inside {gsub(/[" :,]/, "", $1); print $1}' "$out/luffy-42/summary.json")
printf '| method | seed |'; for f in $families; do printf ' %s |' "$f"; done; echo
printf '| --- | --- |'; for f in $families; do printf ' --- |'; done; echo
printf '| base model | |'; for f in $families; do printf ' %.1f |' "$(awk -v x="$(value "$out/luffy-42/summary.json" accuracy_before "$f")" 'BEGIN {print 100 * x}')"; done; echo
for method in $methods; do
  for seed in $seeds; do
    printf '| %s | %s |' "$method" "$seed"
    for f in $families; do printf ' %.1f |' "$(awk -v x="$(value "$out/$method-$seed/summary.json" accuracy_after "$f")" 'BEGIN {print 100 * x}')"; done; echo
  done
  printf '| **%s** | mean |' "$method"
  for f in $families; do
    printf ' **%.1f** |' "$(for seed in $seeds; do value "$out/$method-$seed/summary.json" accuracy_after "$f"; done | awk '{s += $1} END {print 100 * s / NR}')"
  done; echo
done
