// The kernels for avx2. Everything but the table is local to this object: see runtime.h.
#include "../kernels.h"

#include <immintrin.h>
#include <string.h>

namespace luffy {
namespace {

#include "../simd/avx2.h"
#include "../simd/math.h"
#include "../simd/elements.h"
#include "../ops/kernels.inl"

constexpr CpuKernels table = make_kernels("avx2");

} // namespace

const CpuKernels* avx2_kernels() { return &table; }

} // namespace luffy
