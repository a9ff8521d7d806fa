#include "blas.h"

#include "device/elements.h"

#if !defined(LUFFY_CUDA_EMULATION) && __has_include(<cublasLt.h>)
#define LUFFY_CUDA_BLAS 1
#include <cublasLt.h>
#include <dlfcn.h>
#else
#define LUFFY_CUDA_BLAS 0
#endif

#include <array>
#include <map>
#include <string>

namespace luffy {

bool Blas::takes(const ProductArguments& p) { return p.k > 0 && (p.bias == nullptr || p.dtype == p.c_dtype); }

#if LUFFY_CUDA_BLAS

namespace {

void check(const char* name, cublasStatus_t status) {
    if (status != CUBLAS_STATUS_SUCCESS)
        throw std::runtime_error(std::string(name) + ": cuBLASLt failed with status " + std::to_string(static_cast<int>(status)));
}

cudaDataType_t type_of(int32_t dtype) { return dtype == LF_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

// The largest power of two, up to 256, that an address is a multiple of.
uint32_t alignment_of(const void* p) {
    const auto bits = reinterpret_cast<uintptr_t>(p) | 256;
    return static_cast<uint32_t>(bits & (~bits + 1));
}

// All that the choice of an algorithm depends on.
using Key = std::array<int64_t, 14>;

Key key_of(const ProductArguments& p) {
    return {static_cast<int64_t>(p.layout),
            p.dtype,
            p.c_dtype,
            p.adds,
            p.bias != nullptr,
            p.m,
            p.n,
            p.k,
            p.a_stride,
            p.b_stride,
            p.c_stride,
            alignment_of(p.a),
            alignment_of(p.b),
            alignment_of(p.c)};
}

} // namespace

// The functions that are called, and what was chosen so far.
struct Blas::Library {
    struct Plan {
        cublasLtMatmulDesc_t operation;
        cublasLtMatrixLayout_t first, second, result;
        cublasLtMatmulAlgo_t algorithm;
    };

    // What NVIDIA recommends for Hopper. Not the context's, which the operation that wants a product may be using.
    static constexpr size_t workspace_bytes = size_t{32} << 20;

    void* file = nullptr;
    void* workspace = nullptr;
    cublasLtHandle_t handle = nullptr;
    std::map<Key, Plan> plans;

    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulDescCreate) create_operation;
    decltype(&cublasLtMatmulDescDestroy) destroy_operation;
    decltype(&cublasLtMatmulDescSetAttribute) set_operation;
    decltype(&cublasLtMatrixLayoutCreate) create_layout;
    decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
    decltype(&cublasLtMatmulPreferenceCreate) create_preference;
    decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
    decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
    decltype(&cublasLtMatmulAlgoGetHeuristic) choose;

    template <class F> void find(F& function, const char* name) {
        function = reinterpret_cast<F>(dlsym(file, name));
        if (function == nullptr) throw std::runtime_error(std::string("libcublasLt has no function ") + name);
    }

    void open() {
        // The major version of the headers first: what is compiled in are its structures.
        constexpr int built = CUDART_VERSION / 1000;
        for (int version : {built, built == 13 ? 12 : 13}) {
            file = dlopen(("libcublasLt.so." + std::to_string(version)).c_str(), RTLD_NOW | RTLD_LOCAL);
            if (file != nullptr) break;
        }
        if (file == nullptr) {
            throw std::runtime_error("the fast mode (--fast) needs libcublasLt.so." + std::to_string(built) +
                                     ", which cannot be opened: install cuBLAS of CUDA " + std::to_string(built) +
                                     " (libcublas-" + std::to_string(built) +
                                     "-… of NVIDIA's repository) or put its folder into "
                                     "LD_LIBRARY_PATH");
        }
        find(create, "cublasLtCreate");
        find(destroy, "cublasLtDestroy");
        find(matmul, "cublasLtMatmul");
        find(create_operation, "cublasLtMatmulDescCreate");
        find(destroy_operation, "cublasLtMatmulDescDestroy");
        find(set_operation, "cublasLtMatmulDescSetAttribute");
        find(create_layout, "cublasLtMatrixLayoutCreate");
        find(destroy_layout, "cublasLtMatrixLayoutDestroy");
        find(create_preference, "cublasLtMatmulPreferenceCreate");
        find(destroy_preference, "cublasLtMatmulPreferenceDestroy");
        find(set_preference, "cublasLtMatmulPreferenceSetAttribute");
        find(choose, "cublasLtMatmulAlgoGetHeuristic");
        check("cublasLtCreate", create(&handle));
        luffy::check("cuBLASLt's workspace", cudaMalloc(&workspace, workspace_bytes));
    }

    ~Library() {
        for (const auto& [key, plan] : plans) {
            destroy_operation(plan.operation);
            for (cublasLtMatrixLayout_t layout : {plan.first, plan.second, plan.result}) destroy_layout(layout);
        }
        if (workspace != nullptr) cudaFree(workspace);
        if (handle != nullptr) destroy(handle);
        if (file != nullptr) dlclose(file);
    }

