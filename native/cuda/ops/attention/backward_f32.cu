// The backward pass of f32, by fused multiply-adds. As in bf16 one kernel serves two launches: a block owns 32 keys and goes over
// the queries that see them, or owns 32 rows of queries and goes over the keys that they see.
#include "calls.h"
#include "softmax.h"
#include "tiles_f32.h"

namespace luffy::attention {

namespace {

constexpr int side_rows = 32, own_rows = side_rows / f32_side;

template <int Width> struct Float32Gradients {
    static constexpr int stride = f32_stride<Width>, weight_stride = f32_stride<side_rows>, parts = Width / 64;
    static constexpr int shared_bytes = (4 * side_rows * stride + 2 * side_rows * weight_stride) * 4;
};

template <int Width, bool OwnKeys> __global__ void __launch_bounds__(f32_threads, 1) backward_kernel(BackwardCall call) {
    using Tile = Float32Gradients<Width>;
    constexpr int stride = Tile::stride, weight_stride = Tile::weight_stride, parts = Tile::parts;
    LUFFY_DYNAMIC_SHARED(float, shared);
    const Geometry shape = call.shape;
    const int group = shape.group, head_dim = shape.head_dim, kv_head = static_cast<int>(blockIdx.y);
    const RowTile tile = find_tile<side_rows>(call.starts, call.sequences, OwnKeys ? 1 : group);
    const int rows = tile.tokens * group, own_count = OwnKeys ? tile.tokens : rows;
    if (tile.first >= own_count) return;
    const int begin = OwnKeys ? tile.first * group : 0;
    const int end = OwnKeys ? rows : (min(tile.first + side_rows, rows) - 1) / group + 1;

    const float *const qkv = static_cast<const float*>(call.qkv), *const dy = static_cast<const float*>(call.dy);
    const QueryPairs<const float> query_row = query_pairs(qkv, dy, tile, kv_head, shape);
    const PackedRows<const float> key_row = packed_rows(qkv, tile, kv_head, shape);
    const int64_t first_row = kv_head * (call.tokens * group) + static_cast<int64_t>(tile.begin) * group;

    float *const own_a = shared, *const own_b = own_a + side_rows * stride, *const other_a = own_b + side_rows * stride;
    float *const other_b = other_a + side_rows * stride, *const weights = other_b + side_rows * stride;
    float* const gradients = weights + side_rows * weight_stride;
    const auto load_rows = [&](float* a, float* b, int first) {
        load_tile<side_rows, Width>(
            a, [&](int row) { return query_row.row(row).a; }, first, rows, head_dim, call.aligned);
        load_tile<side_rows, Width>(
            b, [&](int row) { return query_row.row(row).b; }, first, rows, head_dim, call.aligned);
    };
    const auto load_keys = [&](float* a, float* b, int first) {
        load_tile<side_rows, Width>(
            a, [&](int key) { return key_row.row(key).a; }, first, tile.tokens, head_dim, call.aligned);
        load_tile<side_rows, Width>(
            b, [&](int key) { return key_row.row(key).b; }, first, tile.tokens, head_dim, call.aligned);
    };
    if constexpr (OwnKeys) {
        load_keys(own_a, own_b, tile.first);
    } else {
        load_rows(own_a, own_b, tile.first);
    }

    const int x = static_cast<int>(threadIdx.x) % f32_side, own = static_cast<int>(threadIdx.x) / f32_side * own_rows;
    float sums_a[own_rows][parts][4] = {}, sums_b[own_rows][parts][4] = {};
    for (int first = begin; first < end; first += side_rows) {
        if constexpr (OwnKeys) {
            load_rows(other_a, other_b, first);
        } else {
            load_keys(other_a, other_b, first);
        }
        __syncthreads();
        float scores[own_rows][own_rows], slopes[own_rows][own_rows];
        dot_rows<own_rows, own_rows, stride>(scores, own_a + own * stride, other_a + x * stride, head_dim);
        dot_rows<own_rows, own_rows, stride>(slopes, own_b + own * stride, other_b + x * stride, head_dim);
#pragma unroll
        for (int i = 0; i < own_rows; i++)
#pragma unroll
            for (int j = 0; j < own_rows; j++) {
                const int own_index = tile.first + own + i, other_index = first + x + j * f32_side;
                const int row = OwnKeys ? other_index : own_index, key = OwnKeys ? own_index : other_index;
                const bool seen = row < rows && key <= row / group;
                const int64_t at = first_row + row;
                const float weight = seen ? device_exp2(fmaf(scores[i][j], shape.power, -call.log_sum_exp[at])) : 0.0f;
                const int place = (own + i) * weight_stride + x + j * f32_side;
                weights[place] = weight;
                gradients[place] = seen ? weight * (slopes[i][j] - call.delta[at]) : 0.0f;
            }
        __syncthreads();
        add_weighted_rows<own_rows, parts, side_rows, weight_stride, stride>(sums_a, gradients + own * weight_stride,
                                                                             other_a + 4 * x);
        if constexpr (OwnKeys) {
            add_weighted_rows<own_rows, parts, side_rows, weight_stride, stride>(sums_b, weights + own * weight_stride,
                                                                                 other_b + 4 * x);
        }
        __syncthreads();
    }

    float* const to = static_cast<float*>(call.d_qkv);
#pragma unroll
    for (int i = 0; i < own_rows; i++) {
        const int index = tile.first + own + i;
        if (index >= own_count) continue;
        // The scale of ds = scale · p · (dp − delta) is left for here.
        if constexpr (OwnKeys) {
            const RowPair<float> target = packed_rows(to, tile, kv_head, shape).row(index);
            store_row(target.a, sums_a[i], shape.scale, x, head_dim);
            store_row(target.b, sums_b[i], 1.0f, x, head_dim);
        } else {
            store_row(query_rows(to, tile, kv_head, shape).row(index), sums_a[i], shape.scale, x, head_dim);
        }
    }
}

template <int Width, bool OwnKeys> void backward(const Runtime& runtime, const BackwardCall& call, const char* name) {
    const dim3 grid(static_cast<unsigned>(tile_count(call.tokens, call.sequences, OwnKeys ? 1 : call.shape.group, side_rows)),
                    static_cast<unsigned>(call.shape.kv_heads));
    launch(runtime, name, backward_kernel<Width, OwnKeys>, grid, f32_threads, Float32Gradients<Width>::shared_bytes, call);
}

} // namespace

void backward_f32(const Runtime& runtime, const BackwardCall& call) {
    with_f32_width(call.shape.head_dim, [&](auto width) {
        backward<decltype(width)::value, true>(runtime, call, "attention.backward_key_value");
        backward<decltype(width)::value, false>(runtime, call, "attention.backward_query");
    });
}

} // namespace luffy::attention
