#include "policy_loss.h"

#include "../../common/policy_objective.h"
#include "../device/hopper.h"
#include "../device/product_fma.h"
#include "../device/product_mma.h"
#include "../device/product_wgmma.h"
#include "operations.h"
#include "product.h"

namespace luffy {
namespace {

// What makes a row's dz of its logits: scale·(g·(1[v = target] − p) + c·p·(ln p + H)), the second term being −c times
// dH/dz = −p·(ln p + H).
struct alignas(16) RowTerms {
    float log_sum_exp, entropy;
    float gradient; // g: of the policy and KL terms by the log-prob
    float scale;    // the token's weight by the temperature
    float target_gradient;
    int32_t target;
    float unused[2];
};

// Of a chunk; rows are counted from its first.
struct ChunkArguments {
    int64_t rows, vocabulary, blocks, stride; // stride: of the store
    Temperature temperature;
    float entropy_coefficient;
    const int32_t* targets;
    BlockSums* sums;      // [rows, blocks]
    float* target_logits; // [rows], scaled
    RowTerms* terms;      // [rows]
    void* store;          // [rows, stride] in the storage of hidden; null where there is no gradient to come
};

LF_DEVICE void store_four(bf16* to, const float* values) {
    store_vector(reinterpret_cast<uint32_t*>(to),
                 Vector<uint32_t, 2>{{pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3])}});
}
LF_DEVICE void store_four(float* to, const float* values) {
    store_vector(to, Vector<float, 4>{{values[0], values[1], values[2], values[3]}});
}

// The sums of one block of the vocabulary, which begins at `start`, for the rows of a tile: a warp has as many rows as another,
// and takes four of them at a time.
template <class P> constexpr int rows_of_warp = P::rows / (P::compute_threads / 32);

template <class P, bool Keeps>
LF_DEVICE void sum_rows(const P& product, const float* tile, int row, int start, const ChunkArguments& a) {
    using T = typename P::Element;
    constexpr bool keeps_logits = sizeof(T) == sizeof(float);
    static_assert(rows_of_warp<P> % warp_blocks == 0);
    const int lane = product.thread() % 32, first = product.thread() / 32 * rows_of_warp<P> + lane / block_lanes;
    // Tokens of the block, and columns of the store.
    const int tokens = static_cast<int>(a.vocabulary - start < vocabulary_block ? a.vocabulary - start : vocabulary_block);
    const int columns = static_cast<int>(a.stride - start < vocabulary_block ? a.stride - start : vocabulary_block);
#pragma unroll 1
    for (int step = 0; step < rows_of_warp<P>; step += warp_blocks) {
        const float* logits = tile + (first + step) * logit_pitch;
        const int r = row + first + step;
        float z[lane_tokens];
#pragma unroll
        for (int j = 0; j < lane_tokens; j += 4) {
            const Vector<float, 4> piece = load_vector<4>(logits + block_place(lane, j));
#pragma unroll
            for (int k = 0; k < 4; k++) z[j + k] = piece[k];
        }
        if (tokens < vocabulary_block) {
#pragma unroll
            for (int j = 0; j < lane_tokens; j++) {
                if (block_place(lane, j) >= tokens) z[j] = -infinity();
            }
        }
        scale_logits(z, a.temperature);
        T* kept = Keeps ? static_cast<T*>(a.store) + static_cast<int64_t>(r) * a.stride + start : nullptr;
        const BlockSums sums = sum_block<true>(z, [&](int j, const float(&e)[4]) {
            const int place = block_place(lane, j);
            if (Keeps && r < a.rows && place < columns) store_four(kept + place, keeps_logits ? z + j : e);
        });
        if (r >= a.rows || lane % block_lanes != 0) continue;
        a.sums[static_cast<int64_t>(r) * a.blocks + start / vocabulary_block] = sums;
        const int target = a.targets[r] - start;
        if (target >= 0 && target < vocabulary_block) {
            const float logit = logits[target];
            a.target_logits[r] = a.temperature.value == 1.0f ? logit : scale_logit(logit, a.temperature);
        }
    }
}

// Products without threads for loads load nothing ahead of run(): behind it, their stages are free for the logits.
template <class P> constexpr bool shares_stages = !P::loads_ahead;
template <class P> constexpr int tile_bytes = P::rows* logit_pitch* static_cast<int>(sizeof(float));
template <class P> constexpr int tile_offset = shares_stages<P> ? 0 : P::shared_bytes;
template <class P>
constexpr int logits_shared_bytes =
    tile_offset<P> + tile_bytes<P> > P::shared_bytes ? tile_offset<P> + tile_bytes<P> : P::shared_bytes;

