// Storage: conversions of bf16, vectors, and what the run-time library promises.
#include "../device/math.h"
#include "support.h"

#include <cmath>

using namespace luffy;

namespace {

__global__ void __launch_bounds__(32) convert_kernel(uint16_t* halves, uint32_t* pairs, const float* values, int n) {
    for (int i = static_cast<int>(threadIdx.x); i < n; i += 32) {
        halves[i] = to_bf16(values[i]).bits;
        pairs[i] = pack_bf16(values[i], values[n - 1 - i]);
    }
}

template <class T, int N> __global__ void __launch_bounds__(32) vector_kernel(T* to, const T* from) {
    Vector<T, N> x = load_vector<N>(from + threadIdx.x * N);
    for (int i = 0; i < N; i++) store(&x[i], load(&x[i]) + 1);
    store_vector(to + threadIdx.x * N, x);
}

__global__ void __launch_bounds__(32) function_kernel(float* results) {
    results[0] = device_exp(-infinity());
    results[1] = device_exp(1.0f);
    results[2] = device_log(0.0f);
    results[3] = device_log(10.0f);
}

template <class T, int N> void vectors(const char* name) {
    test::Array<T> from(32 * N), to(32 * N);
    for (size_t i = 0; i < from.size(); i++) store(&from[i], static_cast<float>(i % 100));
    from.upload();
    test::require(test::launch(vector_kernel<T, N>, 1, 32, 0, to.device, from.device), name);
    to.download();
    for (size_t i = 0; i < to.size(); i++) {
        test::expect(to_float(to[i]) == static_cast<float>(i % 100 + 1), std::string(name) + ": element " + std::to_string(i));
    }
}

} // namespace

void test::memory() {
    // One, the neighbours of ties, a tie to even each way, the largest, what becomes infinity, subnormals, zeros, NaN.
    const uint32_t bits[] = {0x3F800000, 0x3F808000, 0x3F808001, 0x3F818000, 0x3F817FFF, 0x7F7F0000,
                             0x7F7FFFFF, 0x00000001, 0x00018000, 0x80000000, 0,          0x7FC00001};
    const uint16_t rounded[] = {0x3F80, 0x3F80, 0x3F81, 0x3F82, 0x3F81, 0x7F7F, 0x7F80, 0, 2, 0x8000, 0};
    constexpr size_t n = sizeof bits / sizeof bits[0];
    Array<float> values(n);
    Array<uint16_t> halves(n);
    Array<uint32_t> pairs(n);
    for (size_t i = 0; i < n; i++) values[i] = float_of_bits(bits[i]);
    values.upload();
    require(launch(convert_kernel, 1, 32, 0, halves.device, pairs.device, values.device, static_cast<int>(n)), "bf16");
    halves.download(), pairs.download();
    for (size_t i = 0; i < n; i++) {
        const bool nan = i == n - 1;
        expect(nan ? std::isnan(to_float(bf16{halves[i]})) : halves[i] == rounded[i], "bf16 of value " + std::to_string(i));
        expect(nan ? std::isnan(to_float(to_bf16(values[i]))) : to_bf16(values[i]).bits == rounded[i],
               "bf16 on the host of value " + std::to_string(i));
        expect(pairs[i] == (halves[i] | static_cast<uint32_t>(halves[n - 1 - i]) << 16), "pair " + std::to_string(i));
    }

    vectors<float, 4>("four floats");
    vectors<float, 2>("two floats");
    vectors<bf16, 8>("eight of bf16");
    vectors<bf16, 2>("two of bf16");

    Array<float> results(4);
    require(launch(function_kernel, 1, 32, 0, results.device), "functions");
    results.download();
    expect(results[0] == 0 && std::fabs(results[1] - 2.7182817f) < 5e-7f, "exponential");
    expect(std::isinf(results[2]) && results[2] < 0 && std::fabs(results[3] - 2.3025851f) < 5e-7f, "logarithm");
}
