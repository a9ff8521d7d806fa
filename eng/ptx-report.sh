#!/usr/bin/env bash
# Assembles every NAME.TARGET.ptx in a folder with CUDA 12.4's ptxas for the target in its name (sm_80, sm_90, sm_90a, …), and prints what
# each kernel takes: registers of a thread, bytes that spill (stored and loaded), bytes of local memory of a thread, bytes of static shared
# memory of a block. Ends with 1, naming the kernel, where one does not assemble or takes more than its bound.
# Usage: eng/ptx-report.sh FOLDER [--bounds FILE]
#   FILE   lines "KERNEL SPILL REGISTERS SHARED", the most of each that a kernel may take on any target; # begins a comment. KERNEL is as in
#          the table: NAME, or NAME:ENTRY where a file has several entries, with * for any characters. Of the lines that fit a kernel the
#          last counts, and where none does, * 0 255 49152.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
if [ $# -eq 1 ]; then bounds=
elif [ $# -eq 3 ] && [ "$2" = --bounds ]; then bounds=$3
else sed -n '2,8p' "$0" >&2; exit 2; fi
folder=$1
[ -z "$bounds" ] || [ -r "$bounds" ] || fail "the bounds file $bounds cannot be read"

ptxas=$("$root/eng/cuda-tools.sh" ptxas)
ptxas=${ptxas%: CUDA *}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -d '' files < <(find "$folder" -maxdepth 1 -name '*.ptx' -print0 | sort -z)
[ "${#files[@]}" -gt 0 ] || fail "there is no .ptx file in $folder"
for file in "${files[@]}"; do
  [[ $file =~ [^/]\.sm_[0-9]+[a-z]?\.ptx$ ]] || fail "$file does not tell its target; name it NAME.TARGET.ptx, such as rms_norm.sm_80.ptx"
done

# assemble FILE: leaves a line "file NAME TARGET EXIT_CODE" and what ptxas said.
assemble() {
  local name code=0 target
  name=$(basename "$1" .ptx)
  target=${name##*.}
  "$ptxas" -v -arch="$target" -o "$work/$name.cubin" "$1" >"$work/$name.said" 2>&1 || code=$?
  { echo "file ${name%.*} $target $code"; cat "$work/$name.said"; } >"$work/$name.log"
}
export -f assemble
export ptxas work
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'assemble "$1"' assemble

for file in "${files[@]}"; do cat "$work/$(basename "$file" .ptx).log"; done >"$work/all"
awk -v named="${bounds:-the default}" -f "$root/eng/bounds.awk" -f <(cat <<'END'
  function number_before(unit) { return match($0, "[0-9]+ " unit) ? substr($0, RSTART) + 0 : 0 }

  /^file / { files++; name = $2; goal = $3; code[files] = $4; source[files] = name; goals[files] = goal; kernels[files] = 0; row = 0; next }
  code[files] != 0 { if ($0 !~ /^ptxas info/) said[files] = said[files] "\n    " $0; next }
  # Functions that a kernel calls follow it: what they spill, it spills.
  /Compiling entry function/ {
    split($0, quoted, "\047")
    row = ++rows
    kernels[files]++
    of[row] = files; entry[row] = quoted[2]; title[row] = name; target[row] = goal
    next
  }
  / bytes spill stores/ { stores[row] += number_before("bytes spill stores"); loads[row] += number_before("bytes spill loads"); next }
  /ptxas info +: Used [0-9]+ registers/ {
    registers[row] = number_before("registers")
    shared[row] = number_before("bytes smem")
    stack[row] = number_before("bytes cumulative stack size")
    next
  }

  END {
    width = length("kernel")
    for (row = 1; row <= rows; row++) {
      if (kernels[of[row]] > 1) title[row] = title[row] ":" entry[row]
      if (length(title[row]) > width) width = length(title[row])
    }
    format = "%-" width "s %-7s %9s %12s %11s %6s %7s\n"
    printf format, "kernel", "target", "registers", "spill stores", "spill loads", "local", "shared"
    for (row = 1; row <= rows; row++) {
      printf format, title[row], target[row], registers[row], stores[row], loads[row], stack[row], shared[row]
    }
    for (i = 1; i <= files; i++) {
      if (code[i] == 0 && kernels[i] > 0) continue
      bound_of(source[i])
      refuse(source[i] " (" goals[i] ") " (code[i] != 0 ? "does not assemble:" said[i] : "holds no kernel"))
    }
    for (row = 1; row <= rows; row++) {
      if (registers[row] == "") { refuse(title[row] " (" target[row] "): ptxas does not say what it takes"); continue }
      bound = bound_of(title[row])
      spilt = stores[row] > loads[row] ? stores[row] : loads[row]
      check(title[row], target[row], "bytes spilt", spilt, spill_bound[bound])
      check(title[row], target[row], "registers", registers[row], register_bound[bound])
      check(title[row], target[row], "bytes of static shared memory", shared[row], shared_bound[bound])
      if (spilt > most_spilt) most_spilt = spilt
      if (registers[row] > most_registers) most_registers = registers[row]
      if (shared[row] > most_shared) most_shared = shared[row]
    }
    refuse_unused()
    if (!bad) print rows " kernels within their bounds; the most: " most_registers " registers, " most_spilt + 0 " bytes spilt, " most_shared " bytes shared"
    exit bad
  }
END
) part=bounds "${bounds:-/dev/null}" part=logs "$work/all"
