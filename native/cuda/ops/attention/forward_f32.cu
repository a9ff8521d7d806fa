// The forward pass and decoding of f32, by fused multiply-adds. 64 rows a block, 16 lanes for four of them; the steps are those
// of the bf16 kernels, and the one routine below serves training, prefill and decoding.
#include "calls.h"
#include "softmax.h"
#include "tiles_f32.h"

namespace luffy::attention {

namespace {

constexpr int rows_of_thread = 4, block_rows = rows_of_thread * f32_side, warp_rows = 2 * rows_of_thread,
              key_columns = key_block / f32_side;

template <int Width> struct Float32Tile {
    static constexpr int stride = f32_stride<Width>, weight_stride = f32_stride<key_block>;
    static constexpr int shared_bytes = (block_rows * stride + key_block * stride + block_rows * weight_stride) * 4;
};

// A thread's four rows: largest scores, its lane's part of the sums, and columns 4x + 64c … of the outputs.
template <int Width> struct ThreadSums {
    static constexpr int parts = Width / 64;
    float maximum[rows_of_thread], sum[rows_of_thread], output[rows_of_thread][parts][4];

    LF_DEVICE void clear() {
#pragma unroll
        for (int i = 0; i < rows_of_thread; i++) {
            maximum[i] = -INFINITY;
            sum[i] = 0;
#pragma unroll
            for (int c = 0; c < parts; c++)
#pragma unroll
                for (int e = 0; e < 4; e++) output[i][c][e] = 0;
        }
    }

    // The chunk is complete: every lane of a row has the whole sum.
    LF_DEVICE void reduce() {
#pragma unroll
        for (int i = 0; i < rows_of_thread; i++)
#pragma unroll
            for (int lanes = f32_side / 2; lanes > 0; lanes /= 2) sum[i] += __shfl_xor_sync(0xFFFFFFFFu, sum[i], lanes);
    }
};

// What a block works on: where its tiles are, and which keys its rows see.
template <int Width> struct Float32Block {
    float *queries, *keys, *weights; // keys make room for values
    int x, y, warp_first, seen[rows_of_thread], most;
    const Geometry& shape;

    LF_DEVICE Float32Block(float* shared, const RowTile& tile, int earlier, const Geometry& geometry)
        : queries(shared), keys(queries + block_rows * Float32Tile<Width>::stride),
          weights(keys + key_block * Float32Tile<Width>::stride), x(static_cast<int>(threadIdx.x) % f32_side),
          y(static_cast<int>(threadIdx.x) / f32_side), warp_first(tile.first + static_cast<int>(threadIdx.x) / 32 * warp_rows),
          shape(geometry) {
        const int rows = tile.tokens * shape.group;
        for (int i = 0; i < rows_of_thread; i++)
            seen[i] = earlier + min(tile.first + y * rows_of_thread + i, rows - 1) / shape.group + 1;
        most = warp_first < rows ? earlier + (min(warp_first + warp_rows, rows) - 1) / shape.group + 1 : 0;
    }

    // One step of the online softmax, for the warps that see anything of the block of keys. All threads of the block call it.
    template <class Source>
    LF_DEVICE void add_block(ThreadSums<Width>& sums, const Source& rows, int first, int context, bool aligned) const {
        constexpr int stride = Float32Tile<Width>::stride, weight_stride = Float32Tile<Width>::weight_stride;
        __syncthreads(); // the values before have been read
        load_tile<key_block, Width>(
            keys, [&](int key) { return rows.row(key).a; }, first, context, shape.head_dim, aligned);
        __syncthreads();
        const bool any = first < most;
        float* const row_weights = weights + y * rows_of_thread * weight_stride;
        if (any) {
            float scores[rows_of_thread][key_columns];
            dot_rows<rows_of_thread, key_columns, stride>(scores, queries + y * rows_of_thread * stride, keys + x * stride,
                                                          shape.head_dim);
#pragma unroll
            for (int i = 0; i < rows_of_thread; i++) weigh_row(sums, i, scores[i], first, row_weights + i * weight_stride);
        }
        __syncthreads();
        load_tile<key_block, Width>(
            keys, [&](int key) { return rows.row(key).b; }, first, context, shape.head_dim, aligned);
        __syncthreads();
        if (any) {
            add_weighted_rows<rows_of_thread, ThreadSums<Width>::parts, key_block, weight_stride, stride>(
                sums.output, row_weights, keys + 4 * x);
        }
    }

  private:
    LF_DEVICE void weigh_row(ThreadSums<Width>& sums, int i, float (&scores)[key_columns], int first, float* row_weights) const {
        float largest = -INFINITY;
#pragma unroll
        for (int j = 0; j < key_columns; j++) {
            if (first + x + j * f32_side >= seen[i]) scores[j] = -INFINITY;
            largest = fmaxf(largest, scores[j]);
        }
#pragma unroll
        for (int lanes = f32_side / 2; lanes > 0; lanes /= 2)
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, lanes));
        const float next = fmaxf(sums.maximum[i], largest), factor = rescale(sums.maximum[i], next, shape.power);
        const float reference = finite_maximum(next);
        float total = 0;
#pragma unroll
        for (int j = 0; j < key_columns; j++) {
            const float weight = weigh(scores[j], reference, shape.power);
            row_weights[x + j * f32_side] = weight;
            total += weight;
        }
        sums.sum[i] = fmaf(sums.sum[i], factor, total);
        sums.maximum[i] = next;
#pragma unroll
        for (int c = 0; c < ThreadSums<Width>::parts; c++)
#pragma unroll
            for (int e = 0; e < 4; e++) sums.output[i][c][e] *= factor;
    }
};

