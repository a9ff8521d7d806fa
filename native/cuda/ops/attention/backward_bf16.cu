// The backward pass of bf16 on tensor cores. One kernel serves two launches, because they mirror each other: a warp owns 16 keys
// and goes over the queries that see them, or owns 16 rows of queries and goes over the keys that they see. What a warp sums up
// is its own, in a fixed order; the price is that scores and their gradients are worked out twice (7 products instead of 5).
#include "calls.h"
#include "softmax.h"
#include "tiles_bf16.h"

namespace luffy::attention {

namespace {

// Small: for GPUs whose blocks have least_shared_bytes. Sums go over the other rows in steps of 16 from the same row on, whatever
// a stage holds of them, so the bits are the same.
template <int Width, bool Small> struct BackwardTile {
    static constexpr int warps = Small && Width == 256 ? 2 : block_warps<Width>, threads = 32 * warps, own = tile_rows * warps;
    static constexpr int other = Small ? tile_rows : backward_stage<Width>;
    // Heads of 256 elements have blocks for either half of their gradients.
    static constexpr int columns = output_columns<Width>, parts = Width / columns;
    static constexpr int stride = tile_stride<Width>, own_elements = own * stride, other_elements = other * stride;
    static constexpr int statistics = 3 * other; // of the queries of a stage: log-sum-exp, delta, token
    static constexpr int shared_bytes = (2 * own_elements + 4 * other_elements) * 2 + 2 * statistics * 4;
};

template <int Tiles> LF_DEVICE void clear(float (&sums)[Tiles][4]) {
#pragma unroll
    for (int n = 0; n < Tiles; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) sums[n][e] = 0;
}

// OwnKeys: own a, b are keys and values, the other's queries and dy. Otherwise the other way round.
template <int Width, bool OwnKeys, bool Small>
__global__ void __launch_bounds__(BackwardTile<Width, Small>::threads, 1) backward_kernel(BackwardCall call) {
    using Tile = BackwardTile<Width, Small>;
    constexpr int other_tiles = Tile::other / 8, stride = Tile::stride;
    using OwnRows = typename ChosenRows<(!OwnKeys && Width <= 128), stride, Width / 16>::Type;
    LUFFY_DYNAMIC_SHARED(bf16, shared);
    const Geometry shape = call.shape;
    const int group = shape.group, head_dim = shape.head_dim;
    const RowTile tile = find_tile<Tile::own>(call.starts, call.sequences, OwnKeys ? 1 : group);
    const int rows = tile.tokens * group, own_count = OwnKeys ? tile.tokens : rows, other_count = OwnKeys ? rows : tile.tokens;
    if (tile.first >= own_count) return;
    const int kv_head = static_cast<int>(blockIdx.y) / Tile::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Tile::parts * Tile::columns;
    const auto token_of = [&](int row) { return static_cast<int>(static_cast<unsigned>(row) / static_cast<unsigned>(group)); };
    const int begin = OwnKeys ? tile.first * group : 0;
    const int end = OwnKeys ? rows : token_of(min(tile.first + Tile::own, rows) - 1) + 1;

    const bf16 *const qkv = static_cast<const bf16*>(call.qkv), *const dy = static_cast<const bf16*>(call.dy);
    const int64_t first_row = kv_head * (call.tokens * group) + static_cast<int64_t>(tile.begin) * group;
    const float *const log_sum_exp = call.log_sum_exp + first_row, *const delta = call.delta + first_row;

    bf16 *const own_a = shared, *const own_b = own_a + Tile::own_elements, *const stages = own_b + Tile::own_elements;
    float* const statistics = reinterpret_cast<float*>(stages + 4 * Tile::other_elements);
    const auto fetch = [&](int first, int stage) {
        bf16 *const a = stages + stage * 2 * Tile::other_elements, *const b = a + Tile::other_elements;
        if constexpr (OwnKeys) {
            load_tiles<PaddedLayout, Tile::other, Width, Width, Tile::threads>(a, b, query_pairs(qkv, dy, tile, kv_head, shape),
                                                                               first, rows, 0, head_dim, call.aligned);
        } else {
            load_tiles<PaddedLayout, Tile::other, Width, Width, Tile::threads>(a, b, packed_rows(qkv, tile, kv_head, shape),
                                                                               first, tile.tokens, 0, head_dim, call.aligned);
        }
        copy_async_commit();
    };
    // The queries' numbers go through registers, on their way while the stage before is computed with. Beyond the last row
    // weights are 0.
    const int place = static_cast<int>(threadIdx.x);
    float fetched_log_sum_exp = 0, fetched_delta = 0;
    const auto fetch_statistics = [&](int first) {
        if (!OwnKeys || place >= Tile::other) return;
        fetched_log_sum_exp = first + place < rows ? log_sum_exp[first + place] : INFINITY;
        fetched_delta = first + place < rows ? delta[first + place] : 0.0f;
    };
    const auto put_statistics = [&](int first, int stage) {
        if (!OwnKeys || place >= Tile::other) return;
        float* const to = statistics + stage * Tile::statistics + place;
        to[0] = fetched_log_sum_exp;
        to[Tile::other] = fetched_delta;
        to[2 * Tile::other] = __int_as_float(token_of(first + place));
    };

    if constexpr (OwnKeys) {
        load_tiles<PaddedLayout, Tile::own, Width, Width, Tile::threads>(own_a, own_b, packed_rows(qkv, tile, kv_head, shape),
                                                                         tile.first, tile.tokens, 0, head_dim, call.aligned);
    } else {
        load_tiles<PaddedLayout, Tile::own, Width, Width, Tile::threads>(own_a, own_b, query_pairs(qkv, dy, tile, kv_head, shape),
                                                                         tile.first, rows, 0, head_dim, call.aligned);
    }
    fetch(begin, 0);
    fetch_statistics(begin);
    put_statistics(begin, 0);
    copy_async_wait<0>();
    __syncthreads();

    const int warp_first = tile.first + tile_rows * warp_index(), lane_first = warp_first + lane_index() / 4;
    bf16 *const warp_a = own_a + warp_index() * tile_rows * stride, *const warp_b = own_b + warp_index() * tile_rows * stride;
    const OwnRows a(warp_a), b(warp_b);
    // Tokens of this lane's two rows or keys, the warp's first and last, and the rows' numbers.
    const auto own_token = [&](int index) { return OwnKeys ? index : token_of(index); };
    const int token[2] = {own_token(lane_first), own_token(lane_first + 8)};
    const int warp_token = own_token(warp_first), last_token = own_token(min(warp_first + tile_rows, own_count) - 1);
    float own_log_sum_exp[2] = {INFINITY, INFINITY}, own_delta[2] = {0, 0};
    if constexpr (!OwnKeys) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            if (lane_first + 8 * r >= rows) continue;
            own_log_sum_exp[r] = log_sum_exp[lane_first + 8 * r];
            own_delta[r] = delta[lane_first + 8 * r];
        }
    }

