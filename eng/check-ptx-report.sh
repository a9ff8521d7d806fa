#!/usr/bin/env bash
# Holds eng/ptx-report.sh against kernels whose needs are known: it must pass what is within bounds, and fail, naming the kernel, on a
# spill, on too much shared memory, on a bound of a kernel that is not there, and on PTX that does not assemble; and the right bound counts.
# Usage: eng/check-ptx-report.sh
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# kernel FILE TARGET LIVE SHARED [TYPE]: loads LIVE values in 32 registers before it stores the first, beside SHARED bytes of shared memory.
kernel() {
  awk -v target="$2" -v live="$3" -v shared="$4" -v type="${5:-f32}" 'BEGIN {
    print ".version 8.4\n.target " target "\n.address_size 64\n.visible .entry kernel(.param .u64 pointer) .maxnreg 32 {"
    print ".reg .b64 %p; .reg .b32 %s; .reg .f32 %f<" live ">; .shared .align 4 .b8 tile[" shared "];\nld.param.u64 %p, [pointer];"
    for (i = 0; i < live; i++) print "ld.volatile.global.f32 %f" i ", [%p+" 4 * i "];"
    for (i = 0; i < live; i++) print "st.volatile.global." type " [%p+" 4 * i "], %f" i ";"
    print "mov.u32 %s, tile; st.volatile.shared.f32 [%s], %f0; ret; }"
  }' >"$1"
}

# expect NAME EXIT_CODE PATTERN [OPTION…]: runs the report on folder NAME and looks for the pattern in what it prints.
expect() {
  local name=$1 wanted=$2 pattern=$3 code=0
  shift 3
  "$root/eng/ptx-report.sh" "$work/$name" "$@" >"$work/out" 2>&1 || code=$?
  if [ "$code" -eq "$wanted" ] && grep -Eq "$pattern" "$work/out"; then
    echo "ok $name: $pattern"
  else
    echo "FAILED $name: exit code $code instead of $wanted, or no '$pattern' in:"
    cat "$work/out"
    bad=1
  fi
}

mkdir "$work"/{within,spill,allowed,shared,stale,syntax,version,empty}
kernel "$work/within/copy.sm_80.ptx" sm_80 8 1024
kernel "$work/within/copy.sm_90.ptx" sm_90 8 1024
kernel "$work/spill/copy.sm_80.ptx" sm_80 8 1024
kernel "$work/spill/wide.sm_90.ptx" sm_90 120 1024
kernel "$work/shared/tile.sm_80.ptx" sm_80 8 50000
kernel "$work/syntax/typo.sm_80.ptx" sm_80 8 1024 f33
kernel "$work/version/new.sm_80.ptx" sm_80 8 1024
sed -i 's/^.version 8.4$/.version 9.9/' "$work/version/new.sm_80.ptx"
cp "$work/spill"/* "$work/allowed/"
cp "$work/within"/* "$work/stale/"
echo 'wide 4000 32 1024   # spills on purpose' >"$work/allowed.txt"
printf '%s\n' '* 0 255 49152' 'gone* 0 255 49152' >"$work/stale.txt"
printf '%s\n' 'w*e 4000 32 1024' >"$work/pattern.txt"
printf '%s\n' 'w* 4000 32 1024' 'wide 0 32 1024' >"$work/last.txt"
printf '%s\n' 'wi.e 4000 32 1024' >"$work/literal.txt"

expect within 0 '^copy +sm_90 +[0-9]+ +0 +0 +0 +1024$'
expect spill 1 '^FAILED wide \(sm_90\): [1-9][0-9]* bytes spilt'
expect allowed 0 '^wide +sm_90 +32 +[1-9][0-9]* ' --bounds "$work/allowed.txt"
expect shared 1 '^FAILED tile \(sm_80\): 50000 bytes of static shared memory'
expect spill 0 'kernels within' --bounds "$work/pattern.txt"
expect spill 1 '^FAILED wide .*, and the bound in .* is 0$' --bounds "$work/last.txt"
expect spill 1 '^FAILED wi[.]e has a bound' --bounds "$work/literal.txt"
expect stale 1 '^FAILED gone[*] has a bound' --bounds "$work/stale.txt"
expect syntax 1 '^FAILED typo \(sm_80\) does not assemble'
expect version 1 '^FAILED new \(sm_80\) does not assemble'
expect empty 1 'there is no .ptx file'
exit $bad