template <int Width, bool Paged> __global__ void __launch_bounds__(f32_threads) forward_kernel(ForwardCall<float> call) {
    LUFFY_DYNAMIC_SHARED(float, shared);
    const Geometry shape = call.shape;
    const RowTile tile = find_tile<block_rows>(call.starts, call.sequences, shape.group);
    const int rows = tile.tokens * shape.group, kv_head = static_cast<int>(blockIdx.y);
    if (tile.first >= rows || (Paged && call.is_decoded(tile.tokens))) return;
    const int context = Paged ? call.contexts[tile.sequence] : tile.tokens, earlier = context - tile.tokens;
    const int end = earlier + (min(tile.first + block_rows, rows) - 1) / shape.group + 1;
    const Float32Block<Width> block(shared, tile, earlier, shape);
    const QueryRows<const float> queries = query_rows(call.qkv, tile, kv_head, shape);
    load_tile<block_rows, Width>(
        block.queries, [&](int row) { return queries.row(row); }, tile.first, rows, shape.head_dim, call.aligned);

    ThreadSums<Width> sums, totals;
    Statistics statistics[rows_of_thread];
    sums.clear();
    totals.clear();
    for (int first = 0; first < end; first += key_block) {
        if constexpr (Paged) {
            const int32_t* const pages = call.page_table + tile.sequence * call.table_stride;
            block.add_block(sums, paged_rows(call.cache, pages, 0, kv_head, shape), first, context, call.aligned);
        } else {
            block.add_block(sums, packed_rows(call.qkv, tile, kv_head, shape), first, context, call.aligned);
        }
        if ((first + key_block) % chunk_keys != 0 && first + key_block < end) continue;
        sums.reduce();
#pragma unroll
        for (int i = 0; i < rows_of_thread; i++) {
            const MergeFactors factors = merge_factors(statistics[i], sums.maximum[i], sums.sum[i], shape.power);
#pragma unroll
            for (int c = 0; c < ThreadSums<Width>::parts; c++)
#pragma unroll
                for (int e = 0; e < 4; e++) totals.output[i][c][e] = merge(totals.output[i][c][e], sums.output[i][c][e], factors);
        }
        sums.clear();
    }

#pragma unroll
    for (int i = 0; i < rows_of_thread; i++) {
        const int row = tile.first + block.y * rows_of_thread + i;
        if (row >= rows) continue;
        store_row(output_rows(call.y, tile, kv_head, shape).row(row), totals.output[i], 1.0f / statistics[i].sum, block.x,
                  shape.head_dim);
        if (call.log_sum_exp == nullptr || block.x != 0) continue;
        const int token = row / shape.group, head = kv_head * shape.group + row % shape.group;
        call.log_sum_exp[static_cast<int64_t>(tile.begin + token) * shape.heads + head] = log_sum_exp(statistics[i], shape.scale);
    }
}

