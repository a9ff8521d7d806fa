#!/usr/bin/env bash
# Holds eng/cuda-report.sh against kernels whose needs are known: it must tell stack, registers, shared memory, tensor cores and accesses of 16
# bytes of each architecture, and fail, naming the kernel, on a bound that is exceeded, on an instruction that is missing, and on a line of
# either file that fits no kernel.
# Usage: eng/check-cuda-report.sh
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
nvcc=$("$root/eng/cuda-tools.sh" nvcc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

cat >"$work/known.cu" <<'END'
#include <stdint.h>
namespace luffy {
enum class Kind { narrow, wide };
namespace {
template <class T, int N, bool Whole, Kind K> __global__ void copy_kernel(T* to, const T* from) { to[threadIdx.x] = from[threadIdx.x]; }
template __global__ void copy_kernel<uint4, 4, true, Kind::wide>(uint4*, const uint4*);
template __global__ void copy_kernel<float, 1, false, Kind::narrow>(float*, const float*);
__global__ void stack_kernel(float* p, int n) {
    float values[64];
    for (int i = 0; i < 64; i++) values[i] = p[i];
    for (int i = 0; i < 64; i++) p[i] = values[(i * n) & 63];
}
__global__ void shared_kernel(float* p) {
    __shared__ float tile[1024];
    tile[threadIdx.x] = p[threadIdx.x];
    __syncthreads();
    p[threadIdx.x] = tile[threadIdx.x ^ 32];
}
}
__global__ void tensor_kernel(float* p, const uint32_t* q) {
    float d[4] = {};
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(q[0]), "r"(q[1]), "r"(q[2]), "r"(q[3]), "r"(q[4]), "r"(q[5]));
    p[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
}
}
END
"${nvcc%: CUDA *}" -std=c++20 -O3 -diag-suppress 177 -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90a,code=sm_90a -c -o "$work/known.o" "$work/known.cu"

# expect EXIT_CODE PATTERN BOUNDS INSTRUCTIONS: runs the report with files of these lines and looks for the pattern in what it prints.
expect() {
  local wanted=$1 pattern=$2 code=0
  printf '%s\n' "$3" >"$work/bounds"
  printf '%s\n' "$4" >"$work/instructions"
  "$root/eng/cuda-report.sh" "$work/known.o" --bounds "$work/bounds" --instructions "$work/instructions" >"$work/out" 2>&1 || code=$?
  if [ "$code" -eq "$wanted" ] && grep -Eq "$pattern" "$work/out"; then
    echo "ok: $pattern"
  else
    echo "FAILED: exit code $code instead of $wanted, or no '$pattern' in:"
    cat "$work/out"
    bad=1
  fi
}

stack='known:stack_kernel 256 64 20000'
expect 0 '^known:copy_kernel<uint4,4,1,1> +sm_80 +[0-9]+ +0 +0 +0 +0 +2$' "$stack" ''
expect 0 '^known:copy_kernel<float,1,0,0> +sm_90a +[0-9]+ +0 +0 +0 +0 +0$' "$stack" ''
expect 0 '^known:shared_kernel +sm_80 +[0-9]+ +0 +4096 ' "$stack" ''
expect 0 '^tensor_kernel +sm_90a +[0-9]+ +0 +[0-9]+ +1 +0 +0$' "$stack" 'tensor* * HMMA*'
expect 1 '^FAILED known:stack_kernel \(sm_80\): 256 bytes of stack, and the bound in .* is 0$' '' ''
expect 1 '^FAILED known:shared_kernel \(sm_80\): 4096 bytes of static shared memory, and the bound in .* is 4000$' "$stack
known:shared_kernel 0 64 4000" ''
expect 1 '^FAILED tensor_kernel \(sm_90a\): [0-9]+ registers, and the bound in .* is 4$' "$stack
tensor_kernel 0 4 20000" ''
expect 0 ' 2 demands of instructions met' "$stack" 'known:copy_kernel<uint4* * LDG*128*
known:copy_kernel<uint4* sm_80 STG*128*'
expect 1 '^FAILED known:copy_kernel<float,1,0,0> \(sm_80\) has no instruction LDG[*]128[*]$' "$stack" 'known:copy_kernel* * LDG*128*'
expect 1 '^FAILED tensor_kernel \(sm_90a\) has no instruction HGMMA[*]$' "$stack" 'tensor_kernel sm_90a HGMMA*'
expect 1 '^FAILED no kernel fits "gone sm_80 HMMA"' "$stack" 'gone sm_80 HMMA'
expect 1 '^FAILED gone has a bound' "$stack
gone 0 1 1" ''
exit $bad
