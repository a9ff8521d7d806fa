// Attention in bf16 on the tiles for GPUs whose blocks have 99 KiB of shared memory against the large ones: the same bits. The
// emulation plays such a GPU where LUFFY_EMULATION_DEVICE says so, and then these tiles are all that it has.
#include "../ops/operations.h"
#include "support.h"

#include <cmath>
#include <cstring>

namespace {

using luffy::bf16;

constexpr int geforce_bytes = 99 << 10; // of a block on compute capability 8.6 and 8.9

const luffy::Kernels& kernels() {
    static const luffy::Kernels table = [] {
        luffy::Kernels k{};
        luffy::add_attention(k);
        return k;
    }();
    return table;
}

// Packed sequences: one of two tiles of 128 tokens, a short one and one of a single token. The same as prompts in pages, and then
// a token more of each.
struct Batch {
    static constexpr int32_t heads = 4, kv_heads = 2;
    static constexpr int64_t sequences = 3, tokens = 172, pages_of_sequence = 9;
    static constexpr int32_t lengths[3] = {140, 31, 1};

    explicit Batch(int32_t head_dim)
        : shape{heads, kv_heads, head_dim, 1 / std::sqrt(static_cast<float>(head_dim))}, row(heads * head_dim),
          packed_row((heads + 2 * kv_heads) * head_dim) {
        for (size_t i = 0; i < qkv.size(); i++) qkv[i] = luffy::to_bf16(2 * std::sin(0.61f * static_cast<float>(i * i % 4099)));
        for (size_t i = 0; i < dy.size(); i++) dy[i] = luffy::to_bf16(std::sin(0.83f * static_cast<float>(i)));
        for (int s = 0, token = 0; s < sequences; s++) {
            starts[static_cast<size_t>(s) + 1] = starts[static_cast<size_t>(s)] + lengths[s];
            steps[static_cast<size_t>(s) + 1] = s + 1;
            contexts[static_cast<size_t>(s)] = lengths[s];
            longer[static_cast<size_t>(s)] = lengths[s] + 1;
            // Pages of a sequence lie anywhere.
            for (int p = 0; p < pages_of_sequence; p++) table[static_cast<size_t>(s * pages_of_sequence + p)] = page(s, p);
            for (int t = 0; t < lengths[s]; t++, token++) slots[static_cast<size_t>(token)] = slot(s, t);
            step_slots[static_cast<size_t>(s)] = slot(s, lengths[s]);
        }
        qkv.upload();
        dy.upload();
        starts.upload();
        steps.upload();
        contexts.upload();
        longer.upload();
        table.upload();
        slots.upload();
        step_slots.upload();
    }

    static int32_t page(int sequence, int number) {
        return static_cast<int32_t>((sequence * pages_of_sequence + number) * 5 % (sequences * pages_of_sequence));
    }
    static int32_t slot(int sequence, int token) {
        return page(sequence, token / LF_PAGE_SIZE) * LF_PAGE_SIZE + token % LF_PAGE_SIZE;
    }

    void run(int shared_memory_of_block) {
        test::Array<char> workspace(size_t{1} << 20);
        luffy::Runtime runtime{};
        runtime.shared_memory_of_block = shared_memory_of_block;
        runtime.multiprocessors = 4;
        runtime.workspace = workspace.device;
        runtime.workspace_bytes = static_cast<int64_t>(workspace.size());

        luffy::AttentionArguments a{};
        a.shape = shape;
        a.qkv = qkv.device;
        a.query_starts = starts.device;
        a.sequences = sequences;
        a.host_query_starts = starts.host.data();
        kernels().attention_forward[LF_BF16](runtime, y.device, log_sum_exp.device, a);
        test::Array<char> scratch(
            static_cast<size_t>(kernels().attention_backward_scratch[LF_BF16](runtime, tokens, lengths[0], shape)));
        kernels().attention_backward[LF_BF16](runtime, {d_qkv.device, dy.device, y.device, log_sum_exp.device}, a,
                                              scratch.device);

        kernels().attention_store[LF_BF16](runtime, cache.device, qkv.device, slots.device, tokens, shape);
        a.cache = cache.device;
        a.page_table = table.device;
        a.table_stride = pages_of_sequence;
        a.context_lengths = contexts.device;
        a.host_context_lengths = contexts.host.data();
        kernels().attention_forward[LF_BF16](runtime, prefilled.device, nullptr, a);

        kernels().attention_store[LF_BF16](runtime, cache.device, qkv.device, step_slots.device, sequences, shape);
        a.query_starts = steps.device;
        a.host_query_starts = steps.host.data();
        a.context_lengths = longer.device;
        a.host_context_lengths = longer.host.data();
        kernels().attention_forward[LF_BF16](runtime, decoded.device, nullptr, a);
        test::require(cudaDeviceSynchronize(), "attention");
        y.download();
        log_sum_exp.download();
        d_qkv.download();
        prefilled.download();
        decoded.download();
    }

    lf_attention_shape shape;
    int64_t row, packed_row;
    test::Array<bf16> qkv{static_cast<size_t>(tokens * packed_row)}, dy{static_cast<size_t>(tokens * row)},
        y{static_cast<size_t>(tokens * row)}, d_qkv{static_cast<size_t>(tokens * packed_row)},
        cache{static_cast<size_t>(sequences * pages_of_sequence * LF_PAGE_SIZE * 2 * kv_heads * shape.head_dim)},
        prefilled{static_cast<size_t>(tokens * row)}, decoded{static_cast<size_t>(sequences * row)};
    test::Array<float> log_sum_exp{static_cast<size_t>(tokens * heads)};
    test::Array<int32_t> starts{sequences + 1}, steps{sequences + 1}, contexts{sequences}, longer{sequences},
        table{static_cast<size_t>(sequences * pages_of_sequence)}, slots{static_cast<size_t>(tokens)}, step_slots{sequences};
};

template <class T> bool same(const test::Array<T>& a, const test::Array<T>& b) {
    return std::memcmp(a.host.data(), b.host.data(), a.size() * sizeof(T)) == 0;
}

bool are_numbers(const test::Array<bf16>& x) {
    double sum = 0;
    for (bf16 e : x.host) sum += std::abs(static_cast<double>(luffy::to_float(e)));
    return std::isfinite(sum) && sum > 0;
}

void compare(int32_t head_dim, int large) {
    const std::string name = "attention of heads of " + std::to_string(head_dim) + " on 99 KiB: ";
    Batch small(head_dim);
    small.run(geforce_bytes);
    test::expect(are_numbers(small.y) && are_numbers(small.d_qkv) && are_numbers(small.decoded), name + "numbers");
    // The bits of a row do not tell pages from packed rows.
    test::expect(same(small.prefilled, small.y), name + "prompts in pages");
    if (large <= geforce_bytes) return;
    Batch whole(head_dim);
    whole.run(large);
    test::expect(same(small.y, whole.y), name + "outputs");
    test::expect(same(small.log_sum_exp, whole.log_sum_exp), name + "log-sum-exp");
    test::expect(same(small.d_qkv, whole.d_qkv), name + "gradients");
    test::expect(same(small.prefilled, whole.prefilled), name + "outputs of prompts");
    test::expect(same(small.decoded, whole.decoded), name + "outputs of decoded tokens");
}

} // namespace

void test::attention() {
    const int large = test::shared_memory_of_block();
    if (large <= geforce_bytes) std::printf("not tested: large tiles of attention, which this GPU has no shared memory for\n");
    compare(128, large);
    // Rows that are no whole pieces of 16 bytes, and blocks for either half of a head.
    compare(100, large);
    compare(256, large);
}
