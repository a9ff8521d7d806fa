#!/usr/bin/env bash
# Runs every operation's tests on the emulated GPU under AddressSanitizer, with the threads of a block in reverse and in random order, and
# those of attention on a GPU whose blocks have less shared memory: what reads or writes beyond its memory ends the run with a report, and a missing
# barrier gives wrong numbers.
# Usage: eng/check-emulation.sh      after `dotnet build Luffy.sln -c Release`
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
cd "$root"
need_native_tools
if [ ! -e build/native-address/CMakeCache.txt ] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
mkdir -p build
quietly build/native-address-configure.log cmake --preset address
quietly build/native-address-build.log cmake --build --preset address --parallel
sanitizer=$("${CXX:-c++}" -print-file-name=libasan.so)
[ -e "$sanitizer" ] || fail "AddressSanitizer's library is missing (Debian: apt-get install libgcc-12-dev)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Fixtures of the backend "cuda", whose arguments are part of a test's name, but for those that compare it with the cpu backend.
echo '<RunSettings><NUnit><Where>test =~ /"cuda/ and class !~ /RealShape/</Where></NUnit></RunSettings>' >"$work/cuda.runsettings"
echo '<RunSettings><NUnit><Where>test =~ /"cuda.*Bf16/ and class =~ /AttentionTests/</Where></NUnit></RunSettings>' >"$work/attention.runsettings"

code=0
# run NAME SETTINGS VARIABLE=VALUE…: the tests that the settings let through.
run() {
  local name=$1 settings=$2
  shift 2
  # .NET handles the signals of null references itself, and its heap is not ours to search for leaks.
  env "$@" LUFFY_TEST_CUDA=emulated LUFFY_NATIVE_DIR=$root/build/native-address LD_PRELOAD=$sanitizer \
    ASAN_OPTIONS=detect_leaks=0:handle_segv=0:use_sigaltstack=0:log_path="$work/report" \
    artifacts/bin/Luffy.Kernels.Tests/release/Luffy.Kernels.Tests --no-ansi --progress off --timeout 20m \
    --settings "$settings" </dev/null >"$work/log" 2>&1 || code=$?
  if [ "$code" -ne 0 ]; then
    grep -A 4 -m 8 '^failed' "$work/log" || tail -n 40 "$work/log"
    cat "$work"/report.* 2>/dev/null | head -n 60 || true
    fail "tests of the emulated GPU failed under AddressSanitizer: $name"
  fi
  echo "ok $name:$(sed -n 's/^ *succeeded: */ /p' "$work/log" | tail -n 1) tests"
}

for order in reverse random; do run "threads in $order order" "$work/cuda.runsettings" LUFFY_EMULATION_ORDER="$order"; done
# Attention's smaller tiles.
run "a GPU with less shared memory" "$work/attention.runsettings" LUFFY_EMULATION_DEVICE=8.9
