#!/usr/bin/env bash
# What each kernel in a library or object file takes of an NVIDIA GPU, as its machine code says, for every architecture in it: registers of
# a thread, bytes of a thread's stack (where registers spill to, and arrays that are indexed at run time), bytes of static shared memory of a
# block, and its instructions on tensor cores and accesses of 16 bytes. Ends with 1, naming the kernel, where one takes more than its bound or
# lacks an instruction that it is meant to have.
# Usage: eng/cuda-report.sh FILE [--bounds BOUNDS] [--instructions INSTRUCTIONS]
#   BOUNDS        lines "KERNEL STACK REGISTERS SHARED" (eng/bounds.awk)
#   INSTRUCTIONS  lines "KERNEL TARGET INSTRUCTION": every kernel that fits must have one for that target (* for all) that fits. # begins a
#                 comment; * stands for any characters. KERNEL is as in the table, such as tile_kernel<128,bf16>.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
file=${1:-} bounds=/dev/null instructions=/dev/null
[ -n "$file" ] || { sed -n '2,10p' "$0" >&2; exit 2; }
shift
while [ $# -gt 0 ]; do
  case "$1" in
    --bounds) bounds=${2:?} ;;
    --instructions) instructions=${2:?} ;;
    *) sed -n '2,10p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
for readable in "$file" "$bounds" "$instructions"; do [ -r "$readable" ] || fail "$readable cannot be read"; done

nvcc=$("$root/eng/cuda-tools.sh" nvcc)
tools=$(dirname "${nvcc%: CUDA *}")
export PATH=$tools:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cuobjdump -res-usage "$file" | awk '
  $1 == "arch" { target = $3 }
  $1 == "Function" { name = $2; sub(/:$/, "", name) }
  /^ *REG:/ {
    split($0, field, /[ :]+/)
    for (i = 1; i < length(field); i++) value[field[i]] = field[i + 1]
    print name, target, value["REG"], value["STACK"], value["SHARED"]
  }' >"$work/resources"
[ -s "$work/resources" ] || fail "$file holds no kernel"

# Names without types of results and parameters, name spaces and casts of constants; the file goes before, because kernels of two files may
# have one name.
cut -d ' ' -f 1 "$work/resources" | sort -u >"$work/mangled"
cu++filt <"$work/mangled" |
  sed -E 's/<unnamed>:://g; s/[a-z]+:://g; s/\(([A-Za-z0-9_: ]+)\)(-?[0-9])/\2/g; s/^void //; s/\(.*//; s/, /,/g; s/ //g' >"$work/short"
sed -E 's/.*_GLOBAL__N__[0-9a-f]{8}_[0-9]+_(.*)_cu_[0-9a-f]{8}.*/\1:/; t; s/.*//' "$work/mangled" >"$work/files"
paste -d '' "$work/files" "$work/short" | paste -d ' ' "$work/mangled" - >"$work/names"

cuobjdump -sass "$file" | awk '
  function flush(   code) { for (code in count) print name, target, code, count[code]; delete count }
  $1 == "arch" { flush(); target = $3 }
  $1 == "Function" { flush(); name = $3 }
  $1 ~ /^\/\*[0-9a-f]+\*\/$/ && NF > 2 { count[$2 ~ /^@/ ? $3 : $2]++ }
  END { flush() }' | sed 's/;//' >"$work/codes"

awk -v named="$bounds" -v list="$instructions" -f "$root/eng/bounds.awk" -f <(cat <<'END'
  part == "instructions" {
    sub(/#.*/, "")
    if (NF == 0) next
    if (NF != 3) { refuse("line " FNR " of " list " is not KERNEL TARGET INSTRUCTION"); next }
    demands++
    demand[demands] = $0; of[demands] = expression_of($1); on[demands] = expression_of($2); code_of[demands] = expression_of($3); what[demands] = $3
    next
  }
  part == "names" { short[$1] = $2; next }
  part == "codes" {
    at = $1 " " $2
    if ($3 ~ /^HMMA/) mma[at] += $4
    if ($3 ~ /^HGMMA/) wgmma[at] += $4
    if ($3 ~ /^(LDG|STG|LDGSTS|UTMALDG)/ && $3 ~ /(128|UTMALDG)/) wide[at] += $4
    codes[at] = codes[at] $3 " "
    next
  }
  {
    rows++
    key[rows] = $1 " " $2; title[rows] = short[$1]; target[rows] = $2; registers[rows] = $3; stack[rows] = $4; shared[rows] = $5
    if (length(title[rows]) > width) width = length(title[rows])
  }
  END {
    format = "%-" width "s %-7s %9s %6s %7s %6s %6s %9s\n"
    printf format, "kernel", "target", "registers", "stack", "shared", "HMMA", "HGMMA", "16 bytes"
    for (row = 1; row <= rows; row++) {
      printf format, title[row], target[row], registers[row], stack[row], shared[row], mma[key[row]] + 0, wgmma[key[row]] + 0, wide[key[row]] + 0
    }
    for (row = 1; row <= rows; row++) {
      bound = bound_of(title[row])
      check(title[row], target[row], "bytes of stack", stack[row], spill_bound[bound])
      check(title[row], target[row], "registers", registers[row], register_bound[bound])
      check(title[row], target[row], "bytes of static shared memory", shared[row], shared_bound[bound])
      if (stack[row] > most_stack) most_stack = stack[row]
      if (registers[row] > most_registers) most_registers = registers[row]
      if (shared[row] > most_shared) most_shared = shared[row]
      for (d = 1; d <= demands; d++) {
        if (title[row] !~ of[d] || target[row] !~ on[d]) continue
        met[d] = 1
        n = split(codes[key[row]], code, " ")
        found = 0
        for (i = 1; i <= n; i++) if (code[i] ~ code_of[d]) found = 1
        if (!found) refuse(title[row] " (" target[row] ") has no instruction " what[d])
      }
    }
    for (d = 1; d <= demands; d++) if (!met[d]) refuse("no kernel fits \"" demand[d] "\" of " list)
    refuse_unused()
    if (!bad) print rows " kernels within their bounds, " demands + 0 " demands of instructions met; the most: " most_registers " registers, " most_stack + 0 " bytes of stack, " most_shared + 0 " bytes shared"
    exit bad
  }
END
) part=bounds "$bounds" part=instructions "$instructions" part=names "$work/names" part=codes "$work/codes" part=resources "$work/resources"