    float sums_a[Tile::columns / 8][4], sums_b[OwnKeys ? Tile::columns / 8 : 1][4];
    clear(sums_a);
    clear(sums_b);
    int stage = 0;
    for (int first = begin; first < end; first += Tile::other, stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads(); // this stage has arrived, and the other has been read
        const bool more = first + Tile::other < end;
        if (more) {
            fetch(first + Tile::other, stage ^ 1);
            fetch_statistics(first + Tile::other);
        }
        // Whether this warp sees anything of the stage, and all of it.
        const int last = min(first + Tile::other, other_count) - 1;
        const bool any = warp_first < own_count && (OwnKeys ? token_of(last) >= warp_first : first <= last_token);
        const bool all = OwnKeys ? token_of(first) >= last_token : first + Tile::other - 1 <= warp_token;
        if (any) {
            const bf16 *const other_a = stages + stage * 2 * Tile::other_elements, *const other_b =
                                                                                       other_a + Tile::other_elements;
            const float* const numbers = statistics + stage * Tile::statistics + lane_index() % 4 * 2;
            float weights[other_tiles][4], gradients[other_tiles][4];
            multiply_rows<stride, Width / 16>(weights, a, other_a);
#pragma unroll
            for (int n = 0; n < other_tiles; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    const float norm = OwnKeys ? numbers[8 * n + e % 2] : own_log_sum_exp[e / 2];
                    weights[n][e] = device_exp2(fmaf(weights[n][e], shape.power, -norm));
                }
            if (!all) {
#pragma unroll
                for (int n = 0; n < other_tiles; n++)
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        const int index = 8 * n + e % 2;
                        const bool seen = OwnKeys ? token[e / 2] <= __float_as_int(numbers[2 * Tile::other + index])
                                                  : first + lane_index() % 4 * 2 + index <= token[e / 2];
                        if (!seen) weights[n][e] = 0;
                    }
            }
            if constexpr (OwnKeys) add_weighted_rows<stride>(sums_b, weights, other_b + first_column);
            multiply_rows<stride, Width / 16>(gradients, b, other_b);
#pragma unroll
            for (int n = 0; n < other_tiles; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    const float mean = OwnKeys ? numbers[Tile::other + 8 * n + e % 2] : own_delta[e / 2];
                    gradients[n][e] = weights[n][e] * (gradients[n][e] - mean);
                }
            add_weighted_rows<stride>(sums_a, gradients, other_a + first_column);
        }
        if (more) put_statistics(first + Tile::other, stage ^ 1);
    }
    if (warp_first >= own_count) return;

    // The scale of ds = scale · p · (dp − delta) is left for here. A warp's own rows have been read, and make room.
    __syncwarp();
    round_rows<stride>(warp_a, sums_a, shape.scale, shape.scale);
    if constexpr (OwnKeys) round_rows<stride>(warp_b, sums_b, 1.0f, 1.0f);
    __syncwarp();
    bf16* const to = static_cast<bf16*>(call.d_qkv);
    if constexpr (OwnKeys) {
        const PackedRows<bf16> target = packed_rows(to, tile, kv_head, shape);
        store_rows<Tile::columns, stride>([&](int key) { return target.row(key).a; }, warp_a, warp_first, tile.tokens,
                                          first_column, head_dim, call.aligned);
        store_rows<Tile::columns, stride>([&](int key) { return target.row(key).b; }, warp_b, warp_first, tile.tokens,
                                          first_column, head_dim, call.aligned);
    } else {
        const QueryRows<bf16> target = query_rows(to, tile, kv_head, shape);
        store_rows<Tile::columns, stride>([&](int row) { return target.row(row); }, warp_a, warp_first, rows, first_column,
                                          head_dim, call.aligned);
    }
}

