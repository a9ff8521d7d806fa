// Tiles by the copy engine and products by wgmma, for every layout of the operands and every number of columns.
#include "../device/hopper.h"
#include "support.h"

using namespace luffy;

namespace {

constexpr int depth = 64; // terms of a tile: lines of 128 bytes

struct Operands {
    TensorMap a, b;
};

LF_DEVICE char* aligned_tiles(char* shared) { return shared + (1024 - shared_address(shared) % 1024) % 1024; }

// d[128, Columns] = a·b by two warpgroups, and a third that brings tiles of 64 terms through a ring of two stages. Where MajorM,
// a is stored as [K, M], else [M, K]; where MajorN, b as [K, N], else [N, K].
template <int Columns, bool MajorM, bool MajorN>
__global__ void __launch_bounds__(384, 1) product_kernel(float* d, const __grid_constant__ Operands operands, int terms) {
    constexpr int stages = 2, a_bytes = 128 * depth * 2, b_bytes = Columns * depth * 2;
    LUFFY_DYNAMIC_SHARED(char, shared);
    char* tiles = aligned_tiles(shared);
    uint64_t* full = reinterpret_cast<uint64_t*>(tiles + stages * (a_bytes + b_bytes));
    uint64_t* empty = full + stages;
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; i++) {
            barrier_init(full + i, 1);
            barrier_init(empty + i, 2);
        }
        barrier_init_fence();
    }
    __syncthreads();

    const int steps = (terms + depth - 1) / depth, warpgroup = static_cast<int>(threadIdx.x) / 128;
    if (warpgroup == 2) {
        give_registers<40>();
        if (threadIdx.x % 128 != 0) return;
        for (int step = 0; step < steps; step++) {
            const int stage = step % stages, k = step * depth;
            barrier_wait(empty + stage, step / stages % 2 ^ 1);
            barrier_expect(full + stage, a_bytes + b_bytes);
            char *a = tiles + stage * (a_bytes + b_bytes), *b = a + a_bytes;
            if (MajorM) {
                for (int m = 0; m < 128; m += 64) copy_tile(a + m * 128, operands.a, m, k, full + stage);
            } else {
                copy_tile(a, operands.a, k, 0, full + stage);
            }
            if (MajorN) {
                for (int n = 0; n < Columns; n += 64) copy_tile(b + n * 128, operands.b, n, k, full + stage);
            } else {
                copy_tile(b, operands.b, k, 0, full + stage);
            }
        }
        return;
    }

    take_registers<232>();
    float sums[Columns / 2];
    for (float& sum : sums) sum = 1;
    for (int step = 0; step < steps; step++) {
        const int stage = step % stages;
        const char *a = tiles + stage * (a_bytes + b_bytes) + warpgroup * 64 * 128,
                   *b = tiles + stage * (a_bytes + b_bytes) + a_bytes;
        barrier_wait(full + stage, step / stages % 2);
        wgmma_fence(sums);
        for (int k = 0; k < depth; k += 16) {
            const uint64_t a_place = matrix_descriptor(a + (MajorM ? k * 128 : k * 2), depth * 128, 1024);
            const uint64_t b_place = matrix_descriptor(b + (MajorN ? k * 128 : k * 2), depth * 128, 1024);
            wgmma_bf16<Columns, MajorM, MajorN>(sums, a_place, b_place);
        }
        wgmma_commit();
        wgmma_wait<0>(sums);
        named_barrier<128>(1 + warpgroup);
        if (threadIdx.x % 128 == 0) barrier_arrive(empty + stage);
    }
    const int lane = static_cast<int>(threadIdx.x) % 32, row = static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4;
    for (int i = 0; i < Columns / 2; i++) d[(row + i / 2 % 2 * 8) * Columns + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

// d[64, Columns] = a·b with a in registers, and b written by the threads themselves in the layout of a tile.
template <int Columns, bool MajorN>
__global__ void __launch_bounds__(128) register_kernel(float* d, const bf16* a, const bf16* b) {
    LUFFY_DYNAMIC_SHARED(char, shared);
    char* tile = aligned_tiles(shared);
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
    // A line is a column of b, with 16 terms (K-major), or a term, with 64 columns, and the next 64 columns 16 lines further.
    for (int i = thread; i < 16 * Columns; i += 128) {
        const int k = i / Columns, n = i % Columns;
        const int line = MajorN ? n / 64 * 16 + k : n, at = line * 128 + (MajorN ? n % 64 : k) * 2;
        *reinterpret_cast<bf16*>(tile + (at ^ (line % 8) << 4)) = b[i];
    }
    async_fence();
    __syncthreads();
    uint32_t fragment[4];
    for (int i = 0; i < 4; i++) {
        const bf16* p = a + (thread / 32 * 16 + lane / 4 + i % 2 * 8) * 16 + lane % 4 * 2 + i / 2 * 8;
        fragment[i] = p[0].bits | static_cast<uint32_t>(p[1].bits) << 16;
    }
    float sums[Columns / 2];
    for (float& sum : sums) sum = 1;
    wgmma_fence(sums);
    wgmma_bf16<Columns, MajorN>(sums, fragment, matrix_descriptor(tile, 16 * 128, 1024));
    wgmma_commit();
    wgmma_wait<0>(sums);
    const int row = thread / 32 * 16 + lane / 4;
    for (int i = 0; i < Columns / 2; i++) d[(row + i / 2 % 2 * 8) * Columns + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

// A matrix in memory, [lines][stride], of which `inner` elements of a line count; beyond them are NaNs.
struct Stored {
    test::Array<bf16> memory;
    size_t inner, lines, stride;
    Stored(size_t inner_elements, size_t line_count)
        : memory(line_count * (inner_elements / 8 + 2) * 8, bf16{0xFFFF}), inner(inner_elements), lines(line_count),
          stride((inner_elements / 8 + 2) * 8) {
        for (size_t line = 0; line < lines; line++) {
            for (size_t i = 0; i < inner; i++) memory[line * stride + i] = to_bf16(test::whole_number(line * 1000 + i + lines));
        }
        memory.upload();
    }
    float at(size_t line, size_t i) { return line < lines && i < inner ? to_float(memory[line * stride + i]) : 0; }
    TensorMap map(int box_inner, int box_outer) {
        return tensor_map(memory.device, static_cast<int64_t>(inner), static_cast<int64_t>(lines), static_cast<int64_t>(stride),
                          box_inner, box_outer);
    }
};

// Matrices smaller than the tiles: what is outside must count as zero.
template <int Columns, bool MajorM, bool MajorN> void product() {
    constexpr size_t rows = 101, columns = Columns - 3, terms = 147;
    Stored a(MajorM ? rows : terms, MajorM ? terms : rows), b(MajorN ? columns : terms, MajorN ? terms : columns);
    const Operands operands{MajorM ? a.map(64, depth) : a.map(depth, 128), MajorN ? b.map(64, depth) : b.map(depth, Columns)};
    test::Array<float> d(128 * Columns);
    constexpr size_t bytes = 1024 + 2 * (128 + Columns) * depth * 2 + 4 * 8;
    const std::string what = "wgmma of " + std::to_string(Columns) + " columns, " + (MajorM ? "M" : "K") + "-major by " +
                             (MajorN ? "N" : "K") + "-major";
    test::require(
        test::launch(product_kernel<Columns, MajorM, MajorN>, 1, 384, bytes, d.device, operands, static_cast<int>(terms)), what);
    d.download();
    for (size_t i = 0; i < d.size(); i++) {
        const size_t m = i / Columns, n = i % Columns;
        float sum = 1;
        for (size_t k = 0; k < terms; k++) sum += (MajorM ? a.at(k, m) : a.at(m, k)) * (MajorN ? b.at(k, n) : b.at(n, k));
        test::expect(d[i] == sum, what + ": row " + std::to_string(m) + ", column " + std::to_string(n));
    }
}

template <int Columns> void products() {
    product<Columns, false, false>();
    product<Columns, true, false>();
    if constexpr (Columns % 64 == 0) {
        product<Columns, false, true>();
        product<Columns, true, true>();
    }
}

template <int Columns, bool MajorN> void from_registers() {
    test::Array<float> d(64 * Columns);
    test::Array<bf16> a(64 * 16), b(16 * Columns);
    for (size_t i = 0; i < a.size(); i++) a[i] = to_bf16(test::whole_number(i));
    for (size_t i = 0; i < b.size(); i++) b[i] = to_bf16(test::whole_number(i + 77));
    a.upload(), b.upload();
    const std::string what = "wgmma from registers, " + std::to_string(Columns) + " columns";
    test::require(test::launch(register_kernel<Columns, MajorN>, 1, 128, 1024 + Columns * 128, d.device, a.device, b.device),
                  what);
    d.download();
    for (size_t i = 0; i < d.size(); i++) {
        float sum = 1;
        for (size_t k = 0; k < 16; k++) sum += to_float(a[i / Columns * 16 + k]) * to_float(b[k * Columns + i % Columns]);
        test::expect(d[i] == sum, what + ": element " + std::to_string(i));
    }
}

} // namespace

void test::hopper() {
    cudaDeviceProp device{};
    require(cudaGetDeviceProperties(&device, 0), "device");
    if (device.major != 9 || device.minor != 0) {
        std::printf("not Hopper: TMA and wgmma are not tested\n");
        return;
    }
    products<32>();
    products<64>();
    products<96>();
    products<128>();
    products<192>();
    products<256>();
    from_registers<32, false>();
    from_registers<64, true>();
    from_registers<96, false>();
    from_registers<128, true>();
    from_registers<192, false>();
    from_registers<256, true>();
}
