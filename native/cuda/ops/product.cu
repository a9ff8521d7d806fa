#include "product.h"

#include "../blas.h"
#include "product_kernel.h"

namespace luffy {

void product(const Runtime& runtime, const char* name, const ProductArguments& p) {
    if (p.m == 0 || p.n == 0) return;
    if (p.adds && p.c_dtype != LF_F32) throw std::runtime_error(std::string(name) + ": only f32 is added to");
    if (runtime.blas != nullptr && Blas::takes(p)) return runtime.blas->product(runtime, name, p);
    if (p.dtype == LF_F32)
        product_by_fma(runtime, name, p);
    else
        product_by_mma(runtime, name, p);
}

} // namespace luffy