// Between what writes logits to shared memory and what reads them. Warps of wgmma's products have whole rows of the tile, the
// same that they then take.
template <class P> LF_DEVICE void meet(const P& product) {
    if (P::loads_ahead)
        __syncwarp();
    else
        product.synchronize();
}

// Two warpgroups that compute, of which each thread holds 128 sums, and one that loads: 168 registers each of the 65,536 that a
// multiprocessor has, and not enough for the sums beside what reduces them. Whoever loads gives them up.
template <class P> constexpr bool moves_registers = P::loads_ahead&& P::threads == 384;
constexpr int loader_registers = 40, compute_registers = 232;
static_assert(128 * loader_registers + 256 * compute_registers <= 384 * 168);

template <class P, bool Keeps>
__global__ void __launch_bounds__(P::threads, P::blocks)
    logits_kernel(const __grid_constant__ typename P::Operand hidden, const __grid_constant__ typename P::Operand head,
                  const ChunkArguments a, int row_tiles, int column_tiles) {
    static_assert(P::columns % vocabulary_block == 0 && tile_offset<P> % 16 == 0 && logits_shared_bytes<P> <= 227 << 10);
    LUFFY_DYNAMIC_SHARED(char, shared);
    float* tile = reinterpret_cast<float*>(shared + tile_offset<P>);
    P product(shared);
    const auto each_tile = [&](const auto& body) {
        for (int t = static_cast<int>(blockIdx.x); t < row_tiles * column_tiles; t += static_cast<int>(gridDim.x)) {
            const TilePlace place = tile_place(t, row_tiles, column_tiles);
            body(static_cast<int>(place.row) * P::rows, static_cast<int>(place.column) * P::columns);
        }
    };
    if (!product.computes()) {
        if constexpr (moves_registers<P>) give_registers<loader_registers>();
        each_tile([&](int row, int column) {
            typename P::Accumulators none;
            product.run(none, hidden, head, row, column);
        });
        return;
    }
    if constexpr (moves_registers<P>) take_registers<compute_registers>();
    each_tile([&](int row, int column) {
        typename P::Accumulators sums;
        sums.clear();
        product.run(sums, hidden, head, row, column);
#pragma unroll
        for (int part = 0; part < P::columns; part += vocabulary_block) {
            meet(product); // whoever still reads this memory is done
            product.for_each_pair(sums, [&](int i, int j, float& first, float& second) {
                if (P::columns > vocabulary_block && (j < part || j >= part + vocabulary_block)) return;
                store_vector(tile + i * logit_pitch + j - part, Vector<float, 2>{{first, second}});
            });
            meet(product);
            if (column + part < a.vocabulary) sum_rows<P, Keeps>(product, tile, row, column + part, a);
        }
    });
}

// Log-prob, entropy and log-sum-exp of a row, the other statistics, and what makes its dz; a block for each row of the chunk.
// `tokens` has statistics and inputs of all rows, of which the chunk's first is `first`; Learns: they have an objective.
template <bool Learns>
__global__ void __launch_bounds__(32 * row_warps)
    evaluate_kernel(const ChunkArguments a, const PolicyArguments tokens, int64_t first) {
    __shared__ RowMemory memory;
    const int64_t r = blockIdx.x, at = first + r;
    const RowSums sums = sum_row(a.sums + r * a.blocks, static_cast<int>(a.blocks), memory);
    if (threadIdx.x != 0) return;
    const lf_policy_options& o = tokens.options;
    const float log_prob = a.target_logits[r] - sums.log_sum_exp;
    lf_token_objective term{0, 0, 0, LF_CLIP_NONE};
    double kl = 0, kl_gradient = 0;
    if (Learns) {
        const float behavior = tokens.behavior_log_probs == nullptr ? __builtin_nanf("") : tokens.behavior_log_probs[at];
        term = lf_policy_objective(static_cast<double>(log_prob), static_cast<double>(tokens.old_log_probs[at]),
                                   static_cast<double>(tokens.advantages[at]), tokens.off_policy[at],
                                   static_cast<double>(behavior), &o);
        if (tokens.reference_log_probs != nullptr)
            kl = lf_token_kl(static_cast<double>(log_prob), static_cast<double>(tokens.reference_log_probs[at]), o.kl_estimator,
                             &kl_gradient);
    }
    const float statistics[LF_TOKEN_STATISTICS] = {log_prob,
                                                   sums.entropy,
                                                   sums.log_sum_exp,
                                                   static_cast<float>(term.loss),
                                                   static_cast<float>(term.weight),
                                                   static_cast<float>(term.gradient),
                                                   static_cast<float>(kl),
                                                   static_cast<float>(term.clipped)};
#pragma unroll
    for (int i = 0; i < LF_TOKEN_STATISTICS; i++) tokens.statistics[i * tokens.rows + at] = statistics[i];
    if (!Learns) return;
    const float gradient =
        static_cast<float>(term.gradient + (o.kl_coefficient == 0 ? 0.0 : static_cast<double>(o.kl_coefficient) * kl_gradient));
    const float scale = tokens.weights[at] / o.temperature, p = device_exp(log_prob), c = o.entropy_coefficient;
    const float bonus = c == 0 || p == 0 ? 0.0f : c * p * (log_prob + sums.entropy);
    a.terms[r] = {sums.log_sum_exp, sums.entropy, gradient, scale, scale * (gradient * (1.0f - p) + bonus), a.targets[r], {0, 0}};
}

