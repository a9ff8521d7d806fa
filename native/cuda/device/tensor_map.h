// What the copy engine (TMA) must know of a matrix, made on the host and handed to kernels by value, as `const
// __grid_constant__`.
#ifndef LUFFY_CUDA_TENSOR_MAP_H
#define LUFFY_CUDA_TENSOR_MAP_H

#include <cuda.h>
#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace luffy {

struct TensorMap {
    CUtensorMap map;
};

// The driver's function: the library must load where there is no driver.
inline decltype(&cuTensorMapEncodeTiled) tensor_map_encoder() {
    static const auto encoder = [] {
        void* driver = dlopen("libcuda.so.1", RTLD_NOW);
        void* function = driver == nullptr ? nullptr : dlsym(driver, "cuTensorMapEncodeTiled");
        if (function == nullptr)
            throw std::runtime_error("the NVIDIA driver has no cuTensorMapEncodeTiled; products by wgmma need one for CUDA 12");
        return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
    }();
    return encoder;
}

// A matrix of bf16: `outer` lines of `inner` elements, `stride` elements apart; a box of it has box_outer lines of box_inner
// elements, at most 256 and 64. The data is aligned to 16 bytes, and so is every line.
inline TensorMap tensor_map(const void* data, int64_t inner, int64_t outer, int64_t stride, int box_inner, int box_outer) {
    const cuuint64_t extents[2] = {static_cast<cuuint64_t>(inner), static_cast<cuuint64_t>(outer)};
    const cuuint64_t strides[1] = {static_cast<cuuint64_t>(stride) * 2};
    const cuuint32_t box[2] = {static_cast<cuuint32_t>(box_inner), static_cast<cuuint32_t>(box_outer)}, steps[2] = {1, 1};
    TensorMap result;
    const CUresult status =
        tensor_map_encoder()(&result.map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(data), extents, strides, box,
                             steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (status != CUDA_SUCCESS) {
        throw std::runtime_error("the driver refuses a tensor map of " + std::to_string(outer) + " lines of " +
                                 std::to_string(inner) + " elements, " + std::to_string(stride) + " apart (error " +
                                 std::to_string(status) + ")");
    }
    return result;
}

} // namespace luffy

#endif
