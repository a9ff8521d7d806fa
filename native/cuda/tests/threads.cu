// Threads that exchange values: shuffles, votes, barriers, trees.
#include "../device/reduce.h"
#include "support.h"

#include <cmath>

using namespace luffy;

namespace {

__global__ void __launch_bounds__(64) shuffle_kernel(int* results) {
    const int thread = static_cast<int>(threadIdx.x + blockDim.x * threadIdx.y), lane = thread % 32;
    int* own = results + (blockIdx.x * 64 + static_cast<unsigned>(thread)) * 8;
    own[0] = __shfl_xor_sync(all_lanes, thread, 5);
    own[1] = __shfl_up_sync(all_lanes, thread, 3, 8);
    own[2] = __shfl_down_sync(all_lanes, thread, 30);
    own[3] = __shfl_sync(all_lanes, thread, lane + 1, 16);
    own[4] = static_cast<int>(__ballot_sync(all_lanes, lane % 3 == 0));
    // Two halves of a warp by themselves.
    if (lane < 16)
        own[5] = __shfl_sync(0xFFFFu, thread, 15);
    else
        own[5] = __any_sync(0xFFFF0000u, lane == 20) + 2 * __all_sync(0xFFFF0000u, lane >= 16);
    const long long wide = (1ll << 40) + thread;
    own[6] = __shfl_xor_sync(all_lanes, wide, 1) == (1ll << 40) + (thread ^ 1);
    own[7] = static_cast<int>(blockIdx.y * 100 + gridDim.y * 10 + blockDim.y);
}

template <int Threads> __global__ void __launch_bounds__(Threads) tree_kernel(float* results, const float* values) {
    __shared__ float shared[32];
    const float value = values[threadIdx.x], sum = block_sum<Threads>(value, shared), most = block_max<Threads>(value, shared);
    __syncthreads();
    results[threadIdx.x] = sum;
    results[Threads + threadIdx.x] = most;
    results[2 * Threads + threadIdx.x] = static_cast<float>(__syncthreads_count(value > 0));
}

// A tile turned around in shared memory, which a missing barrier would spoil.
__global__ void __launch_bounds__(256) transpose_kernel(float* result, const float* values) {
    __shared__ float tile[16][17];
    tile[threadIdx.y][threadIdx.x] = values[threadIdx.y * 16 + threadIdx.x];
    __syncthreads();
    result[threadIdx.y * 16 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}

__global__ void __launch_bounds__(64) count_kernel(int* count) { atomicAdd(count, static_cast<int>(threadIdx.x)); }

template <int Threads> void trees() {
    test::Array<float> values(Threads), results(3 * Threads);
    double sum = 0, most = -1e30, positive = 0;
    for (size_t i = 0; i < Threads; i++) {
        values[i] = static_cast<float>(std::sin(static_cast<double>(i) * 1.7)) - 1.5f;
        if (i == 17) values[i] = 0.25f;
        sum += values[i];
        most = std::fmax(most, values[i]);
        positive += values[i] > 0;
    }
    values.upload();
    test::require(test::launch(tree_kernel<Threads>, 1, Threads, 0, results.device, values.device), "trees");
    results.download();
    for (size_t i = 0; i < Threads; i++) {
        const std::string what = " of " + std::to_string(Threads) + " threads, thread " + std::to_string(i);
        test::expect(std::fabs(results[i] - sum) < 1e-4 && results[i] == results[0], "sum" + what);
        test::expect(results[Threads + i] == static_cast<float>(most), "maximum" + what);
        test::expect(results[2 * Threads + i] == static_cast<float>(positive), "count" + what);
    }
}

} // namespace

void test::threads() {
    Array<int> results(3 * 64 * 8);
    require(launch(shuffle_kernel, dim3(3, 1), dim3(16, 4), 0, results.device), "shuffles");
    results.download();
    for (int i = 0; i < 3 * 64; i++) {
        const int thread = i % 64, lane = thread % 32, warp = thread - lane;
        const int expected[8] = {thread ^ 5,
                                 lane % 8 >= 3 ? thread - 3 : thread,
                                 lane < 2 ? thread + 30 : thread,
                                 warp + (lane & 16) + (lane + 1) % 16,
                                 0x49249249,
                                 lane < 16 ? warp + 15 : 3,
                                 1,
                                 14};
        for (size_t j = 0; j < 8; j++) {
            expect(results[static_cast<size_t>(i) * 8 + j] == expected[j],
                   "shuffle " + std::to_string(j) + " of thread " + std::to_string(i) + ": " +
                       std::to_string(results[static_cast<size_t>(i) * 8 + j]) + ", expected " + std::to_string(expected[j]));
        }
    }
    trees<32>();
    trees<96>();
    trees<256>();
    trees<1024>();

    Array<float> values(256), turned(256);
    for (size_t i = 0; i < 256; i++) values[i] = static_cast<float>(i);
    values.upload();
    require(launch(transpose_kernel, 1, dim3(16, 16), 0, turned.device, values.device), "transpose");
    turned.download();
    for (size_t i = 0; i < 256; i++) expect(turned[i] == values[i % 16 * 16 + i / 16], "transpose: element " + std::to_string(i));

    Array<int> count(1);
    require(launch(count_kernel, 5, 64, 0, count.device), "count");
    count.download();
    expect(count[0] == 5 * 63 * 32, "atomicAdd");
}