// Elements of the store that a thread differentiates: 16 bytes.
template <class T> constexpr int differentiated = vector_width<T>;

// e^(z − block maximum), or the scaled logits, become dz in place.
template <class T> __global__ void __launch_bounds__(differentiate_threads) differentiate_kernel(const ChunkArguments a) {
    constexpr int width = differentiated<T>;
    const int64_t spans = (a.stride + width * differentiate_threads - 1) / (width * differentiate_threads);
    const int64_t r = blockIdx.x / spans, column = ((blockIdx.x - r * spans) * differentiate_threads + threadIdx.x) * width;
    if (column >= a.stride) return;
    T* at = static_cast<T*>(a.store) + r * a.stride + column;
    const RowTerms terms = a.terms[r];
    const float c = a.entropy_coefficient;
    Vector<T, width> dz;
    // Selected, not multiplied: a token that is out must not turn an infinity into a NaN.
    if (terms.scale == 0) {
#pragma unroll
        for (int i = 0; i < width; i++) store(&dz[i], 0.0f);
        store_vector(at, dz);
        return;
    }
    dz = load_vector<width>(at);
    if constexpr (sizeof(T) == sizeof(float)) {
#pragma unroll
        for (int i = 0; i < width; i++) {
            const float log_p = dz[i] - terms.log_sum_exp, p = device_exp(log_p);
            const float bonus = c == 0 || p == 0 ? 0.0f : c * p * (log_p + terms.entropy);
            dz[i] = column + i < a.vocabulary ? terms.scale * (bonus - terms.gradient * p) : 0.0f;
        }
    } else {
        // ln p = ln e + shift, so that dz = e·(offset + slope·ln e); beyond the vocabulary e is 0.
        const float shift = bounded_difference(a.sums[r * a.blocks + column / vocabulary_block].maximum - terms.log_sum_exp);
        const float share = terms.scale * device_exp(shift), slope = share * c;
        const float offset = share * (c * (shift + terms.entropy) - terms.gradient);
#pragma unroll
        for (int i = 0; i < width; i++) {
            const float e = to_float(dz[i]);
            const float value = c == 0 || e == 0 ? e * offset : e * fmaf(slope, device_log(e), offset);
            dz[i] = to_bf16(value);
        }
    }
#pragma unroll
    for (int i = 0; i < width; i++) {
        if (column + i == terms.target) store(&dz[i], terms.target_gradient);
    }
    store_vector(at, dz);
}

template <class T> constexpr int32_t storage_of = sizeof(T) == sizeof(float) ? LF_F32 : LF_BF16;

// The store's rows begin at multiples of 128 bytes.
template <class T> constexpr int64_t stride_of(int64_t vocabulary) { return (vocabulary + 63) / 64 * 64; }

// Most rows of a chunk. Grows with the number of rows, so that memory for the most of them serves all.
template <class T> int64_t most_rows(int64_t rows, int64_t vocabulary, int64_t store_bytes) {
    const int64_t fitting = store_bytes / (stride_of<T>(vocabulary) * static_cast<int64_t>(sizeof(T))) / chunk_step * chunk_step;
    const int64_t most = fitting < chunk_step ? chunk_step : fitting;
    return rows < most ? rows : most;
}