template <int Width, bool OwnKeys, bool Small>
void launch_tiles(const Runtime& runtime, const BackwardCall& call, const char* name) {
    using Tile = BackwardTile<Width, Small>;
    const dim3 grid(static_cast<unsigned>(tile_count(call.tokens, call.sequences, OwnKeys ? 1 : call.shape.group, Tile::own)),
                    static_cast<unsigned>(call.shape.kv_heads * Tile::parts));
    launch(runtime, name, backward_kernel<Width, OwnKeys, Small>, grid, Tile::threads, Tile::shared_bytes, call);
}

template <int Width, bool OwnKeys> void backward(const Runtime& runtime, const BackwardCall& call, const char* name) {
    if constexpr (BackwardTile<Width, false>::shared_bytes > least_shared_bytes) {
        static_assert(BackwardTile<Width, true>::shared_bytes <= least_shared_bytes);
        if (runtime.shared_memory_of_block < BackwardTile<Width, false>::shared_bytes)
            return launch_tiles<Width, OwnKeys, true>(runtime, call, name);
    }
    launch_tiles<Width, OwnKeys, false>(runtime, call, name);
}

} // namespace

void backward_bf16(const Runtime& runtime, const BackwardCall& call) {
    with_width<32>(call.shape.head_dim, [&](auto width) {
        backward<decltype(width)::value, true>(runtime, call, "attention.backward_key_value");
        backward<decltype(width)::value, false>(runtime, call, "attention.backward_query");
    });
}

} // namespace luffy::attention
