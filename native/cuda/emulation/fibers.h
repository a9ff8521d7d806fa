// Blocks of threads as fibers of one thread of the host: `run` starts a grid, the rest is what its threads call.
#ifndef LUFFY_CUDA_EMULATION_FIBERS_H
#define LUFFY_CUDA_EMULATION_FIBERS_H

#include <stddef.h>
#include <stdint.h>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
};

// Of the thread that runs.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace luffy::emulation {

// What the threads that met brought, by their place in the warp, group of warps or block; null for lanes that the mask leaves
// out.
using Arguments = std::vector<void*>;
using Together = void (*)(const Arguments&);

// These return when everybody has come; the last to come first calls `together`. All must come with the same name and line.
void meet_block(const char* name, int line, void* argument, Together together);
void meet_warp(const char* name, unsigned mask, int line, void* argument, Together together);
// The 128 threads of four warps, the first a multiple of four.
void meet_warpgroup(const char* name, int line, void* argument, Together together);
// bar.sync of a barrier 1 … 15 that `threads` threads make full.
void meet_barrier(int barrier, int threads);
// Waits until another thread wakes those that wait for the same object; `name` is for the report of a deadlock.
void wait_for(const char* name, const void* object);
void wake(const void* object);

// Ends the kernel: its launch returns cudaErrorLaunchFailure, and cudaGetErrorString tells the text.
[[noreturn]] void fail(const std::string& text);
// Ends the kernel where p is not a multiple of `bytes`.
void require_aligned(const void* p, size_t bytes, const char* what);

int thread_index(); // in the block
inline int lane_index() { return thread_index() % 32; }

// The block's dynamic shared memory: the bytes asked for and no more, 0xFF each, at an address that is 16 modulo 1024.
void* dynamic_shared();
// Dynamic shared memory as the 32-bit addresses of instructions. Both end the kernel where the bytes are not inside it.
uint32_t shared_address(const void* p);
void* shared_pointer(uint32_t address, size_t bytes);

// What instructions keep of a thread until it waits for them; the groups are the ends of what was committed.
struct AsynchronousCopy {
    void* to;
    const void* from; // null: zeros
};
struct MatrixOperation {
    float* sums;
    uint64_t a, b; // descriptors
    uint32_t a_registers[4];
    int columns;
    bool a_in_registers, a_transposed, b_transposed;
};
struct ThreadState {
    std::vector<AsynchronousCopy> copies;
    std::vector<size_t> copy_groups;
    std::vector<MatrixOperation> products;
    std::vector<size_t> product_groups;
    bool products_fenced = false;
};
ThreadState& thread_state();

// The block's mbarriers by address; they end with the block.
struct Barrier {
    int count = 0, pending = 0; // arrivals of a phase, and those to come
    int64_t bytes_expected = 0, bytes_begun = 0;
    unsigned phase = 0;
    std::vector<std::function<void()>> copies;
};
std::unordered_map<const void*, Barrier>& barriers();

// Runs a grid. The text of what went wrong, empty where nothing did.
std::string run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

} // namespace luffy::emulation

#endif
