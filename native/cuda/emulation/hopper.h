// The instructions of device/hopper.h in plain C++. Descriptors and swizzles are decoded from their bits, as the PTX ISA
// describes them
// ("Matrix Descriptor Format", "Strides", "Tensor Memory Access: swizzling modes"), so that a wrong one gives wrong numbers here
// too.
#ifndef LUFFY_CUDA_EMULATION_HOPPER_H
#define LUFFY_CUDA_EMULATION_HOPPER_H

#include "matrix.h"

#include <math.h>
#include <stdexcept>

namespace luffy {

struct TensorMap {
    const char* data;
    int64_t inner, outer, stride_bytes;
    int box_inner, box_outer;
};

namespace emulation {

// What a barrier's word holds: whoever else writes there spoils it.
constexpr uint64_t barrier_mark = 0x4241525249455221;

inline Barrier& barrier_at(uint64_t* address) {
    const auto barrier = barriers().find(address);
    if (barrier == barriers().end()) fail("an mbarrier is used before its initialisation");
    if (*address != barrier_mark) fail("an mbarrier was overwritten");
    return barrier->second;
}

// The phase ends when all arrivals and all bytes are there; only now the copies reach shared memory.
inline void complete(uint64_t* address, Barrier& barrier) {
    if (barrier.pending > 0) return;
    if (barrier.bytes_begun > barrier.bytes_expected) fail("more bytes are copied than an mbarrier expects");
    if (barrier.bytes_begun < barrier.bytes_expected) return;
    for (const auto& copy : barrier.copies) copy();
    barrier.copies.clear();
    barrier.bytes_begun = barrier.bytes_expected = 0;
    barrier.pending = barrier.count;
    barrier.phase ^= 1;
    wake(address);
}

inline void barrier_init(uint64_t* address, int count) {
    require_aligned(address, 8, "an mbarrier");
    *address = barrier_mark;
    Barrier& barrier = barriers()[address];
    barrier = {};
    barrier.count = barrier.pending = count;
}

inline void barrier_arrive(uint64_t* address, int64_t bytes) {
    Barrier& barrier = barrier_at(address);
    if (barrier.pending == 0) fail("more threads arrive at an mbarrier than it counts");
    barrier.bytes_expected += bytes;
    barrier.pending--;
    complete(address, barrier);
}

inline void barrier_wait(uint64_t* address, uint32_t parity) {
    while (barrier_at(address).phase == parity) wait_for("an mbarrier", address);
}

inline uint32_t swizzle_128(uint32_t address) { return address ^ (address >> 7 & 7) << 4; }

inline void copy_tile_now(void* to, const TensorMap& map, int inner, int outer) {
    const uint32_t start = shared_address(to);
    for (int line = 0; line < map.box_outer; line++) {
        for (int i = 0; i < map.box_inner; i++) {
            const int64_t row = int64_t{outer} + line, column = int64_t{inner} + i;
            const bool inside = row >= 0 && row < map.outer && column >= 0 && column < map.inner;
            uint16_t element = 0;
            if (inside) memcpy(&element, map.data + row * map.stride_bytes + column * 2, 2);
            memcpy(shared_pointer(swizzle_128(start + static_cast<uint32_t>(line * map.box_inner + i) * 2), 2), &element, 2);
        }
    }
}

inline void copy_tile(void* to, const TensorMap& map, int inner, int outer, uint64_t* address) {
    require_aligned(to, 1024, "a tile that TMA writes with 128-byte swizzle");
    const int64_t bytes = int64_t{2} * map.box_inner * map.box_outer;
    memset(shared_pointer(shared_address(to), static_cast<size_t>(bytes)), 0xFF, static_cast<size_t>(bytes));
    Barrier& barrier = barrier_at(address);
    barrier.copies.push_back([=] { copy_tile_now(to, map, inner, outer); });
    barrier.bytes_begun += bytes;
    complete(address, barrier);
}

inline TensorMap tensor_map(const void* data, int64_t inner, int64_t outer, int64_t stride, int box_inner, int box_outer) {
    const int64_t most = int64_t{1} << 32;
    if (reinterpret_cast<uintptr_t>(data) % 16 != 0 || stride * 2 % 16 != 0 || stride * 2 >= int64_t{1} << 40 || inner < 1 ||
        inner > most || outer < 1 || outer > most || box_inner < 8 || box_inner % 8 != 0 || box_inner > 64 || box_outer < 1 ||
        box_outer > 256) {
        throw std::runtime_error("a tensor map that TMA does not take");
    }
    return {static_cast<const char*>(data), inner, outer, stride * 2, box_inner, box_outer};
}

// An element of an operand: `mn` is its row of A or its column of B.
inline float operand_element(uint64_t descriptor, bool transposed, int mn, int k) {
    const auto field = [&](int bit) { return static_cast<uint32_t>(descriptor >> bit & 0x3FFF) << 4; };
    const uint32_t start = field(0), leading = field(16), stride = field(32);
    constexpr uint64_t known = 0x3FFFull | 0x3FFFull << 16 | 0x3FFFull << 32 | 3ull << 62;
    if ((descriptor & ~known) != 0 || descriptor >> 62 != 1)
        fail("a matrix descriptor that is not of 128-byte swizzle from offset 0");
    if ((start >> 7 & 7) != 0) fail("a matrix descriptor starts inside of the swizzle's pattern");
    const uint32_t row = static_cast<uint32_t>(mn), term = static_cast<uint32_t>(k);
    // Lines of 128 bytes in groups of eight. Of K-major operands a line is a row, and of the others a term.
    const uint32_t address = transposed ? start + row / 64 * leading + term / 8 * stride + term % 8 * 128 + row % 64 * 2
                                        : start + row / 8 * stride + row % 8 * 128 + term * 2;
    uint16_t bits;
    memcpy(&bits, shared_pointer(swizzle_128(address), 2), 2);
    return from_bf16(bits);
}

// Towards zero, unlike mma: kernels whose results must be the same bits may not mix the two.
inline float accumulate_truncated(float c, const double (&products)[16]) {
    double sum = c;
    for (double product : products) sum += product;
    const float rounded = static_cast<float>(sum);
    return fabs(static_cast<double>(rounded)) > fabs(sum) ? nextafterf(rounded, 0) : rounded;
}

struct WaitingThread {
    ThreadState* state;
    size_t products; // that must be done
};

inline void multiply_group(const Arguments& threads) {
    const auto thread = [&](int i) -> WaitingThread& { return *static_cast<WaitingThread*>(threads[static_cast<size_t>(i)]); };
    static std::vector<double> a(64 * 16), b(256 * 16);
    for (size_t step = 0; step < thread(0).products; step++) {
        const MatrixOperation& operation = thread(0).state->products[step];
        for (int i = 0; i < 128; i++) {
            if (thread(i).products != thread(0).products) fail("the threads of a warpgroup wait for different products");
            const MatrixOperation& own = thread(i).state->products[step];
            if (own.a != operation.a || own.b != operation.b || own.columns != operation.columns) {
                fail("the threads of a warpgroup have different descriptors");
            }
            for (int r = 0; operation.a_in_registers && r < 8; r++) {
                const int row = i / 32 * 16 + i % 32 / 4 + 8 * (r / 2 % 2), k = 2 * (i % 4) + r % 2 + 8 * (r / 4);
                a[static_cast<size_t>(row * 16 + k)] = half_of(own.a_registers[r / 2], r % 2);
            }
        }
        for (int k = 0; k < 16; k++) {
            for (int row = 0; row < 64 && !operation.a_in_registers; row++) {
                a[static_cast<size_t>(row * 16 + k)] = operand_element(operation.a, operation.a_transposed, row, k);
            }
            for (int column = 0; column < operation.columns; column++) {
                b[static_cast<size_t>(column * 16 + k)] = operand_element(operation.b, operation.b_transposed, column, k);
            }
        }
        for (int i = 0; i < 128; i++) {
            float* sums = thread(i).state->products[step].sums;
            for (int r = 0; r < operation.columns / 2; r++) {
                const int row = i / 32 * 16 + i % 32 / 4 + 8 * (r / 2 % 2), column = r / 4 * 8 + 2 * (i % 4) + r % 2;
                double products[16];
                for (int k = 0; k < 16; k++)
                    products[k] = a[static_cast<size_t>(row * 16 + k)] * b[static_cast<size_t>(column * 16 + k)];
                sums[r] = accumulate_truncated(sums[r], products);
            }
        }
    }
}

inline void wgmma(const MatrixOperation& operation) {
    if (!thread_state().products_fenced) fail("wgmma without wgmma.fence before it");
    thread_state().products.push_back(operation);
}

inline void wgmma_commit() {
    ThreadState& thread = thread_state();
    thread.product_groups.push_back(thread.products.size());
    thread.products_fenced = false;
}

// Operands are read, and sums written, when the products are waited for.
inline void wgmma_wait(size_t under_way) {
    ThreadState& thread = thread_state();
    const size_t groups = thread.product_groups.size() > under_way ? thread.product_groups.size() - under_way : 0;
    const size_t done = groups == 0 ? 0 : thread.product_groups[groups - 1];
    WaitingThread waiting{&thread, done};
    meet_warpgroup("wgmma.wait_group", static_cast<int>(under_way), &waiting, multiply_group);
    thread.products.erase(thread.products.begin(), thread.products.begin() + static_cast<ptrdiff_t>(done));
    thread.product_groups.erase(thread.product_groups.begin(), thread.product_groups.begin() + static_cast<ptrdiff_t>(groups));
    for (size_t& end : thread.product_groups) end -= done;
}

} // namespace emulation
} // namespace luffy

#endif
