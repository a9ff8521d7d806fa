// The forward pass of bf16 on tensor cores, after FlashAttention-2 (Dao, arXiv 2307.08691): packed rows, and pages for the
// prompts of a call.
#include "forward_bf16.h"

namespace luffy::attention {

namespace {

// A block's share: 16 rows a warp, a ring of two stages of keys and values.
template <int Width> struct ForwardTile {
    static constexpr int warps = block_warps<Width>, threads = 32 * warps, rows = tile_rows * warps;
    static constexpr int query_elements = rows * tile_stride<Width>;
    static constexpr int shared_bytes = (query_elements + 2 * KeyTiles<Width>::elements) * 2;
};

// A warp's outputs take the place of its queries, and go from there to memory.
template <int Width>
LF_DEVICE void store_outputs(const ForwardCall<bf16>& call, const RowTile& tile, bf16* own,
                             const WarpSums<KeyTiles<Width>::columns>& totals, const Statistics (&statistics)[2]) {
    using Keys = KeyTiles<Width>;
    const Geometry shape = call.shape;
    const int rows = tile.tokens * shape.group, warp_first = tile.first + tile_rows * warp_index();
    if (warp_first >= rows) return;
    const int kv_head = static_cast<int>(blockIdx.y) / Keys::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Keys::parts * Keys::columns;
    __syncwarp(); // the other lanes have read the queries
    round_rows<tile_stride<Width>>(own, totals.output, 1.0f / statistics[0].sum, 1.0f / statistics[1].sum);
    __syncwarp();
    const QueryRows<bf16> target = output_rows(call.y, tile, kv_head, shape);
    store_rows<Keys::columns, tile_stride<Width>>([&](int row) { return target.row(row); }, own, warp_first, rows, first_column,
                                                  shape.head_dim, call.aligned);
    if (call.log_sum_exp == nullptr || first_column > 0 || lane_index() % 4 != 0) return;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int row = warp_first + lane_index() / 4 + 8 * r;
        if (row >= rows) continue;
        const int token = row / shape.group, head = kv_head * shape.group + row % shape.group;
        call.log_sum_exp[static_cast<int64_t>(tile.begin + token) * shape.heads + head] = log_sum_exp(statistics[r], shape.scale);
    }
}

template <int Width, bool Paged>
__global__ void __launch_bounds__(ForwardTile<Width>::threads, 1) forward_kernel(ForwardCall<bf16> call) {
    using Tile = ForwardTile<Width>;
    using Keys = KeyTiles<Width>;
    LUFFY_DYNAMIC_SHARED(bf16, shared);
    const Geometry shape = call.shape;
    // The end of the kernel reads the tile again rather than keep it in registers.
    __shared__ RowTile kept_tile;
    const RowTile tile = find_tile<Tile::rows>(call.starts, call.sequences, shape.group);
    if (threadIdx.x == 0) kept_tile = tile;
    const int rows = tile.tokens * shape.group;
    if (tile.first >= rows || (Paged && call.is_decoded(tile.tokens))) return;
    const int context = Paged ? call.contexts[tile.sequence] : tile.tokens, earlier = context - tile.tokens;
    const int kv_head = static_cast<int>(blockIdx.y) / Keys::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Keys::parts * Keys::columns;

    bf16 *const queries = shared, *const stages = shared + Tile::query_elements;
    const auto fetch = [&](int first) {
        bf16* const to = stages + first / key_block % 2 * Keys::elements;
        if constexpr (Paged) {
            const int32_t* const pages = call.page_table + tile.sequence * call.table_stride;
            Keys::template fetch<Tile::threads>(to, paged_rows(call.cache, pages, 0, kv_head, shape), first, context,
                                                first_column, shape.head_dim, call.aligned);
        } else {
            Keys::template fetch<Tile::threads>(to, packed_rows(call.qkv, tile, kv_head, shape), first, context, first_column,
                                                shape.head_dim, call.aligned);
        }
    };
    load_tile<Tile::rows, Width, Tile::threads>(queries, query_rows(call.qkv, tile, kv_head, shape), tile.first, rows,
                                                shape.head_dim, call.aligned);
    fetch(0);
    copy_async_wait<0>();
    __syncthreads();

    // Keys that rows see. Rows beyond the last compute something too, which goes nowhere.
    const auto seen = [&](int row) {
        return earlier + static_cast<int>(static_cast<unsigned>(min(row, rows - 1)) / static_cast<unsigned>(shape.group)) + 1;
    };
    const int warp_first = tile.first + tile_rows * warp_index();
    const int least = seen(warp_first), most = warp_first < rows ? seen(warp_first + tile_rows - 1) : 0;
    const int end = seen(tile.first + Tile::rows - 1);

    bf16* const own = queries + warp_index() * tile_rows * tile_stride<Width>;
    const typename Keys::Queries query(own);
    WarpSums<Keys::columns> sums, totals;
    Statistics statistics[2];
    sums.clear();
    totals.clear();
    for (int first = 0; first < end; first += key_block) {
        copy_async_wait<0>();
        __syncthreads(); // this stage has arrived, and the other has been read
        if (first + key_block < end) fetch(first + key_block);
        if (first >= most) continue;
        sums.template add_block<Width>(
            query, stages + first / key_block % 2 * Keys::elements, first, first + key_block > least,
            [&](int r) { return seen(warp_first + lane_index() / 4 + 8 * r); }, shape.power);
        if ((first + key_block) % chunk_keys != 0 && first + key_block < most) continue;
        sums.reduce();
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const MergeFactors factors = merge_factors(statistics[r], sums.maximum[r], sums.sum[r], shape.power);
            totals.merge_row(r, sums, factors);
        }
        sums.clear();
    }
    store_outputs<Width>(call, kept_tile, own, totals, statistics);
}

template <int Width> void forward(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens) {
    using Tile = ForwardTile<Width>;
    const dim3 grid(static_cast<unsigned>(tile_count(tokens, call.sequences, call.shape.group, Tile::rows)),
                    static_cast<unsigned>(call.shape.kv_heads * KeyTiles<Width>::parts));
    if (call.cache == nullptr) {
        launch(runtime, "attention.forward", forward_kernel<Width, false>, grid, Tile::threads, Tile::shared_bytes, call);
    } else {
        launch(runtime, "attention.prefill", forward_kernel<Width, true>, grid, Tile::threads, Tile::shared_bytes, call);
    }
}

} // namespace

void forward_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens) {
    with_width(call.shape.head_dim, [&](auto width) { forward<decltype(width)::value>(runtime, call, tokens); });
}

} // namespace luffy::attention
