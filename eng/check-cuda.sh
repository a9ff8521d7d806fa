#!/usr/bin/env bash
# Compiles libluffy_cuda and its tests by nvcc for compute capability 8.0 and for Hopper with warnings as errors, and holds every kernel against
# native/cuda/resource-bounds.txt and native/cuda/instructions.txt. Needs no GPU. The table stays in build/cuda-report.txt.
# Usage: eng/check-cuda.sh
#   LUFFY_CUDA_TOOLS   the folder of CUDA's tools (eng/cuda-tools.sh, which fetches them where they are missing)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
cd "$root"
nvcc=$(eng/cuda-tools.sh nvcc)
need_native_tools
if [ ! -e build/cuda/CMakeCache.txt ] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
mkdir -p build
quietly build/cuda-configure.log cmake --preset cuda -DCMAKE_CUDA_COMPILER="${nvcc%: CUDA *}"
quietly build/cuda-build.log cmake --build --preset cuda --parallel
if grep -E '(C75[0-9][0-9]|spill|Potential Performance Loss)' build/cuda-build.log; then fail "ptxas warns of a kernel that spills, or whose wgmma it serialises"; fi
exported=$(nm -D --defined-only build/cuda/libluffy_cuda.so | awk '{ print $3 }')
[ "$exported" = luffy_kernels ] || fail "libluffy_cuda exports more than luffy_kernels: $exported"
code=0
eng/cuda-report.sh build/cuda/libluffy_cuda.so --bounds native/cuda/resource-bounds.txt --instructions native/cuda/instructions.txt >build/cuda-report.txt || code=$?
if [ "$code" -ne 0 ]; then cat build/cuda-report.txt; exit "$code"; fi
tail -n 1 build/cuda-report.txt
