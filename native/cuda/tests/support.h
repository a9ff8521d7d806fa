// A small harness for tests of the device's primitives: they run on the emulation everywhere, and on a GPU where there is one.
#ifndef LUFFY_CUDA_TESTS_SUPPORT_H
#define LUFFY_CUDA_TESTS_SUPPORT_H

#include "../device/elements.h"
#include "../device/platform.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace test {

extern int failures;

inline void expect(bool holds, const std::string& what) {
    if (holds) return;
    std::printf("FAILED %s\n", what.c_str());
    failures++;
}

inline void require(cudaError_t error, const std::string& what) {
    if (error == cudaSuccess) return;
    std::printf("FAILED %s: %s\n", what.c_str(), cudaGetErrorString(error));
    std::exit(1);
}

// Bytes that a block may have at most.
inline int shared_memory_of_block() {
    cudaDeviceProp device{};
    require(cudaGetDeviceProperties(&device, 0), "device");
    return static_cast<int>(device.sharedMemPerBlockOptin);
}

// Device memory with a copy on the host.
template <class T> class Array {
  public:
    explicit Array(size_t n, T value = T{}) : host(n, value) {
        void* memory = nullptr;
        require(cudaMalloc(&memory, n * sizeof(T)), "allocate");
        device = static_cast<T*>(memory);
        upload();
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() { cudaFree(device); }
    void upload() { require(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice), "upload"); }
    void download() { require(cudaMemcpy(host.data(), device, host.size() * sizeof(T), cudaMemcpyDeviceToHost), "download"); }
    T& operator[](size_t i) { return host[i]; }
    size_t size() const { return host.size(); }

    std::vector<T> host;
    T* device;
};

// The error of the launch, or of the kernel.
template <class... P, class... A> cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A... arguments) {
    if (shared > 48 << 10) {
        const cudaError_t error =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
        if (error != cudaSuccess) return error;
    }
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    const cudaError_t error = cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
    return error != cudaSuccess ? error : cudaDeviceSynchronize();
}

// Small whole numbers, exact in bf16, and so are short sums of their products.
inline float whole_number(size_t i) { return static_cast<float>(static_cast<int>(i * 2654435761u >> 7 & 15) - 8); }

void attention();
void matrix();
void policy_loss();
void product();
void threads();
void memory();
void hopper();
void emulation();
void emulation_of_hopper();

} // namespace test

#endif
