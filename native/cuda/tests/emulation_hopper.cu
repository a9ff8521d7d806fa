// What the emulation promises of Hopper's instructions: mistakes show, as NaNs, as wrong numbers or as a failed launch.
#include "../device/hopper.h"
#include "support.h"

#if defined(LUFFY_CUDA_EMULATION)

using namespace luffy;

namespace {

enum class Mistake {
    none,
    no_fence,
    no_wait,
    too_few_bytes,
    not_initialised,
    overwritten,
    too_many_arrivals,
    wrong_stride,
    left_products
};

// d = a·b of [64, 16] and [16, 32] K-major, by one warpgroup, but for the mistake.
template <Mistake M>
__global__ void __launch_bounds__(128)
    mistaken_kernel(float* d, const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b) {
    LUFFY_DYNAMIC_SHARED(char, shared);
    char* a_tile = shared + (1024 - shared_address(shared) % 1024) % 1024;
    char* b_tile = a_tile + 64 * 128;
    uint64_t* barrier = reinterpret_cast<uint64_t*>(b_tile + 32 * 128);
    if (threadIdx.x == 0) {
        if (M != Mistake::not_initialised) barrier_init(barrier, 1);
        barrier_init_fence();
        barrier_expect(barrier, (64 + 32 + (M == Mistake::too_few_bytes ? 1 : 0)) * 128);
        if (M == Mistake::too_many_arrivals) barrier_arrive(barrier);
        copy_tile(a_tile, a, 0, 0, barrier);
        if (M == Mistake::overwritten) *barrier = 0;
        copy_tile(b_tile, b, 0, 0, barrier);
    }
    __syncthreads();
    barrier_wait(barrier, 0);
    float sums[16] = {};
    if (M != Mistake::no_fence) wgmma_fence(sums);
    const int stride = M == Mistake::wrong_stride ? 512 : 1024;
    wgmma_bf16<32, false, false>(sums, matrix_descriptor(a_tile, 16, 1024), matrix_descriptor(b_tile, 16, stride));
    wgmma_commit();
    if (M == Mistake::left_products) return;
    if (M != Mistake::no_wait) wgmma_wait<0>(sums);
    for (int i = 0; i < 16; i++) d[threadIdx.x * 16 + static_cast<unsigned>(i)] = sums[i];
    if (M == Mistake::no_wait) wgmma_wait<0>(sums);
}

template <Mistake M> cudaError_t run(test::Array<float>& d) {
    test::Array<bf16> a(64 * 64), b(32 * 64);
    for (size_t i = 0; i < a.size(); i++) a[i] = to_bf16(test::whole_number(i));
    for (size_t i = 0; i < b.size(); i++) b[i] = to_bf16(test::whole_number(i + 5));
    a.upload(), b.upload();
    const cudaError_t error = test::launch(mistaken_kernel<M>, 1, 128, 1024 + 96 * 128 + 8, d.device,
                                           tensor_map(a.device, 64, 64, 64, 64, 64), tensor_map(b.device, 64, 32, 64, 64, 32));
    d.download();
    return error;
}

template <Mistake M> void fails(const char* wanted) {
    test::Array<float> d(128 * 16);
    const cudaError_t error = run<M>(d);
    const std::string text = cudaGetErrorString(error);
    test::expect(error == cudaErrorLaunchFailure && text.find(wanted) != std::string::npos, std::string(wanted) + ": " + text);
    cudaGetLastError();
}

} // namespace

void test::emulation_of_hopper() {
    Array<float> right(128 * 16), wrong(128 * 16);
    require(run<Mistake::none>(right), "a product");
    fails<Mistake::no_fence>("wgmma without wgmma.fence");
    fails<Mistake::too_few_bytes>("128 threads, the first 0, wait at an mbarrier");
    fails<Mistake::not_initialised>("an mbarrier is used before its initialisation");
    fails<Mistake::too_many_arrivals>("more threads arrive at an mbarrier than it counts");
    fails<Mistake::overwritten>("an mbarrier was overwritten");
    fails<Mistake::left_products>("left while its products were under way");
    require(run<Mistake::no_wait>(wrong), "a product that is not waited for");
    expect(wrong.host != right.host, "sums are not there before they were waited for");
    require(run<Mistake::wrong_stride>(wrong), "a product by a wrong descriptor");
    expect(wrong.host != right.host, "a wrong stride gives wrong numbers");
    bool refused = false;
    try {
        tensor_map(right.device, 64, 64, 60, 64, 64);
    } catch (const std::runtime_error&) {
        refused = true;
    }
    expect(refused, "a tensor map whose lines are not aligned");
}

#endif