// Grid: sequences × tiles of rows, key-value heads, chunks.
template <int Width> __global__ void __launch_bounds__(f32_threads) decode_kernel(ForwardCall<float> call, DecodedBatch batch) {
    LUFFY_DYNAMIC_SHARED(float, shared);
    const Geometry shape = call.shape;
    const int tiles = (batch.rows + block_rows - 1) / block_rows, local = static_cast<int>(blockIdx.x) / tiles;
    const int sequence = batch.first + local, begin = call.starts[sequence], tokens = call.starts[sequence + 1] - begin;
    const int kv_head = static_cast<int>(blockIdx.y), chunk = static_cast<int>(blockIdx.z), from = chunk * chunk_keys;
    const RowTile tile{sequence, begin, tokens, static_cast<int>(blockIdx.x) % tiles * block_rows};
    const int rows = tokens * shape.group, context = call.contexts[sequence], end = min(context, from + chunk_keys);
    if (tile.first >= rows || from >= context || !call.is_decoded(tokens)) return;
    const Float32Block<Width> block(shared, tile, context - tokens, shape);
    const QueryRows<const float> queries = query_rows(call.qkv, tile, kv_head, shape);
    load_tile<block_rows, Width>(
        block.queries, [&](int row) { return queries.row(row); }, tile.first, rows, shape.head_dim, call.aligned);

    const int32_t* const pages = call.page_table + sequence * call.table_stride;
    ThreadSums<Width> sums;
    sums.clear();
    for (int first = from; first < end; first += key_block) {
        block.add_block(sums, paged_rows(call.cache, pages, 0, kv_head, shape), first, end, call.aligned);
    }
    sums.reduce();
#pragma unroll
    for (int i = 0; i < rows_of_thread; i++) {
        const int row = tile.first + block.y * rows_of_thread + i;
        if (row >= rows) continue;
        const int64_t slot = ((static_cast<int64_t>(local) * shape.kv_heads + kv_head) * batch.rows + row) * batch.chunks + chunk;
        store_row(batch.outputs + slot * batch.width, sums.output[i], 1.0f, block.x, shape.head_dim);
        if (block.x != 0) continue;
        batch.statistics[2 * slot] = sums.maximum[i];
        batch.statistics[2 * slot + 1] = sums.sum[i];
    }
}

template <int Width> void forward(const Runtime& runtime, const ForwardCall<float>& call, int64_t tokens) {
    const dim3 grid(static_cast<unsigned>(tile_count(tokens, call.sequences, call.shape.group, block_rows)),
                    static_cast<unsigned>(call.shape.kv_heads));
    if (call.cache == nullptr) {
        launch(runtime, "attention.forward", forward_kernel<Width, false>, grid, f32_threads, Float32Tile<Width>::shared_bytes,
               call);
    } else {
        launch(runtime, "attention.prefill", forward_kernel<Width, true>, grid, f32_threads, Float32Tile<Width>::shared_bytes,
               call);
    }
}

} // namespace

void forward_f32(const Runtime& runtime, const ForwardCall<float>& call, int64_t tokens) {
    with_f32_width(call.shape.head_dim, [&](auto width) { forward<decltype(width)::value>(runtime, call, tokens); });
}

void decode_f32(const Runtime& runtime, const ForwardCall<float>& call, const DecodedBatch& batch) {
    const int tiles = (batch.rows + block_rows - 1) / block_rows;
    const dim3 grid(static_cast<unsigned>(batch.sequences * tiles), static_cast<unsigned>(call.shape.kv_heads),
                    static_cast<unsigned>(batch.chunks));
    with_f32_width(call.shape.head_dim, [&](auto width) {
        constexpr int padded = decltype(width)::value;
        launch(runtime, "attention.decode", decode_kernel<padded>, grid, f32_threads, Float32Tile<padded>::shared_bytes, call,
               batch);
    });
}

} // namespace luffy::attention