// Where everything lies in the scratch; returns its bytes.
template <class T> int64_t lay_out(ChunkArguments& a, int64_t chunk, char* scratch) {
    int64_t end = 0;
    const auto take = [&](int64_t length, int64_t size) {
        char* const memory = scratch + end;
        end = (end + length * size + 255) / 256 * 256;
        return memory;
    };
    a.store = take(chunk * a.stride, sizeof(T));
    a.sums = reinterpret_cast<BlockSums*>(take(chunk * a.blocks, sizeof(BlockSums)));
    a.target_logits = reinterpret_cast<float*>(take(chunk, sizeof(float)));
    a.terms = reinterpret_cast<RowTerms*>(take(chunk, sizeof(RowTerms)));
    return end;
}

template <class T> ChunkArguments chunk_arguments(int64_t vocabulary, float temperature) {
    return {0,
            vocabulary,
            vocabulary_blocks_of(vocabulary),
            stride_of<T>(vocabulary),
            Temperature(temperature),
            0,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            nullptr};
}

template <class T> int64_t scratch_bytes(int64_t rows, int64_t vocabulary, int64_t store_bytes) {
    ChunkArguments a = chunk_arguments<T>(vocabulary, 1.0f);
    return lay_out<T>(a, most_rows<T>(rows, vocabulary, store_bytes), nullptr);
}

template <class P>
void sum_logits(const Runtime& runtime, const ChunkArguments& a, const void* hidden, const void* head, int64_t hidden_size) {
    using T = typename P::Element;
    const ProductMatrix<T> x{static_cast<const T*>(hidden), a.rows, hidden_size, hidden_size};
    const ProductMatrix<T> w{static_cast<const T*>(head), a.vocabulary, hidden_size, hidden_size};
    const int row_tiles = static_cast<int>(blocks_of(a.rows, P::rows)),
              column_tiles = static_cast<int>(blocks_of(a.vocabulary, P::columns));
    const int tiles = row_tiles * column_tiles, most = P::loads_ahead ? P::blocks * runtime.multiprocessors : tiles;
    const auto kernel = a.store != nullptr ? logits_kernel<P, true> : logits_kernel<P, false>;
    launch(runtime, "PolicyLoss.logits", kernel, dim3(static_cast<unsigned>(tiles < most ? tiles : most)), dim3(P::threads),
           logits_shared_bytes<P>, P::operand_a(x), P::operand_b(w), a, row_tiles, column_tiles);
}

// The same chains as Linear's.
void choose_product(const Runtime& runtime, const ChunkArguments& a, const float* hidden, const void* head, int64_t hidden_size) {
    if (a.rows <= 16)
        sum_logits<FmaProduct<Major::k, Major::k, 16, 128, 8, 16>>(runtime, a, hidden, head, hidden_size);
    else
        sum_logits<FmaProduct<Major::k, Major::k, 128, 128, 16, 16>>(runtime, a, hidden, head, hidden_size);
}

void choose_product(const Runtime& runtime, const ChunkArguments& a, const bf16* hidden, const void* head, int64_t hidden_size) {
    if (multiplies_by_wgmma(runtime, hidden_size, hidden_size, hidden_size)) {
        if (a.rows <= 64)
            sum_logits<WgmmaProduct<Major::k, Major::k, 1, 128, 6>>(runtime, a, hidden, head, hidden_size);
        else
            sum_logits<WgmmaProduct<Major::k, Major::k, 2, 256, 3>>(runtime, a, hidden, head, hidden_size);
    } else if (a.rows <= 16) {
        sum_logits<MmaProduct<Major::k, Major::k, 16, 128, 1, 4, 64, 4>>(runtime, a, hidden, head, hidden_size);
    } else {
        sum_logits<MmaProduct<Major::k, Major::k, 128, 128, 2, 4, 64, 2>>(runtime, a, hidden, head, hidden_size);
    }
}

