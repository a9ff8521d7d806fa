// What follows decoding: the chunks of each row, in ascending order, with the arithmetic of the forward pass.
#include "../../device/elements.h"
#include "calls.h"
#include "softmax.h"

namespace luffy::attention {

namespace {

constexpr int merge_threads = 128;

// Grid: sequences, key-value heads, rows.
template <class T> __global__ void __launch_bounds__(merge_threads) merge_kernel(ForwardCall<T> call, DecodedBatch batch) {
    const Geometry shape = call.shape;
    const int local = static_cast<int>(blockIdx.x), sequence = batch.first + local, kv_head = static_cast<int>(blockIdx.y);
    const int row = static_cast<int>(blockIdx.z), begin = call.starts[sequence], tokens = call.starts[sequence + 1] - begin;
    if (row >= tokens * shape.group || !call.is_decoded(tokens)) return;
    const int chunks = (call.contexts[sequence] + chunk_keys - 1) / chunk_keys;
    const int64_t slot = ((static_cast<int64_t>(local) * shape.kv_heads + kv_head) * batch.rows + row) * batch.chunks;
    const float *const outputs = batch.outputs + slot * batch.width, *const statistics = batch.statistics + 2 * slot;
    T* const to = output_rows(call.y, RowTile{sequence, begin, tokens, 0}, kv_head, shape).row(row);
    for (int column = static_cast<int>(threadIdx.x); column < shape.head_dim; column += merge_threads) {
        Statistics total;
        float output = 0;
        for (int chunk = 0; chunk < chunks; chunk++) {
            const MergeFactors factors = merge_factors(total, statistics[2 * chunk], statistics[2 * chunk + 1], shape.power);
            output = merge(output, outputs[static_cast<int64_t>(chunk) * batch.width + column], factors);
        }
        store(to + column, normalize(output, 1.0f / total.sum));
    }
}

} // namespace

template <class T> void merge_chunks(const Runtime& runtime, const ForwardCall<T>& call, const DecodedBatch& batch) {
    const dim3 grid(static_cast<unsigned>(batch.sequences), static_cast<unsigned>(call.shape.kv_heads),
                    static_cast<unsigned>(batch.rows));
    launch(runtime, "attention.merge", merge_kernel<T>, grid, merge_threads, 0, call, batch);
}

template void merge_chunks(const Runtime& runtime, const ForwardCall<float>& call, const DecodedBatch& batch);
template void merge_chunks(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch);

} // namespace luffy::attention
