// What only the emulation promises: that it sees mistakes which a GPU would punish with wrong numbers, a hang or nothing at all.
#include "../device/matrix.h"
#include "../device/reduce.h"
#include "support.h"

#if defined(LUFFY_CUDA_EMULATION)

using namespace luffy;

namespace {

// Without its barrier, each thread may read a neighbour's word before it is there.
template <bool Barrier> __global__ void __launch_bounds__(64) neighbour_kernel(int* result, int distance) {
    __shared__ int words[64];
    words[threadIdx.x] = static_cast<int>(threadIdx.x);
    if (Barrier) __syncthreads();
    result[threadIdx.x] = words[(threadIdx.x + static_cast<unsigned>(distance)) % 64];
}

__global__ void __launch_bounds__(64) left_early_kernel() {
    if (threadIdx.x == 7) return;
    __syncthreads();
}

__global__ void __launch_bounds__(32) lane_left_kernel(float* result) {
    if (threadIdx.x == 3) return;
    result[threadIdx.x] = warp_sum(1.0f);
}

__global__ void __launch_bounds__(32) two_barriers_kernel() {
    if (threadIdx.x < 16)
        __syncthreads();
    else
        __syncthreads();
}

__global__ void __launch_bounds__(32) not_in_mask_kernel() { __shfl_sync(0xFFFFu, 1, 0); }

__global__ void __launch_bounds__(32) masked_source_kernel() {
    if (threadIdx.x < 16) __shfl_sync(0xFFFFu, 1, 16);
}

__global__ void __launch_bounds__(32) misaligned_kernel(float* p) { store_vector(p + 1, load_vector<4>(p)); }

// Reads what it copies before it waits, or writes where a copy is under way.
template <bool Wait> __global__ void __launch_bounds__(32) early_kernel(float* result, const float* p) {
    LUFFY_DYNAMIC_SHARED(float, shared);
    copy_async_16(shared + threadIdx.x * 4, p + threadIdx.x * 4, true);
    copy_async_commit();
    if (Wait) copy_async_wait<0>();
    result[threadIdx.x] = shared[threadIdx.x * 4];
}

__global__ void __launch_bounds__(32) fresh_kernel(float* result) {
    __shared__ float still[32];
    LUFFY_DYNAMIC_SHARED(float, shared);
    result[blockIdx.x * 64 + threadIdx.x] = still[threadIdx.x];
    result[blockIdx.x * 64 + 32 + threadIdx.x] = shared[threadIdx.x];
    still[threadIdx.x] = shared[threadIdx.x] = 1;
}

template <class... A> void fails(const char* wanted, cudaError_t error) {
    const std::string text = cudaGetErrorString(error);
    test::expect(error == cudaErrorLaunchFailure && text.find(wanted) != std::string::npos, std::string(wanted) + ": " + text);
    cudaGetLastError();
}

bool wrong_somewhere(bool barrier) {
    bool wrong = false;
    for (const char* order : {"forward", "reverse", "random"}) {
        setenv("LUFFY_EMULATION_ORDER", order, 1);
        for (int distance : {1, 63}) {
            test::Array<int> result(64);
            test::require(
                test::launch(barrier ? neighbour_kernel<true> : neighbour_kernel<false>, 1, 64, 0, result.device, distance),
                "neighbours");
            result.download();
            for (size_t i = 0; i < 64; i++) wrong |= result[i] != static_cast<int>((i + static_cast<size_t>(distance)) % 64);
        }
    }
    return wrong;
}

} // namespace

void test::emulation() {
    const char* order = getenv("LUFFY_EMULATION_ORDER");
    const std::string before = order == nullptr ? "forward" : order;
    expect(!wrong_somewhere(true) && wrong_somewhere(false), "a missing barrier shows in one of the orders");
    setenv("LUFFY_EMULATION_ORDER", before.c_str(), 1);

    Array<float> p(128, 1.0f), result(256);
    fails("63 threads, the first 0, wait at __syncthreads of line", launch(left_early_kernel, 1, 64, 0));
    fails("1 threads have left", launch(lane_left_kernel, 1, 32, 0, result.device));
    fails("while others wait at __syncthreads", launch(two_barriers_kernel, 1, 32, 0));
    fails("the mask leaves out a lane that calls it", launch(not_in_mask_kernel, 1, 32, 0));
    fails("a shuffle reads a lane that its mask leaves out", launch(masked_source_kernel, 1, 32, 0));
    fails("is not aligned to 16 bytes", launch(misaligned_kernel, 1, 32, 0, p.device));
    require(launch(left_early_kernel, 0 + 1, 64, 0) == cudaErrorLaunchFailure ? cudaSuccess : cudaErrorInvalidValue, "a failure");
    cudaGetLastError();

    require(launch(early_kernel<true>, 1, 32, 512, result.device, p.device), "cp.async");
    result.download();
    for (size_t i = 0; i < 32; i++) expect(result[i] == 1, "a copy that was waited for");
    require(launch(early_kernel<false>, 1, 32, 512, result.device, p.device), "cp.async");
    result.download();
    for (size_t i = 0; i < 32; i++) expect(result[i] != result[i], "a copy that was not waited for is NaN");

    // Neither kind of shared memory keeps anything from one block to the next.
    require(launch(fresh_kernel, 3, 32, 128, result.device), "fresh shared memory");
    result.download();
    for (size_t i = 0; i < 3 * 64; i++) expect(result[i] != result[i], "fresh shared memory is NaN");

    // What a GPU refuses, and what is refused here only.
    expect(launch(left_early_kernel, 1, 0, 0) == cudaErrorInvalidConfiguration, "no thread");
    expect(launch(left_early_kernel, 1, 33, 0) == cudaErrorInvalidConfiguration, "half a warp");
    expect(launch(left_early_kernel, dim3(1, 70000), 64, 0) == cudaErrorInvalidConfiguration, "too many blocks");
    expect(launch(left_early_kernel, 1, 64, 228 << 10) == cudaErrorInvalidValue, "too much shared memory");
    cudaLaunchConfig_t config{};
    config.gridDim = 1, config.blockDim = 32, config.dynamicSmemBytes = 49 << 10;
    expect(cudaLaunchKernelEx(&config, fresh_kernel, result.device) == cudaErrorInvalidValue, "more than 48 KB without asking");
    float word = 0;
    expect(cudaMemcpy(&word, p.device, 4, cudaMemcpyHostToDevice) == cudaErrorInvalidValue, "a copy in the wrong direction");
    expect(cudaMemcpy(p.device + 127, p.device, 8, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue, "a copy beyond the end");
    void* pinned = nullptr;
    require(cudaMallocHost(&pinned, 4), "pinned memory");
    require(cudaMemcpyAsync(pinned, p.device, 4, cudaMemcpyDeviceToHost), "to pinned memory");
    expect(*static_cast<float*>(pinned) != 1, "bytes for pinned memory are not there before the stream was waited for");
    require(cudaDeviceSynchronize(), "wait");
    expect(*static_cast<float*>(pinned) == 1, "bytes for pinned memory are there afterwards");
    cudaFreeHost(pinned);
    void* memory = nullptr;
    expect(cudaMalloc(&memory, size_t{1} << 40) == cudaErrorMemoryAllocation && memory == nullptr, "out of memory");
    cudaGetLastError();
}

#endif
