// Row gather and its transpose; the contract is src/Luffy.Kernels/Ops/Embedding.cs.
#include "embedding.h"

#include "../device/row_parts.h"
#include "../transfers.h"
#include "operations.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace luffy {

namespace {

// Rows of `length` units; a packed weight is its rows.
template <class Unit>
__global__ void __launch_bounds__(gather_threads)
    embedding_gather_kernel(Unit* y, const Unit* weight, const int32_t* ids, int64_t tokens, int64_t length) {
    const int64_t step = int64_t{gridDim.x} * gather_threads;
    for (int64_t i = int64_t{blockIdx.x} * gather_threads + threadIdx.x; i < tokens * length; i += step) {
        const int64_t token = i / length;
        y[i] = weight[ids[token] * length + (i - token * length)];
    }
}

template <class Unit>
void gather(const Runtime& runtime, void* y, const void* weight, const int32_t* ids, int64_t tokens, int64_t row_bytes) {
    const int64_t length = row_bytes / static_cast<int64_t>(sizeof(Unit));
    launch(runtime, "embedding.gather", embedding_gather_kernel<Unit>,
           strided_grid(runtime, blocks_of(tokens * length, gather_threads), 32), dim3(gather_threads), 0, static_cast<Unit*>(y),
           static_cast<const Unit*>(weight), ids, tokens, length);
}

void forward(const Runtime& runtime, void* y, const void* weight, const int32_t* ids, int64_t tokens, int64_t row_bytes) {
    if (row_bytes % 16 == 0 && reinterpret_cast<uintptr_t>(y) % 16 == 0 && reinterpret_cast<uintptr_t>(weight) % 16 == 0)
        gather<uint4>(runtime, y, weight, ids, tokens, row_bytes);
    else
        gather<uint16_t>(runtime, y, weight, ids, tokens, row_bytes);
}

template <class T>
void forward_packed(const Runtime& runtime, void* y, const void* packed, const int32_t* ids, int64_t tokens, int64_t h) {
    forward(runtime, y, packed, ids, tokens, h * static_cast<int64_t>(sizeof(T)));
}

// starts[g] … starts[g + 1] − 1 are the places in `order` of the tokens of group g, ascending.
template <bool Whole, class Into, class From>
__global__ void __launch_bounds__(scatter_threads)
    embedding_scatter_kernel(Into* d_weight, const From* dy, const int32_t* ids, const int32_t* starts, const int32_t* order,
                             int64_t h) {
    constexpr int width = vector_width<From>;
    const int64_t element = (int64_t{blockIdx.y} * scatter_threads + threadIdx.x) * width;
    if (element >= h) return;
    const int32_t begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
    Into* sum = d_weight + int64_t{ids[order[begin]]} * h;
    float total[width];
#pragma unroll
    for (int e = 0; e < width; e++) total[e] = element + e < h ? load(sum + element + e) : 0;
    for (int32_t next = begin; next < end; next += scatter_ahead) {
        RowPart<From> parts[scatter_ahead];
#pragma unroll
        for (int a = 0; a < scatter_ahead; a++)
            if (next + a < end) parts[a] = load_part<Whole>(dy + int64_t{order[next + a]} * h, element, h);
#pragma unroll
        for (int a = 0; a < scatter_ahead; a++) {
            if (next + a >= end) break;
#pragma unroll
            for (int e = 0; e < width; e++) {
                total[e] += load(&parts[a][e]);
                // As if each sum went through memory, which rounds it.
                if constexpr (sizeof(Into) == sizeof(bf16)) total[e] = to_float(to_bf16(total[e]));
            }
        }
    }
#pragma unroll
    for (int e = 0; e < width; e++)
        if (element + e < h) store(sum + element + e, total[e]);
}

// Places of tokens grouped by their ids: where groups begin (one more than there are groups), then the tokens, ascending in each.
std::vector<int32_t> grouped(const int32_t* ids, int64_t tokens, int64_t& groups) {
    std::vector<int32_t> order(static_cast<size_t>(tokens)), starts;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return ids[a] < ids[b]; });
    for (int64_t i = 0; i < tokens; i++)
        if (i == 0 || ids[order[static_cast<size_t>(i)]] != ids[order[static_cast<size_t>(i - 1)]])
            starts.push_back(static_cast<int32_t>(i));
    groups = static_cast<int64_t>(starts.size());
    starts.push_back(static_cast<int32_t>(tokens));
    starts.insert(starts.end(), order.begin(), order.end());
    return starts;
}

template <class Into, class From>
void backward(const Runtime& runtime, void* d_weight, const void* dy, const int32_t* ids, const int32_t* host_ids, int64_t tokens,
              int64_t h) {
    if (tokens == 0 || h == 0) return;
    int64_t groups = 0;
    const std::vector<int32_t> lists = grouped(host_ids, tokens, groups);
    const int64_t bytes = static_cast<int64_t>(lists.size() * sizeof(int32_t));
    if (bytes > runtime.workspace_bytes)
        throw std::runtime_error("embedding.scatter: " + std::to_string(tokens) +
                                 " tokens are more than its workspace can group");
    runtime.transfers->upload(runtime.workspace, lists.data(), bytes);
    const int32_t* starts = reinterpret_cast<const int32_t*>(runtime.workspace);
    const int64_t blocks = blocks_of(h, int64_t{scatter_threads} * vector_width<From>);
    const auto kernel =
        has_whole_parts<From>(h, {dy}) ? embedding_scatter_kernel<true, Into, From> : embedding_scatter_kernel<false, Into, From>;
    launch(runtime, "embedding.scatter", kernel, dim3(static_cast<unsigned>(groups), static_cast<unsigned>(blocks)),
           dim3(scatter_threads), 0, static_cast<Into*>(d_weight), static_cast<const From*>(dy), ids, starts, starts + groups + 1,
           h);
}

} // namespace

void add_embedding(Kernels& k) {
    k.embedding_forward = forward;
    k.embedding_forward_packed[LF_F32] = forward_packed<float>;
    k.embedding_forward_packed[LF_BF16] = forward_packed<bf16>;
    k.embedding_backward[LF_F32][LF_F32] = backward<float, float>;
    k.embedding_backward[LF_F32][LF_BF16] = backward<float, bf16>;
    k.embedding_backward[LF_BF16][LF_BF16] = backward<bf16, bf16>;
}

} // namespace luffy
