// The forward pass of bf16 on tensor cores, after FlashAttention-2 (Dao, arXiv 2307.08691): packed rows, and pages for the
// prompts of a call.
#include "forward_bf16.h"

namespace luffy::attention {

namespace {

// A block's share: 16 rows a warp, a ring of stages of keys and values. Queries that stay in registers leave their place to the
// second stage.
template <class Products, int Width, int Stages> struct ForwardTile {
    using Keys = KeyTiles<Products, Width>;
    static constexpr int warps = block_warps<Width>, threads = 32 * warps, rows = tile_rows * warps;
    static constexpr int query_elements = Products::Layout::template elements<rows, Width>;
    static constexpr bool gives_way = Stages == 2 && Products::template keeps_queries<Width>;
    static constexpr int first_stage = gives_way ? 0 : query_elements, first_query = gives_way ? Keys::elements : 0;
    static constexpr int elements = first_stage + Stages * Keys::elements;
    static constexpr int output_stride = tile_stride<output_columns<Width>>;
    static constexpr int shared_bytes = alignment_bytes<Products> + elements * 2;
    static_assert(first_query + query_elements <= elements && rows * output_stride <= elements);
};

// A warp's outputs go to memory by way of shared memory, which nobody reads any more.
template <class Products, int Width, int Stages, class Sums>
LF_DEVICE void store_outputs(const ForwardCall<bf16>& call, const RowTile& tile, bf16* shared, const Sums& totals,
                             const Statistics (&statistics)[2]) {
    using Keys = KeyTiles<Products, Width>;
    constexpr int stride = ForwardTile<Products, Width, Stages>::output_stride;
    const Geometry shape = call.shape;
    const int rows = tile.tokens * shape.group, warp_first = tile.first + tile_rows * warp_index();
    if (warp_first >= rows) return;
    const int kv_head = static_cast<int>(blockIdx.y) / Keys::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Keys::parts * Keys::columns;
    bf16* const own = shared + warp_index() * tile_rows * stride;
    round_rows<stride>(own, totals.output, 1.0f / statistics[0].sum, 1.0f / statistics[1].sum);
    __syncwarp();
    const QueryRows<bf16> target = output_rows(call.y, tile, kv_head, shape);
    store_rows<Keys::columns, stride>([&](int row) { return target.row(row); }, own, warp_first, rows, first_column,
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

template <class Products, int Width, bool Paged, int Stages>
__global__ void __launch_bounds__(ForwardTile<Products, Width, Stages>::threads, 1) forward_kernel(ForwardCall<bf16> call) {
    using Tile = ForwardTile<Products, Width, Stages>;
    using Keys = KeyTiles<Products, Width>;
    LUFFY_DYNAMIC_SHARED(bf16, unaligned);
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

    bf16* const tiles = align_tiles<Products>(unaligned);
    const auto stage_of = [&](int first) { return tiles + Tile::first_stage + first / key_block % Stages * Keys::elements; };
    const auto fetch = [&](int first) {
        bf16* const to = stage_of(first);
        if constexpr (Paged) {
            const int32_t* const pages = call.page_table + tile.sequence * call.table_stride;
            Keys::template fetch<Tile::threads>(to, paged_rows(call.cache, pages, 0, kv_head, shape), first, context,
                                                first_column, shape.head_dim, call.aligned);
        } else {
            Keys::template fetch<Tile::threads>(to, packed_rows(call.qkv, tile, kv_head, shape), first, context, first_column,
                                                shape.head_dim, call.aligned);
        }
    };
    load_tile<typename Products::Layout, Tile::rows, Width, Tile::threads>(
        tiles + Tile::first_query, query_rows(call.qkv, tile, kv_head, shape), tile.first, rows, shape.head_dim, call.aligned);
    fetch(0);
    Keys::template receive<0>();

    // Keys that rows see. Rows beyond the last compute something too, which goes nowhere.
    const auto seen = [&](int row) {
        return earlier + static_cast<int>(static_cast<unsigned>(min(row, rows - 1)) / static_cast<unsigned>(shape.group)) + 1;
    };
    const int warp_first = tile.first + tile_rows * warp_index();
    const int group_first = tile.first + tile_rows * warp_index() / Products::rows * Products::rows;
    const int least = seen(group_first), most = group_first < rows ? seen(group_first + Products::rows - 1) : 0;
    const int end = seen(tile.first + Tile::rows - 1);

    const typename Products::template Queries<Width, Tile::rows> query(tiles + Tile::first_query);
    WarpSums<Keys::columns> sums, totals;
    Statistics statistics[2];
    sums.clear();
    totals.clear();
    for (int first = 0; first < end; first += key_block) {
        if (Stages == 1 && first > 0) {
            __syncthreads(); // the block of keys before has been read
            fetch(first);
        }
        Keys::template receive<0>(); // this stage has arrived, and what the other's place held has been read
        if (Stages == 2 && first + key_block < end) fetch(first + key_block);
        if (first >= most) continue;
        sums.template add_block<Products, Width>(
            query, stage_of(first), first, first + key_block > least,
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
    __syncthreads(); // everything has been read
    store_outputs<Products, Width, Stages>(call, kept_tile, tiles, totals, statistics);
}

template <class Products, int Width, int Stages>
void forward(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens) {
    using Tile = ForwardTile<Products, Width, Stages>;
    const dim3 grid(static_cast<unsigned>(tile_count(tokens, call.sequences, call.shape.group, Tile::rows)),
                    static_cast<unsigned>(call.shape.kv_heads * KeyTiles<Products, Width>::parts));
    if (call.cache == nullptr) {
        launch(runtime, "attention.forward", forward_kernel<Products, Width, false, Stages>, grid, Tile::threads,
               Tile::shared_bytes, call);
    } else {
        launch(runtime, "attention.prefill", forward_kernel<Products, Width, true, Stages>, grid, Tile::threads,
               Tile::shared_bytes, call);
    }
}

template <class Products> void forward(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens) {
    with_width<Products::least_width>(call.shape.head_dim, [&](auto width) {
        with_stages<Products, ForwardTile, decltype(width)::value>(runtime, [&](auto stages) {
            forward<Products, decltype(width)::value, decltype(stages)::value>(runtime, call, tokens);
        });
    });
}

} // namespace

void forward_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens) {
    if (runtime.wgmma) {
        forward<WgmmaProducts>(runtime, call, tokens);
    } else {
        forward<MmaProducts>(runtime, call, tokens);
    }
}

} // namespace luffy::attention
