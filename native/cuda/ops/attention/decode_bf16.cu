// Decoding in bf16: few rows, many keys. A block has the rows of a key-value head and one chunk of keys, so that one long
// sequence fills the device too; merge.cu adds the chunks up. Its warp, or with wgmma its four, do what they do in the forward
// pass, to the bit.
#include "forward_bf16.h"

namespace luffy::attention {

namespace {

template <class Products, int Width, int Stages> struct DecodeTile {
    static constexpr int rows = Products::rows, threads = 2 * rows;
    static constexpr int query_elements = Products::Layout::template elements<rows, Width>, chunk_pages = chunk_keys / page_size;
    static constexpr int shared_bytes =
        alignment_bytes<Products> + (query_elements + Stages * KeyTiles<Products, Width>::elements) * 2;
};

// Grid: sequences × tiles of rows, key-value heads × parts of their outputs, chunks. Sequences that are not decoded, or have no
// such chunk, are passed over.
template <class Products, int Width, int Stages>
__global__ void __launch_bounds__(DecodeTile<Products, Width, Stages>::threads)
    decode_kernel(ForwardCall<bf16> call, DecodedBatch batch) {
    using Tile = DecodeTile<Products, Width, Stages>;
    using Keys = KeyTiles<Products, Width>;
    LUFFY_DYNAMIC_SHARED(bf16, unaligned);
    __shared__ int32_t pages[Tile::chunk_pages];
    const Geometry shape = call.shape;
    const int tiles = (batch.rows + Tile::rows - 1) / Tile::rows, local = static_cast<int>(blockIdx.x) / tiles;
    const int sequence = batch.first + local, tile_first = static_cast<int>(blockIdx.x) % tiles * Tile::rows;
    const int begin = call.starts[sequence], tokens = call.starts[sequence + 1] - begin, rows = tokens * shape.group;
    const int context = call.contexts[sequence], chunk = static_cast<int>(blockIdx.z), from = chunk * chunk_keys;
    if (tile_first >= rows || from >= context || !call.is_decoded(tokens)) return;
    const int end = min(context, from + chunk_keys), earlier = context - tokens;
    const int kv_head = static_cast<int>(blockIdx.y) / Keys::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Keys::parts * Keys::columns;
    const RowTile tile{sequence, begin, tokens, tile_first};

    const int first_page = from / page_size, page = static_cast<int>(threadIdx.x);
    if (page < Tile::chunk_pages && from + page * page_size < end)
        pages[page] = call.page_table[sequence * call.table_stride + first_page + page];
    __syncthreads();
    bf16 *const queries = align_tiles<Products>(unaligned), *const stages = queries + Tile::query_elements;
    const auto stage_of = [&](int first) { return stages + first / key_block % Stages * Keys::elements; };
    const auto fetch = [&](int first) {
        Keys::template fetch<Tile::threads>(stage_of(first), paged_rows(call.cache, pages, first_page, kv_head, shape), first,
                                            end, first_column, shape.head_dim, call.aligned);
    };
    const auto receive = [&](int first) {
        if (Stages == 1) {
            if (first > from) fetch(first);
            Keys::template receive<0>();
        } else if (first + key_block < end) {
            fetch(first + key_block);
            Keys::template receive<1>();
        } else {
            Keys::template receive<0>();
        }
    };
    load_tile<typename Products::Layout, Tile::rows, Width, Tile::threads>(queries, query_rows(call.qkv, tile, kv_head, shape),
                                                                           tile_first, rows, shape.head_dim, call.aligned);
    fetch(from);
    receive(from);

    const int lane_row = tile_first + tile_rows * warp_index() + lane_index() / 4;
    const auto seen = [&](int row) {
        return earlier + static_cast<int>(static_cast<unsigned>(min(row, rows - 1)) / static_cast<unsigned>(shape.group)) + 1;
    };
    const int least = seen(tile_first);
    const typename Products::template Queries<Width, Tile::rows> query(queries);
    WarpSums<Keys::columns> sums;
    sums.clear();
    for (int first = from; first < end; first += key_block) {
        sums.template add_block<Products, Width>(
            query, stage_of(first), first, first + key_block > least, [&](int r) { return seen(lane_row + 8 * r); }, shape.power);
        if (first + key_block >= end) break;
        __syncthreads(); // this stage has been read
        receive(first + key_block);
    }
    sums.reduce();

    const int64_t head = static_cast<int64_t>(local) * shape.kv_heads + kv_head;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int row = lane_row + 8 * r;
        if (row >= rows) continue;
        const int64_t slot = (head * batch.rows + row) * batch.chunks + chunk;
        float* const output = batch.outputs + slot * batch.width + first_column + lane_index() % 4 * 2;
#pragma unroll
        for (int n = 0; n < Keys::columns / 8; n++)
            *reinterpret_cast<float2*>(output + 8 * n) = make_float2(sums.output[n][2 * r], sums.output[n][2 * r + 1]);
        if (first_column == 0 && lane_index() % 4 == 0)
            *reinterpret_cast<float2*>(batch.statistics + 2 * slot) = make_float2(sums.maximum[r], sums.sum[r]);
    }
}

template <class Products> void decode(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch) {
    with_width<Products::least_width>(call.shape.head_dim, [&](auto width) {
        constexpr int columns = decltype(width)::value;
        with_stages<Products, DecodeTile, columns>(runtime, [&](auto stages) {
            using Tile = DecodeTile<Products, columns, decltype(stages)::value>;
            const int tiles = (batch.rows + Tile::rows - 1) / Tile::rows;
            const dim3 grid(static_cast<unsigned>(batch.sequences * tiles),
                            static_cast<unsigned>(call.shape.kv_heads * KeyTiles<Products, columns>::parts),
                            static_cast<unsigned>(batch.chunks));
            launch(runtime, "attention.decode", decode_kernel<Products, columns, decltype(stages)::value>, grid, Tile::threads,
                   Tile::shared_bytes, call, batch);
        });
    });
}

} // namespace

void decode_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch) {
    if (runtime.wgmma) {
        decode<WgmmaProducts>(runtime, call, batch);
    } else {
        decode<MmaProducts>(runtime, call, batch);
    }
}

} // namespace luffy::attention
