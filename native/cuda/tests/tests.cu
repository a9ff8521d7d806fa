// luffy_cuda_tests: the primitives of native/cuda/device against plain loops.
#include "support.h"

#include <cstring>

namespace test {
int failures = 0;
}

int main() {
    test::threads();
    test::memory();
    test::matrix();
#if defined(LUFFY_CUDA_EMULATION)
    test::emulation();
#endif
    std::printf(test::failures == 0 ? "ok\n" : "%d failed\n", test::failures);
    return test::failures == 0 ? 0 : 1;
}
