#include "product.h"

#include "../blas.h"
#include "product_kernel.h"

namespace luffy {

// TMA copies lines that begin at multiples of 16 bytes, and not of nothing. This must not depend on a row's neighbours: not on m,
// and on where the matrices begin neither.
bool multiplies_by_wgmma(const Runtime& runtime, int64_t a_stride, int64_t b_stride, int64_t k) {
    return runtime.wgmma && a_stride % 8 == 0 && b_stride % 8 == 0 && k > 0;
}

void product(const Runtime& runtime, const char* name, const ProductArguments& p) {
    if (p.m == 0 || p.n == 0) return;
    if (p.adds && p.c_dtype != LF_F32) throw std::runtime_error(std::string(name) + ": only f32 is added to");
    if (runtime.blas != nullptr && Blas::takes(p)) return runtime.blas->product(runtime, name, p);
    if (p.dtype == LF_F32)
        product_by_fma(runtime, name, p);
    else if (multiplies_by_wgmma(runtime, p.a_stride, p.b_stride, p.k))
        product_by_wgmma(runtime, name, p);
    else
        product_by_mma(runtime, name, p);
}

} // namespace luffy
