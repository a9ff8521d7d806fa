// Every class of product tiles, in every layout, against sums in f64; and the same bits from all classes that multiply by the
// same instruction, whatever the tile, the alignment of rows and the number of rows: what batch invariance rests on.
#include "../blas.h"
#include "../ops/product_kernel.h"
#include "../ops/product_tiles.h"
#include "support.h"

#include <cmath>
#include <cstring>
#include <type_traits>

using namespace luffy;

namespace {

struct Shape {
    int m, n, k;
};

float fraction(size_t i) { return static_cast<float>(static_cast<int>(i * 2654435761u >> 5 & 0xFFFF) - 0x8000) / 0x10000; }

template <class T> T stored(float x) {
    if constexpr (std::is_same_v<T, bf16>)
        return to_bf16(x);
    else
        return x;
}

// A matrix and its transpose's place in memory: NaNs fill rows up.
template <class T> struct Input {
    bool transposed;
    int64_t extent, depth, stride;
    test::Array<T> memory;

    Input(bool is_transposed, int extent_of, int depth_of, int odd)
        : transposed(is_transposed), extent(extent_of), depth(depth_of),
          stride(((transposed ? extent : depth) + 7) / 8 * 8 + (odd != 0 ? 3 : 8)),
          memory(static_cast<size_t>(stride * (transposed ? depth : extent)), stored<T>(NAN)) {
        for (int64_t i = 0; i < extent; i++)
            for (int64_t k = 0; k < depth; k++)
                memory[place(i, k)] = stored<T>(fraction(static_cast<size_t>(i * 1009 + k + depth)));
        memory.upload();
    }
    size_t place(int64_t i, int64_t k) const { return static_cast<size_t>(transposed ? k * stride + i : i * stride + k); }
    double at(int64_t i, int64_t k) { return static_cast<double>(to_float(memory[place(i, k)])); }
    ProductMatrix<T> matrix() const { return {memory.device, extent, depth, stride}; }
};

enum class Result { sums, added, rounded_with_bias };

template <class C> std::vector<float> floats(test::Array<C>& result) {
    result.download();
    std::vector<float> values(result.size());
    for (size_t i = 0; i < values.size(); i++) values[i] = to_float(result[i]);
    return values;
}

// The product by one class of tiles, and where it differs from the truth.
template <class P, class C>
std::vector<float> multiply(const std::string& what, Input<typename P::Element>& a, Input<typename P::Element>& b, const Shape& s,
                            Result kind) {
    using T = typename P::Element;
    const size_t length = static_cast<size_t>(s.m) * static_cast<size_t>(s.n);
    test::Array<C> c(length);
    test::Array<T> bias(static_cast<size_t>(s.n));
    for (size_t i = 0; i < length; i++) c[i] = stored<C>(fraction(i + 5));
    for (size_t i = 0; i < bias.size(); i++) bias[i] = stored<T>(fraction(i + 7));
    c.upload(), bias.upload();

    ProductArguments p{};
    p.m = s.m, p.n = s.n, p.k = s.k;
    p.c = c.device;
    p.c_stride = s.n;
    p.c_dtype = std::is_same_v<C, bf16> ? LF_BF16 : LF_F32;
    p.adds = kind == Result::added;
    p.bias = kind == Result::rounded_with_bias ? bias.device : nullptr;
    const int64_t tiles = tiles_of<P>(p), blocks = P::loads_ahead && tiles > 3 ? 3 : tiles;
    test::require(test::launch(product_kernel<P>, dim3(static_cast<unsigned>(blocks)), dim3(P::threads),
                               P::shared_bytes + P::strip_bytes, P::operand_a(a.matrix()), P::operand_b(b.matrix()),
                               product_result(p)),
                  what);
    const std::vector<float> before(floats(bias)), values = floats(c);
    for (int i = 0; i < s.m; i++) {
        for (int j = 0; j < s.n; j++) {
            const size_t index = static_cast<size_t>(i) * static_cast<size_t>(s.n) + static_cast<size_t>(j);
            double truth = 0, magnitude = 1;
            if (kind == Result::added) truth = static_cast<double>(fraction(index + 5));
            for (int k = 0; k < s.k; k++) {
                truth += a.at(i, k) * b.at(j, k);
                magnitude += std::fabs(a.at(i, k) * b.at(j, k));
            }
            if (p.bias != nullptr) truth += static_cast<double>(before[static_cast<size_t>(j)]);
            const double error = std::fabs(static_cast<double>(values[index]) - truth);
            const double bound = std::is_same_v<C, bf16> ? std::fabs(truth) / 256 + magnitude * 1e-5 : magnitude * 1e-5;
            if (!(error <= bound)) {
                test::expect(false, what + ": row " + std::to_string(i) + ", column " + std::to_string(j));
                return values;
            }
        }
    }
    return values;
}

// The rows that both have are the same bits.
void expect_same(const std::string& what, const std::vector<float>& some, const std::vector<float>& whole) {
    const size_t length = some.size() < whole.size() ? some.size() : whole.size();
    test::expect(std::memcmp(some.data(), whole.data(), length * sizeof(float)) == 0, what + ": other bits");
}

template <class First, class... Others> void compare(const std::string& layout, bool a_transposed, bool b_transposed, int odd) {
    using T = typename First::Element;
    // Several tiles of each class and a part of one; a few rows of the same.
    const Shape whole{136, 296, 208}, few{5, 296, 208};
    Input<T> a(a_transposed, whole.m, whole.k, odd), b(b_transposed, whole.n, whole.k, odd);
    Input<T> some(a_transposed, few.m, few.k, odd);
    using Rounded = std::conditional_t<std::is_same_v<T, bf16>, bf16, float>;
    const std::vector<float> sums = multiply<First, float>(layout, a, b, whole, Result::sums);
    const std::vector<float> added = multiply<First, float>(layout + " +=", a, b, whole, Result::added);
    multiply<First, Rounded>(layout + " rounded", a, b, whole, Result::rounded_with_bias);
    const auto check = [&]<class P>(const std::string& tile) {
        expect_same(tile, multiply<P, float>(tile, a, b, whole, Result::sums), sums);
        expect_same(tile + " +=", multiply<P, float>(tile + " +=", a, b, whole, Result::added), added);
        multiply<P, Rounded>(tile + " rounded", a, b, whole, Result::rounded_with_bias);
        expect_same(tile + " of a few rows", multiply<P, float>(tile + " of a few rows", some, b, few, Result::sums), sums);
    };
    (check.template operator()<Others>(layout + ", " + std::to_string(Others::rows) + " x " + std::to_string(Others::columns)),
     ...);
    // Rows that begin anywhere take other loads.
    if constexpr (!First::loads_ahead) {
        if (odd == 0) {
            Input<T> odd_a(a_transposed, whole.m, whole.k, 1), odd_b(b_transposed, whole.n, whole.k, 1);
            expect_same(layout + " unaligned", multiply<First, float>(layout + " unaligned", odd_a, odd_b, whole, Result::sums),
                        sums);
        }
    }
}

template <Major major_a, Major major_b> void layouts(const std::string& layout, bool hopper) {
    constexpr bool a_transposed = major_a == Major::mn, b_transposed = major_b == Major::mn;
    compare<typename FmaTiles<major_a, major_b>::Large, typename FmaTiles<major_a, major_b>::Small>(
        "fma, " + layout, a_transposed, b_transposed, 0);
    using Mma = MmaTiles<major_a, major_b>;
    using Wgmma = WgmmaTiles<major_a, major_b>;
    if constexpr (a_transposed) {
        compare<typename Mma::Large, typename Mma::Medium>("mma, " + layout, a_transposed, b_transposed, 0);
    } else if constexpr (b_transposed) {
        compare<typename Mma::Large, typename Mma::Medium, typename MmaFewTiles<major_b>::Few>("mma, " + layout, a_transposed,
                                                                                               b_transposed, 0);
    } else {
        compare<typename Mma::Large, typename Mma::Medium, typename MmaFewTiles<major_b>::Few, MmaNarrowTiles::Narrow,
                MmaNarrowTiles::FewNarrow>("mma, " + layout, a_transposed, b_transposed, 0);
    }
    if (!hopper) return;
    if constexpr (b_transposed) {
        compare<typename Wgmma::Large, typename Wgmma::Wide, typename Wgmma::Square, typename Wgmma::Few>(
            "wgmma, " + layout, a_transposed, b_transposed, 0);
    } else {
        compare<typename Wgmma::Large, typename Wgmma::Wide, typename Wgmma::Square, typename Wgmma::Few,
                WgmmaNarrowTiles::Narrow>("wgmma, " + layout, a_transposed, b_transposed, 0);
    }
}

// Through product(), as operations call it: whatever tiles it takes for a device of so many multiprocessors, and for so many
// rows, the bits of a context are the same.
template <class T> void contexts(const std::string& what, ProductLayout layout, bool wgmma, Blas* blas) {
    constexpr int m = 70, n = 152, k = 88;
    const bool a_transposed = layout == ProductLayout::tn, b_transposed = layout != ProductLayout::nt;
    Input<T> b(b_transposed, n, k, 0);
    Runtime runtime{};
    runtime.shared_memory_of_block = test::shared_memory_of_block();
    runtime.wgmma = wgmma;
    runtime.blas = blas;
    std::vector<float> whole;
    for (int rows : {m, 1, 16, 40}) {
        Input<T> a(a_transposed, rows, k, 0);
        for (int multiprocessors : {1, 4, 200}) {
            runtime.multiprocessors = multiprocessors;
            test::Array<float> c(static_cast<size_t>(rows * n), NAN);
            ProductArguments p{};
            p.layout = layout;
            p.dtype = std::is_same_v<T, bf16> ? LF_BF16 : LF_F32;
            p.a = a.memory.device, p.a_stride = a.stride;
            p.b = b.memory.device, p.b_stride = b.stride;
            p.m = rows, p.n = n, p.k = k;
            p.c = c.device, p.c_stride = n, p.c_dtype = LF_F32;
            luffy::product(runtime, what.c_str(), p);
            test::require(cudaDeviceSynchronize(), what);
            const std::vector<float> values = floats(c);
            if (whole.empty()) whole = values;
            expect_same(what + ", rows " + std::to_string(rows), values, whole);
        }
    }
    Input<T> a(a_transposed, m, k, 0);
    for (size_t i = 0; i < whole.size(); i++) {
        double truth = 0;
        for (int64_t j = 0; j < k; j++) truth += a.at(static_cast<int64_t>(i) / n, j) * b.at(static_cast<int64_t>(i) % n, j);
        if (!(std::fabs(static_cast<double>(whole[i]) - truth) < 1e-3))
            return test::expect(false, what + ": element " + std::to_string(i));
    }
}

} // namespace

void test::product() {
    cudaDeviceProp device{};
    require(cudaGetDeviceProperties(&device, 0), "device");
    const bool hopper = device.major == 9 && device.minor == 0;
    if (!hopper) std::printf("not Hopper: products by wgmma are not tested\n");
    layouts<Major::k, Major::k>("x by W transposed", hopper);
    layouts<Major::k, Major::mn>("dy by W", hopper);
    layouts<Major::mn, Major::mn>("dy transposed by x", hopper);
    for (ProductLayout layout : {ProductLayout::nt, ProductLayout::nn, ProductLayout::tn}) {
        contexts<float>("f32", layout, false, nullptr);
        contexts<bf16>("mma", layout, false, nullptr);
        if (hopper) contexts<bf16>("wgmma", layout, true, nullptr);
#if defined(LUFFY_CUDA_EMULATION)
        Blas blas; // a loop
        contexts<float>("fast f32", layout, false, &blas);
        contexts<bf16>("fast", layout, false, &blas);
#endif
    }
}
