// A small harness for the native tests: tensors over vectors, random numbers, checks. Expected values are computed in f64.
#ifndef LUFFY_CPU_TESTS_SUPPORT_H
#define LUFFY_CPU_TESTS_SUPPORT_H

#include <luffy_kernels.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace test {

extern const lf_kernels* table;
extern lf_context* context;
extern int failures;

inline float from_bf16(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &wide, 4);
    return x;
}

inline uint16_t to_bf16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// A tensor with memory of its own, followed by a guard that no kernel may touch.
class Tensor {
  public:
    Tensor() = default;
    Tensor(int32_t dtype, std::vector<int64_t> dims) {
        view.dtype = dtype;
        for (int i = 0; i < 4; i++) view.dim[i] = i < static_cast<int>(dims.size()) ? dims[static_cast<size_t>(i)] : 1;
        count = view.dim[0] * view.dim[1] * view.dim[2] * view.dim[3];
        bytes.assign(static_cast<size_t>(count * size()) + guard, 0);
        std::memset(bytes.data() + count * size(), 0xA5, guard);
        view.data = bytes.data();
    }
    Tensor(const Tensor& other) { *this = other; }
    Tensor& operator=(const Tensor& other) {
        view = other.view;
        count = other.count;
        bytes = other.bytes;
        if (view.data != nullptr) view.data = bytes.data();
        return *this;
    }

    operator const lf_tensor*() const { return &view; }
    int64_t size() const { return view.dtype == LF_BF16 ? 2 : view.dtype == LF_U8 ? 1 : 4; }
    float* f32() { return reinterpret_cast<float*>(bytes.data()); }
    int32_t* i32() { return reinterpret_cast<int32_t*>(bytes.data()); }
    double at(int64_t i) const {
        if (view.dtype == LF_BF16) return from_bf16(reinterpret_cast<const uint16_t*>(bytes.data())[i]);
        if (view.dtype == LF_I32) return reinterpret_cast<const int32_t*>(bytes.data())[i];
        return reinterpret_cast<const float*>(bytes.data())[i];
    }
    void set(int64_t i, double value) {
        if (view.dtype == LF_BF16)
            reinterpret_cast<uint16_t*>(bytes.data())[i] = to_bf16(static_cast<float>(value));
        else if (view.dtype == LF_I32)
            i32()[i] = static_cast<int32_t>(value);
        else
            f32()[i] = static_cast<float>(value);
    }
    bool guard_intact() const {
        for (size_t i = static_cast<size_t>(count * size()); i < bytes.size(); i++) {
            if (bytes[i] != 0xA5) return false;
        }
        return true;
    }

    lf_tensor view{};
    int64_t count = 0;
    static constexpr size_t guard = 64;
    std::vector<uint8_t> bytes;
};

// Uniform in −1 … 1, the same sequence everywhere.
class Random {
  public:
    explicit Random(uint64_t seed) : state(seed * 2862933555777941757ull + 3037000493ull) {}
    double next() {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<double>(state >> 11) * 0x1p-52 - 1.0;
    }
    int64_t below(int64_t n) { return static_cast<int64_t>((next() * 0.5 + 0.5) * static_cast<double>(n)) % n; }
    Tensor tensor(int32_t dtype, std::vector<int64_t> dims, double scale = 1) {
        Tensor t(dtype, std::move(dims));
        for (int64_t i = 0; i < t.count; i++) t.set(i, scale * next());
        return t;
    }

  private:
    uint64_t state;
};

inline void fail(const std::string& what) {
    std::printf("FAILED %s\n", what.c_str());
    failures++;
}

inline void ok(lf_status status, const std::string& what) {
    if (status != LF_OK) fail(what + ": " + table->last_error());
}

inline void near(double actual, double expected, double tolerance, const std::string& what) {
    if (!(std::fabs(actual - expected) <= tolerance))
        fail(what + ": " + std::to_string(actual) + ", expected " + std::to_string(expected) + " within " +
             std::to_string(tolerance));
}

// The largest difference, relative to the largest magnitude expected, must stay below the tolerance of the dtype.
inline void all_near(const Tensor& actual, const std::vector<double>& expected, double tolerance, const std::string& what) {
    double scale = 1e-6, worst = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < actual.count; i++) {
        scale = std::fmax(scale, std::fabs(expected[static_cast<size_t>(i)]));
        const double difference = std::fabs(actual.at(i) - expected[static_cast<size_t>(i)]);
        if (!(difference <= worst)) {
            worst = difference;
            at = i;
        }
    }
    if (!(worst <= tolerance * scale)) {
        fail(what + ": element " + std::to_string(at) + " is " + std::to_string(actual.at(at)) + ", expected " +
             std::to_string(expected[static_cast<size_t>(at)]) + " (largest magnitude " + std::to_string(scale) + ")");
    }
    if (!actual.guard_intact()) fail(what + ": wrote beyond the tensor");
}

inline void same_bits(const void* a, const void* b, int64_t bytes, const std::string& what) {
    if (std::memcmp(a, b, static_cast<size_t>(bytes)) != 0) fail(what + ": bits differ");
}

inline const char* name(int32_t dtype) { return dtype == LF_F32 ? " f32" : " bf16"; }
// What rounding the operands' products and the result may cost, relative to the largest element.
inline double tolerance(int32_t dtype) { return dtype == LF_F32 ? 2e-5 : 1.6e-2; }

void linear();
void layers();
void attention();
void policy();
void sampling();

} // namespace test

#endif
