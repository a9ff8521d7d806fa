// luffy_cuda_tests: the primitives of native/cuda/device against plain loops, and what of the operations no test through their
// table can see. Exit code 77 where there is no GPU.
#include "support.h"

#include <cstring>

namespace test {
int failures = 0;
}

int main() {
    int devices = 0;
    const cudaError_t found = cudaGetDeviceCount(&devices);
    if (found != cudaSuccess || devices == 0) {
        std::printf("skipped: no GPU: %s\n", cudaGetErrorString(found));
        return 77;
    }
    test::threads();
    test::memory();
    test::matrix();
    test::hopper();
    test::product();
    test::policy_loss();
    test::attention();
#if defined(LUFFY_CUDA_EMULATION)
    test::emulation();
    test::emulation_of_hopper();
#endif
    std::printf(test::failures == 0 ? "ok\n" : "%d failed\n", test::failures);
    return test::failures == 0 ? 0 : 1;
}
