// The cache of keys and values: [pages][keys, values][key-value heads][tokens of a page][D], so that a tile of keys of one head
// is a few stretches of memory.
#include "../../device/elements.h"
#include "calls.h"

namespace luffy::attention {

namespace {

constexpr int copy_threads = 128;
constexpr int64_t piece_bytes = sizeof(uint4);

bool whole_pieces(const void* p, int64_t bytes) {
    return reinterpret_cast<uintptr_t>(p) % piece_bytes == 0 && bytes % piece_bytes == 0;
}

// A block a token. Piece is an element, or 16 bytes of them; the lengths count pieces.
template <class Piece>
__global__ void __launch_bounds__(copy_threads)
    store_kernel(Piece* cache, const Piece* qkv, const int32_t* slots, int heads, int matrices, int head_pieces) {
    const int64_t token = blockIdx.x;
    const int slot = slots[token], page = slot / page_size, place = slot % page_size;
    const Piece* const from = qkv + (token * (heads + matrices) + heads) * head_pieces;
    Piece* const to = cache + (static_cast<int64_t>(page) * matrices * page_size + place) * head_pieces;
    for (int i = static_cast<int>(threadIdx.x); i < matrices * head_pieces; i += copy_threads) {
        const int matrix = i / head_pieces;
        to[static_cast<int64_t>(matrix) * page_size * head_pieces + i - matrix * head_pieces] = from[i];
    }
}

// Grid: copies, parts of a page.
template <class Piece>
__global__ void __launch_bounds__(copy_threads) copy_kernel(Piece* cache, const int32_t* copies, int64_t page_pieces) {
    const Piece* const from = cache + copies[2 * blockIdx.x] * page_pieces;
    Piece* const to = cache + copies[2 * blockIdx.x + 1] * page_pieces;
    for (int64_t i = static_cast<int64_t>(blockIdx.y) * copy_threads + threadIdx.x; i < page_pieces;
         i += gridDim.y * copy_threads)
        to[i] = from[i];
}

template <class Piece>
void store_pieces(const Runtime& runtime, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                  const lf_attention_shape& shape, int64_t head_bytes) {
    launch(runtime, "attention.store", store_kernel<Piece>, dim3(static_cast<unsigned>(tokens)), copy_threads, 0,
           static_cast<Piece*>(cache), static_cast<const Piece*>(qkv), slots, shape.heads, 2 * shape.kv_heads,
           static_cast<int>(head_bytes / static_cast<int64_t>(sizeof(Piece))));
}

template <class Piece>
void copy_pieces(const Runtime& runtime, void* cache, const int32_t* copies, int64_t count, int64_t page_bytes) {
    const int64_t pieces = page_bytes / static_cast<int64_t>(sizeof(Piece)),
                  parts = (pieces + 4 * copy_threads - 1) / (4 * copy_threads);
    launch(runtime, "attention.copy_pages", copy_kernel<Piece>, dim3(static_cast<unsigned>(count), static_cast<unsigned>(parts)),
           copy_threads, 0, static_cast<Piece*>(cache), copies, pieces);
}

} // namespace

template <class T>
void store_key_value(const Runtime& runtime, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                     const lf_attention_shape& shape) {
    if (tokens == 0) return;
    const int64_t head_bytes = shape.head_dim * static_cast<int64_t>(sizeof(T));
    if (whole_pieces(cache, head_bytes) && whole_pieces(qkv, head_bytes)) {
        store_pieces<uint4>(runtime, cache, qkv, slots, tokens, shape, head_bytes);
    } else {
        store_pieces<T>(runtime, cache, qkv, slots, tokens, shape, head_bytes);
    }
}

template void store_key_value<float>(const Runtime&, void*, const void*, const int32_t*, int64_t, const lf_attention_shape&);
template void store_key_value<bf16>(const Runtime&, void*, const void*, const int32_t*, int64_t, const lf_attention_shape&);

void copy_pages(const Runtime& runtime, void* cache, const int32_t* copies, int64_t count, int64_t page_bytes) {
    if (count == 0) return;
    if (whole_pieces(cache, page_bytes)) {
        copy_pieces<uint4>(runtime, cache, copies, count, page_bytes);
    } else {
        copy_pieces<uint16_t>(runtime, cache, copies, count, page_bytes);
    }
}

} // namespace luffy::attention