template <class T>
void differentiate(const Runtime& runtime, const ChunkArguments& a, const PolicyArguments& p, int64_t first, const T* hidden,
                   const void* head) {
    const int64_t spans = blocks_of(a.stride, differentiated<T> * differentiate_threads);
    launch(runtime, "PolicyLoss.differentiate", differentiate_kernel<T>, dim3(static_cast<unsigned>(a.rows * spans)),
           dim3(differentiate_threads), 0, a);
    ProductArguments head_gradient{};
    head_gradient.layout = ProductLayout::tn;
    head_gradient.dtype = storage_of<T>;
    head_gradient.a = a.store;
    head_gradient.a_stride = a.stride;
    head_gradient.b = hidden;
    head_gradient.b_stride = p.hidden_size;
    head_gradient.m = a.vocabulary;
    head_gradient.n = p.hidden_size;
    head_gradient.k = a.rows;
    head_gradient.c = p.d_head;
    head_gradient.c_stride = p.hidden_size;
    head_gradient.c_dtype = LF_F32;
    head_gradient.adds = true;
    if (p.d_head != nullptr) product(runtime, "PolicyLoss.head_gradient", head_gradient);
    ProductArguments hidden_gradient{};
    hidden_gradient.layout = ProductLayout::nn;
    hidden_gradient.dtype = storage_of<T>;
    hidden_gradient.a = a.store;
    hidden_gradient.a_stride = a.stride;
    hidden_gradient.b = head;
    hidden_gradient.b_stride = p.hidden_size;
    hidden_gradient.m = a.rows;
    hidden_gradient.n = p.hidden_size;
    hidden_gradient.k = a.vocabulary;
    hidden_gradient.c = static_cast<T*>(p.d_hidden) + first * p.hidden_size;
    hidden_gradient.c_stride = p.hidden_size;
    hidden_gradient.c_dtype = storage_of<T>;
    product(runtime, "PolicyLoss.hidden_gradient", hidden_gradient);
}

template <class T> void run_in_store(const Runtime& runtime, const PolicyArguments& p, int64_t store_bytes) {
    if (p.rows == 0) return;
    const bool learns = p.d_hidden != nullptr;
    const void* head = p.head != nullptr ? p.head : p.packed;
    const int64_t most = most_rows<T>(p.rows, p.vocabulary, store_bytes);
    ChunkArguments a = chunk_arguments<T>(p.vocabulary, p.options.temperature);
    lay_out<T>(a, most, p.scratch);
    if (!learns) a.store = nullptr;
    a.entropy_coefficient = p.options.entropy_coefficient;
    // Chunks of nearly equal size.
    const int64_t chunks = blocks_of(p.rows, most), chunk = blocks_of(blocks_of(p.rows, chunks), chunk_step) * chunk_step;
    for (int64_t first = 0; first < p.rows; first += chunk) {
        a.rows = p.rows - first < chunk ? p.rows - first : chunk;
        a.targets = p.targets + first;
        const T* hidden = static_cast<const T*>(p.hidden) + first * p.hidden_size;
        choose_product(runtime, a, hidden, head, p.hidden_size);
        launch(runtime, "PolicyLoss.evaluate", learns ? evaluate_kernel<true> : evaluate_kernel<false>,
               dim3(static_cast<unsigned>(a.rows)), dim3(row_threads(a.blocks)), 0, a, p, first);
        if (learns) differentiate<T>(runtime, a, p, first, hidden, head);
    }
}

template <int32_t dtype> int64_t policy_loss_scratch(int64_t rows, int64_t, int64_t vocabulary) {
    return policy_loss_scratch_bytes(dtype, rows, vocabulary, policy_store_bytes);
}

template <int32_t dtype> void policy_loss(const Runtime& runtime, const PolicyArguments& arguments) {
    policy_loss_in_store(runtime, dtype, arguments, policy_store_bytes);
}

} // namespace

int64_t policy_loss_scratch_bytes(int32_t dtype, int64_t rows, int64_t vocabulary, int64_t store_bytes) {
    return dtype == LF_F32 ? scratch_bytes<float>(rows, vocabulary, store_bytes)
                           : scratch_bytes<bf16>(rows, vocabulary, store_bytes);
}

void policy_loss_in_store(const Runtime& runtime, int32_t dtype, const PolicyArguments& arguments, int64_t store_bytes) {
    if (dtype == LF_F32)
        run_in_store<float>(runtime, arguments, store_bytes);
    else
        run_in_store<bf16>(runtime, arguments, store_bytes);
}

void add_policy_loss(Kernels& kernels) {
    kernels.policy_loss_scratch[LF_F32] = policy_loss_scratch<LF_F32>;
    kernels.policy_loss_scratch[LF_BF16] = policy_loss_scratch<LF_BF16>;
    kernels.policy_loss[LF_F32] = policy_loss<LF_F32>;
    kernels.policy_loss[LF_BF16] = policy_loss<LF_BF16>;
}

} // namespace luffy
