// Decoding in bf16: few rows, many keys. A block is one warp with the rows of a key-value head and one chunk of keys, so that one
// long sequence fills the device too; merge.cu adds the chunks up. The warp does what a warp of the forward pass does, to the
// bit.
#include "forward_bf16.h"

namespace luffy::attention {

namespace {

template <int Width> struct DecodeTile {
    static constexpr int query_elements = tile_rows * tile_stride<Width>, chunk_pages = chunk_keys / page_size;
    static constexpr int page_elements = chunk_pages * static_cast<int>(sizeof(int32_t) / sizeof(bf16));
    static constexpr int shared_bytes = (page_elements + query_elements + 2 * KeyTiles<Width>::elements) * 2;
};

// Grid: sequences × tiles of rows, key-value heads × parts of their outputs, chunks. Sequences that are not decoded, or have no
// such chunk, are passed over.
template <int Width> __global__ void __launch_bounds__(32) decode_kernel(ForwardCall<bf16> call, DecodedBatch batch) {
    using Tile = DecodeTile<Width>;
    using Keys = KeyTiles<Width>;
    LUFFY_DYNAMIC_SHARED(bf16, shared);
    const Geometry shape = call.shape;
    const int tiles = (batch.rows + tile_rows - 1) / tile_rows, local = static_cast<int>(blockIdx.x) / tiles;
    const int sequence = batch.first + local, tile_first = static_cast<int>(blockIdx.x) % tiles * tile_rows;
    const int begin = call.starts[sequence], tokens = call.starts[sequence + 1] - begin, rows = tokens * shape.group;
    const int context = call.contexts[sequence], chunk = static_cast<int>(blockIdx.z), from = chunk * chunk_keys;
    if (tile_first >= rows || from >= context || !call.is_decoded(tokens)) return;
    const int end = min(context, from + chunk_keys), earlier = context - tokens;
    const int kv_head = static_cast<int>(blockIdx.y) / Keys::parts;
    const int first_column = static_cast<int>(blockIdx.y) % Keys::parts * Keys::columns;
    const RowTile tile{sequence, begin, tokens, tile_first};

    int32_t* const pages = reinterpret_cast<int32_t*>(shared);
    bf16 *const queries = shared + Tile::page_elements, *const stages = queries + Tile::query_elements;
    const int first_page = from / page_size, page = lane_index();
    if (page < Tile::chunk_pages && from + page * page_size < end)
        pages[page] = call.page_table[sequence * call.table_stride + first_page + page];
    __syncwarp();
    const PagedRows<bf16> keys = paged_rows(call.cache, pages, first_page, kv_head, shape);
    const auto fetch = [&](int first) {
        Keys::template fetch<32>(stages + first / key_block % 2 * Keys::elements, keys, first, end, first_column, shape.head_dim,
                                 call.aligned);
    };
    load_tile<tile_rows, Width, 32>(queries, query_rows(call.qkv, tile, kv_head, shape), tile_first, rows, shape.head_dim,
                                    call.aligned);
    fetch(from);
    if (from + key_block < end) {
        fetch(from + key_block);
        copy_async_wait<1>();
    } else {
        copy_async_wait<0>();
    }
    __syncwarp();

    const int lane_row = tile_first + lane_index() / 4;
    const auto seen = [&](int row) {
        return earlier + static_cast<int>(static_cast<unsigned>(min(row, rows - 1)) / static_cast<unsigned>(shape.group)) + 1;
    };
    const int least = seen(tile_first);
    const typename Keys::Queries query(queries);
    WarpSums<Keys::columns> sums;
    sums.clear();
    for (int first = from; first < end; first += key_block) {
        sums.template add_block<Width>(
            query, stages + first / key_block % 2 * Keys::elements, first, first + key_block > least,
            [&](int r) { return seen(lane_row + 8 * r); }, shape.power);
        if (first + key_block >= end) break;
        __syncwarp(); // every lane has read this stage
        if (first + 2 * key_block < end) {
            fetch(first + 2 * key_block);
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        __syncwarp(); // the next has arrived
    }
    sums.reduce();

    const int64_t head = static_cast<int64_t>(local) * shape.kv_heads + kv_head;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int row = lane_row + 8 * r;
        if (row >= rows) continue;
        const int64_t slot = (head * batch.rows + row) * batch.chunks + chunk;
        float* const output = batch.outputs + slot * Width + first_column + lane_index() % 4 * 2;
#pragma unroll
        for (int n = 0; n < Keys::columns / 8; n++)
            *reinterpret_cast<float2*>(output + 8 * n) = make_float2(sums.output[n][2 * r], sums.output[n][2 * r + 1]);
        if (first_column == 0 && lane_index() % 4 == 0)
            *reinterpret_cast<float2*>(batch.statistics + 2 * slot) = make_float2(sums.maximum[r], sums.sum[r]);
    }
}

template <int Width> void decode(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch) {
    const int tiles = (batch.rows + tile_rows - 1) / tile_rows;
    const dim3 grid(static_cast<unsigned>(batch.sequences * tiles),
                    static_cast<unsigned>(call.shape.kv_heads * KeyTiles<Width>::parts), static_cast<unsigned>(batch.chunks));
    launch(runtime, "attention.decode", decode_kernel<Width>, grid, 32, DecodeTile<Width>::shared_bytes, call, batch);
}

} // namespace

void decode_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch) {
    with_width(call.shape.head_dim, [&](auto width) { decode<decltype(width)::value>(runtime, call, batch); });
}

} // namespace luffy::attention
