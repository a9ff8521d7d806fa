// The kernels for avx512bf16. Everything but the table is local to this object: see runtime.h.
#include "../kernels.h"

#include <immintrin.h>
#include <string.h>

namespace luffy {
namespace {

#include "../simd/avx512.h"
#include "../simd/math.h"
#include "../simd/elements.h"
#include "../ops/kernels.inl"

constexpr CpuKernels table = make_kernels("avx512bf16");

} // namespace

const CpuKernels* avx512bf16_kernels() { return &table; }

} // namespace luffy
