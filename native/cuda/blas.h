// Products by cuBLASLt: the fast mode, in which the order of a sum may depend on the shape, so that the context is not
// batch-invariant. A context has a Blas where that mode was asked for (--fast) and only there; nothing else touches
// the library, which is opened when the context is created and is not needed otherwise.
#ifndef LUFFY_CUDA_BLAS_H
#define LUFFY_CUDA_BLAS_H

#include "ops/product.h"
#include "runtime.h"

#include <memory>

namespace luffy {

class Blas {
  public:
    // Fails where libcublasLt cannot be opened, and says what to install.
    Blas();
    ~Blas();
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;

    // False for the few products that the library does not have: those without terms, and f32 sums of bf16 with a bf16 bias.
    static bool takes(const ProductArguments& arguments);

    // The algorithm is the library's choice for the first product of a shape, and kept for the others.
    void product(const Runtime& runtime, const char* name, const ProductArguments& arguments);

  private:
    struct Library;
    std::unique_ptr<Library> library;
};

} // namespace luffy

#endif