    template <class T>
    void set(const char* name, cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, T value) {
        check(name, set_operation(operation, attribute, &value, sizeof value));
    }

    // The library's matrices are column-major: it is given Cᵀ = B·Aᵀ, in which each of ours is its own transpose.
    void describe(Plan& plan, const char* name, const ProductArguments& p) {
        check(name, create_operation(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
        const bool b_transposed = p.layout == ProductLayout::nt, a_transposed = p.layout == ProductLayout::tn;
        set(name, plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(name, plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
        if (p.bias != nullptr) {
            set(name, plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
            set(name, plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
        }
        const auto rows = [](int64_t n) { return static_cast<uint64_t>(n); };
        const cudaDataType_t type = type_of(p.dtype);
        check(name, create_layout(&plan.first, type, rows(b_transposed ? p.k : p.n), rows(b_transposed ? p.n : p.k), p.b_stride));
        check(name,
              create_layout(&plan.second, type, rows(a_transposed ? p.m : p.k), rows(a_transposed ? p.k : p.m), p.a_stride));
        check(name, create_layout(&plan.result, type_of(p.c_dtype), rows(p.n), rows(p.m), p.c_stride));
    }

    void choose_algorithm(Plan& plan, const char* name, const ProductArguments& p) {
        cublasLtMatmulPreference_t preference = nullptr;
        check(name, create_preference(&preference));
        const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
            check(name, set_preference(preference, attribute, &value, sizeof value));
        };
        prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{workspace_bytes});
        prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(p.b));
        prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(p.a));
        prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(p.c));
        prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(p.c));
        cublasLtMatmulHeuristicResult_t found{};
        int count = 0;
        const cublasStatus_t status =
            choose(handle, plan.operation, plan.first, plan.second, plan.result, plan.result, preference, 1, &found, &count);
        destroy_preference(preference);
        check(name, status);
        if (count == 0) throw std::runtime_error(std::string(name) + ": cuBLASLt has no algorithm for this product");
        plan.algorithm = found.algo;
    }
};

Blas::Blas() : library(std::make_unique<Library>()) { library->open(); }

void Blas::product(const Runtime& runtime, const char* name, const ProductArguments& p) {
    Library& l = *library;
    const auto [found, is_new] = l.plans.try_emplace(key_of(p));
    Library::Plan& plan = found->second;
    if (is_new) {
        try {
            l.describe(plan, name, p);
            l.choose_algorithm(plan, name, p);
        } catch (...) {
            l.plans.erase(found);
            throw;
        }
    }
    if (p.bias != nullptr) l.set(name, plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    const float alpha = 1, beta = p.adds ? 1.0f : 0.0f;
    check(name,
          l.matmul(l.handle, plan.operation, &alpha, p.b, plan.first, p.a, plan.second, &beta, p.c, plan.result, p.c, plan.result,
                   &plan.algorithm, runtime.workspace, static_cast<size_t>(runtime.workspace_bytes), runtime.stream));
    if (runtime.checks_launches) check(name, cudaStreamSynchronize(runtime.stream));
}

#elif defined(LUFFY_CUDA_EMULATION)

struct Blas::Library {};

Blas::Blas() : library(std::make_unique<Library>()) {}

namespace {

// A loop in place of the library. Its sums descend over K, so that a test can tell one mode from the other.
template <class T> __global__ void loop_kernel(ProductArguments p) {
    const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, i = index / p.n, j = index % p.n;
    if (i >= p.m) return;
    float* wide = static_cast<float*>(p.c) + i * p.c_stride + j;
    const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b);
    float sum = 0;
    for (int64_t k = p.k - 1; k >= 0; k--) {
        const float x = to_float(p.layout == ProductLayout::tn ? a[k * p.a_stride + i] : a[i * p.a_stride + k]);
        sum = fmaf(x, to_float(p.layout == ProductLayout::nt ? b[j * p.b_stride + k] : b[k * p.b_stride + j]), sum);
    }
    if (p.adds) sum += *wide;
    if (p.bias != nullptr) sum += to_float(static_cast<const T*>(p.bias)[j]);
    if (p.c_dtype == LF_BF16)
        static_cast<bf16*>(p.c)[i * p.c_stride + j] = to_bf16(sum);
    else
        *wide = sum;
}

} // namespace

void Blas::product(const Runtime& runtime, const char* name, const ProductArguments& p) {
    const dim3 grid(static_cast<unsigned>(blocks_of(p.m * p.n, 128)));
    if (p.dtype == LF_BF16)
        launch(runtime, name, loop_kernel<bf16>, grid, dim3(128), 0, p);
    else
        launch(runtime, name, loop_kernel<float>, grid, dim3(128), 0, p);
}

#else

struct Blas::Library {};

Blas::Blas() { throw std::runtime_error("this library was built without cublasLt.h, which the fast mode (--fast) needs"); }

void Blas::product(const Runtime&, const char*, const ProductArguments&) {}

#endif

Blas::~Blas() = default;

} // namespace luffy
