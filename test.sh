#!/usr/bin/env bash
# Builds and runs every test suite: all projects under tests/ and the native tests. The last line sums up:
# "N passed, N failed, N skipped". Ends non-zero when a test failed, a suite broke, or nothing ran.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$root/eng/build-lib.sh"
cd "$root"
mkdir -p build/tests

say "building"
build_native "${LUFFY_CMAKE_PRESET:-release}"
need_dotnet
quietly build/tests/build.log dotnet build Luffy.sln -c Release --nologo -v quiet

passed=0 failed=0 skipped=0

# count NAME LOG: the last number after NAME in a suite's summary, 0 where there is none.
count() { sed -n "s/^ *$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

for project in tests/*/*.csproj; do
  suite=$(basename "$project" .csproj)
  log=build/tests/$suite.log
  say "== $suite"
  code=0
  "artifacts/bin/$suite/release/$suite" --no-ansi --progress off --timeout 30m </dev/null 2>&1 | tee "$log" || code=$?
  f=$(count failed "$log")
  # 8 means that the suite holds no test yet; any other code without a failed test is a suite that broke.
  if [ "$code" -ne 0 ] && [ "$code" -ne 8 ] && [ "$f" -eq 0 ]; then
    say "$suite ended with code $code without naming a failed test"
    f=1
  fi
  passed=$((passed + $(count succeeded "$log"))) failed=$((failed + f)) skipped=$((skipped + $(count skipped "$log")))
done

native_tests=$(cd build/native && ctest -N 2>/dev/null | sed -n 's/^Total Tests: *//p')
if [ "${native_tests:-0}" -gt 0 ]; then
  say "== native"
  log=build/tests/native.log
  (cd build/native && ctest --output-on-failure </dev/null 2>&1) | tee "$log" || true
  f=$(sed -n 's/.*, \([0-9]*\) tests failed out of [0-9]*/\1/p' "$log" | tail -n 1)
  if [ -z "$f" ]; then f=$native_tests; say "ctest broke off"; fi
  passed=$((passed + native_tests - f)) failed=$((failed + f))
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
