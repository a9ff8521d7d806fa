// The optimiser's update in one pass over memory, and the norm for clipping; the contract is src/Luffy.Kernels/Ops/AdamW.cs.
#include "adamw.h"

#include "../device/philox.h"
#include "../device/reduce.h"
#include "../device/row_parts.h"
#include "operations.h"

namespace luffy {

namespace {

// What an element has besides its gradient. With bf16 storage the f32 weight is taken apart as the contract says: (bits << 16) +
// remainder, and +2¹⁶ where v carries the sign that stands for the upper of two ties.
template <class T> struct Element {
    T weight;
    int16_t remainder;
    float m, v;
};

LF_DEVICE float master_of(const Element<float>& x) { return x.weight; }
LF_DEVICE float master_of(const Element<bf16>& x) {
    const uint32_t tie = bits_of_float(x.v) >> 31 << 16;
    return float_of_bits((static_cast<uint32_t>(x.weight.bits) << 16) + static_cast<uint32_t>(static_cast<int32_t>(x.remainder)) +
                         tie);
}

LF_DEVICE void split(Element<float>& x, float master) { x.weight = master; }
LF_DEVICE void split(Element<bf16>& x, float master) {
    x.weight = to_bf16(master);
    const int32_t remainder = static_cast<int32_t>(bits_of_float(master) - (static_cast<uint32_t>(x.weight.bits) << 16));
    const bool number = master == master;
    x.remainder = static_cast<int16_t>(number ? remainder : 0);
    if (number && remainder == 1 << 15) x.v = -x.v;
}

template <class T> LF_DEVICE void update(Element<T>& x, float gradient, const AdamWCoefficients& c) {
    const float old = master_of(x), g = gradient * c.gradient_scale;
    x.m = fmaf(c.beta1, x.m, c.one_minus_beta1 * g);
    x.v = fmaf(c.beta2, fabsf(x.v), c.one_minus_beta2 * g * g);
    const float step = x.m * c.first_correction / (sqrtf(x.v * c.second_correction) + c.epsilon);
    split(x, fmaf(-c.learning_rate, fmaf(c.weight_decay, old, step), old));
}

// The random words of elements 4·group … 4·group + 3.
LF_DEVICE RandomWords random_words(int64_t group, const AdamWCoefficients& c) {
    return philox(static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), static_cast<uint32_t>(c.step),
                  static_cast<uint32_t>(c.step >> 32), c.rounding_key);
}

LF_DEVICE uint32_t random_word(int64_t element, const AdamWCoefficients& c) {
    const RandomWords words = random_words(element / 4, c);
    const uint32_t even = element & 2 ? words.word[2] : words.word[0], odd = element & 2 ? words.word[3] : words.word[1];
    return element & 1 ? odd : even;
}

// A moment as it is stored: bf16 rounded up where its lower half and a random one add up to 2¹⁶.
LF_DEVICE void store_moment(float* p, float x, uint32_t) { *p = x; }
LF_DEVICE void store_moment(bf16* p, float x, uint32_t random) {
    const uint32_t bits = bits_of_float(x);
    p->bits = static_cast<uint16_t>(x == x ? (bits + random) >> 16 : bits >> 16 | 0x40u);
}

template <class T, class M, class G> struct AdamWPointers {
    T* weights;
    int16_t* remainders; // null where T is float
    M *m, *v;
    const G* gradient;
};

template <bool Whole, class T, class M, class G>
__global__ void __launch_bounds__(adamw_threads, 2)
    adamw_update_kernel(AdamWPointers<T, M, G> p, int64_t n, AdamWCoefficients c) {
    constexpr bool is_split = sizeof(T) == sizeof(bf16), is_rounded = sizeof(M) == sizeof(bf16);
    const int64_t step = int64_t{gridDim.x} * adamw_threads * 8;
    for (int64_t i = (int64_t{blockIdx.x} * adamw_threads + threadIdx.x) * 8; i < n; i += step) {
        if (Whole && i + 8 <= n) {
            Eight<T> weights = load_eight(p.weights + i);
            Vector<int16_t, 8> remainders{};
            if constexpr (is_split) remainders = load_vector<8>(p.remainders + i);
            Eight<M> m = load_eight(p.m + i), v = load_eight(p.v + i);
            const Eight<G> gradients = load_eight(p.gradient + i);
            RandomWords words[2] = {};
            if constexpr (is_rounded) {
                words[0] = random_words(i / 4, c);
                words[1] = random_words(i / 4 + 1, c);
            }
#pragma unroll
            for (int e = 0; e < 8; e++) {
                Element<T> x{weights.values[e], remainders[e], load(&m.values[e]), load(&v.values[e])};
                update(x, load(&gradients.values[e]), c);
                weights.values[e] = x.weight;
                remainders[e] = x.remainder;
                const uint32_t random = words[e / 4].word[e % 4];
                store_moment(&m.values[e], x.m, random & 0xFFFFu);
                store_moment(&v.values[e], x.v, random >> 16);
            }
            store_eight(p.weights + i, weights);
            if constexpr (is_split) store_vector(p.remainders + i, remainders);
            store_eight(p.m + i, m);
            store_eight(p.v + i, v);
            continue;
        }
        for (int64_t e = i; e < n && e < i + 8; e++) {
            Element<T> x{p.weights[e], is_split ? p.remainders[e] : int16_t{0}, load(p.m + e), load(p.v + e)};
            update(x, load(p.gradient + e), c);
            p.weights[e] = x.weight;
            if (is_split) p.remainders[e] = x.remainder;
            const uint32_t random = is_rounded ? random_word(e, c) : 0;
            store_moment(p.m + e, x.m, random & 0xFFFFu);
            store_moment(p.v + e, x.v, random >> 16);
        }
    }
}

// A packed weight is its rows.
template <class T, class M, class G>
void update_all(const Runtime& runtime, const AdamWArguments& a, const AdamWCoefficients& c) {
    const AdamWPointers<T, M, G> p{static_cast<T*>(a.weights), a.remainders, static_cast<M*>(a.m), static_cast<M*>(a.v),
                                   static_cast<const G*>(a.gradient)};
    const int64_t n = a.rows * a.columns;
    const bool whole = has_whole_parts<T>(0, {p.weights, p.remainders, p.m, p.v, p.gradient});
    const auto kernel = whole ? adamw_update_kernel<true, T, M, G> : adamw_update_kernel<false, T, M, G>;
    launch(runtime, "adamw.update", kernel, strided_grid(runtime, blocks_of(n, adamw_threads * 8), 16), dim3(adamw_threads), 0, p,
           n, c);
}

// Each thread adds up the squares of elements that lie a block of threads apart.
template <class G>
__global__ void __launch_bounds__(norm_threads) adamw_norm_kernel(double* partial, const G* x, int64_t n, bool whole) {
    __shared__ double sums[norm_threads / 32];
    const int64_t begin = int64_t{blockIdx.x} * norm_block;
    float sum = 0;
    for (int i = static_cast<int>(threadIdx.x) * vector_width<G>; i < norm_block; i += norm_threads * vector_width<G>) {
        const int64_t at = begin + i;
        if (at >= n) break;
        const RowPart<G> part = whole && at + vector_width<G> <= n ? load_part<true>(x, at, n) : load_part<false>(x, at, n);
#pragma unroll
        for (int e = 0; e < vector_width<G>; e++) sum = fmaf(load(&part[e]), load(&part[e]), sum);
    }
    const double total = block_sum<norm_threads>(static_cast<double>(sum), sums);
    if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

__global__ void __launch_bounds__(norm_total_threads)
    adamw_norm_total_kernel(float* result, const double* partial, int64_t blocks) {
    __shared__ double sums[norm_total_threads / 32];
    double sum = 0;
    for (int64_t b = threadIdx.x; b < blocks; b += norm_total_threads) sum += partial[b];
    const double total = block_sum<norm_total_threads>(sum, sums);
    if (threadIdx.x == 0) *result = static_cast<float>(total);
}

int64_t squared_norm_scratch(int64_t n) { return blocks_of(n, norm_block) * static_cast<int64_t>(sizeof(double)); }

template <class G> void squared_norm(const Runtime& runtime, float* result, const void* x, int64_t n, double* partial) {
    const int64_t blocks = blocks_of(n, norm_block);
    launch(runtime, "adamw.norm", adamw_norm_kernel<G>, dim3(static_cast<unsigned>(blocks)), dim3(norm_threads), 0, partial,
           static_cast<const G*>(x), n, has_whole_parts<G>(0, {x}));
    launch(runtime, "adamw.norm_total", adamw_norm_total_kernel, dim3(1), dim3(norm_total_threads), 0, result, partial, blocks);
}

} // namespace

void add_adamw(Kernels& k) {
    k.adamw_update[LF_F32][LF_F32] = update_all<float, float, float>;
    k.adamw_update[LF_F32][LF_BF16] = update_all<float, float, bf16>;
    k.adamw_update[LF_BF16][LF_F32] = update_all<bf16, float, float>;
    k.adamw_update[LF_BF16][LF_BF16] = update_all<bf16, float, bf16>;
    k.adamw_update_rounded[LF_F32] = update_all<bf16, bf16, float>;
    k.adamw_update_rounded[LF_BF16] = update_all<bf16, bf16, bf16>;
    k.squared_norm_scratch = squared_norm_scratch;
    k.squared_norm[LF_F32] = squared_norm<float>;
    k.squared_norm[LF_BF16] = squared_norm<bf16>;
}

} // namespace luffy
