#!/usr/bin/env bash
# Checks the native library's symbols, and says one line "ok …" or "FAILED …" per check:
#   exports   libluffy_cpu exports the table of functions, `luffy_kernels`, and nothing else;
#   weak      no object compiled for one instruction set holds a weak symbol. The linker keeps one copy of a weak function for
#             everybody: were it the AVX-512 one, an older processor would die on an illegal instruction.
# Usage: eng/check-symbols.sh [BUILD_FOLDER]
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=${1:-$root/build/native}
code=0

exported=$(nm -D --defined-only "$build/libluffy_cpu.so" | awk '{ print $3 }' | sort)
if [ "$exported" = luffy_kernels ]; then
  echo "ok exports: luffy_kernels alone"
else
  echo "FAILED exports: expected luffy_kernels alone, found: ${exported:-nothing}" | tr '\n' ' '
  echo
  code=1
fi

mapfile -t objects < <(find "$build" -name '*avx*.o' | sort)
weak=
for object in "${objects[@]}"; do
  found=$(nm --defined-only -C "$object" | awk '$2 ~ /^[WVuwv]$/ { $1 = ""; $2 = ""; print }' | head -n 5)
  if [ -n "$found" ]; then weak="$weak $(basename "$object"):$found"; fi
done
if [ "${#objects[@]}" -eq 0 ]; then
  echo "FAILED weak: no object with an instruction set in its name under $build"
  code=1
elif [ -n "$weak" ]; then
  echo "FAILED weak:$weak" | tr '\n' ' '
  echo
  code=1
else
  echo "ok weak: none in ${#objects[@]} objects"
fi
exit $code
