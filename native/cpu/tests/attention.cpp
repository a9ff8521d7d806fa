#include "support.h"

#include <map>

namespace test {

namespace {

void check(int32_t dtype, int32_t heads, int32_t kv_heads, int32_t d, const std::vector<int64_t>& lengths) {
    const std::string what = "attention" + std::string(name(dtype)) + " h" + std::to_string(heads) + " kv" +
                             std::to_string(kv_heads) + " d" + std::to_string(d) + " " + std::to_string(lengths.size()) +
                             " sequences";
    const lf_attention_shape shape{heads, kv_heads, d, static_cast<float>(1 / std::sqrt(static_cast<double>(d)))};
    const int64_t packed = heads + 2 * kv_heads, s_count = static_cast<int64_t>(lengths.size());
    Tensor starts(LF_I32, {s_count + 1});
    int64_t tokens = 0, longest = 0, pages = 1;
    for (int64_t s = 0; s < s_count; s++) {
        tokens += lengths[static_cast<size_t>(s)];
        longest = lengths[static_cast<size_t>(s)] > longest ? lengths[static_cast<size_t>(s)] : longest;
        starts.set(s + 1, static_cast<double>(tokens));
        pages += lengths[static_cast<size_t>(s)] / LF_PAGE_SIZE + 1;
    }
    Random random(static_cast<uint64_t>(tokens * d + heads));
    const Tensor qkv = random.tensor(dtype, {tokens, packed, d}, 2), dy = random.tensor(dtype, {tokens, heads, d});
    Tensor y(dtype, {tokens, heads, d}), lse(LF_F32, {tokens, heads}), dqkv(dtype, {tokens, packed, d});
    ok(table->attention_forward(context, y, lse, qkv, starts, &shape), what);
    Tensor scratch(LF_U8, {table->attention_backward_scratch_bytes(context, tokens, longest, &shape, dtype)});
    ok(table->attention_backward(context, dqkv, dy, y, lse, qkv, starts, &shape, scratch), what);
    if (!scratch.guard_intact()) fail(what + ": backward wrote beyond its scratch");

    std::vector<double> expected(static_cast<size_t>(y.count)), gradient(static_cast<size_t>(qkv.count));
    const auto at = [&](int64_t t, int64_t head, int64_t i) { return static_cast<size_t>((t * packed + head) * d + i); };
    for (int64_t s = 0; s < s_count; s++) {
        for (int64_t t = starts.i32()[s]; t < starts.i32()[s + 1]; t++) {
            for (int64_t h = 0; h < heads; h++) {
                const int64_t k = heads + h / (heads / kv_heads), v = k + kv_heads, first = starts.i32()[s];
                std::vector<double> p;
                double top = -1e300, sum = 0, dot = 0;
                for (int64_t j = first; j <= t; j++) {
                    double score = 0;
                    for (int64_t i = 0; i < d; i++)
                        score += qkv.at(static_cast<int64_t>(at(t, h, i))) * qkv.at(static_cast<int64_t>(at(j, k, i)));
                    p.push_back(score * static_cast<double>(shape.scale));
                    top = std::fmax(top, p.back());
                }
                for (double& x : p) sum += x = std::exp(x - top);
                near(lse.at(t * heads + h), top + std::log(sum), 1e-4, what + " log-sum-exp");
                std::vector<double> dp;
                for (int64_t j = first; j <= t; j++) {
                    double& weight = p[static_cast<size_t>(j - first)];
                    weight /= sum;
                    double dw = 0;
                    for (int64_t i = 0; i < d; i++) {
                        const double upstream = dy.at((t * heads + h) * d + i);
                        expected[static_cast<size_t>((t * heads + h) * d + i)] +=
                            weight * qkv.at(static_cast<int64_t>(at(j, v, i)));
                        dw += upstream * qkv.at(static_cast<int64_t>(at(j, v, i)));
                        gradient[at(j, v, i)] += weight * upstream;
                    }
                    dp.push_back(dw);
                    dot += weight * dw;
                }
                for (int64_t j = first; j <= t; j++) {
                    const double ds = p[static_cast<size_t>(j - first)] * (dp[static_cast<size_t>(j - first)] - dot) *
                                      static_cast<double>(shape.scale);
                    for (int64_t i = 0; i < d; i++) {
                        gradient[at(t, h, i)] += ds * qkv.at(static_cast<int64_t>(at(j, k, i)));
                        gradient[at(j, k, i)] += ds * qkv.at(static_cast<int64_t>(at(t, h, i)));
                    }
                }
            }
        }
    }
    all_near(y, expected, tolerance(dtype), what + " forward");
    all_near(dqkv, gradient, tolerance(dtype), what + " backward");
    // Three threads cut a long sequence into other tasks than one does: not a bit may differ.
    static std::map<std::string, std::vector<uint8_t>> of_one_thread;
    const std::vector<uint8_t>& first = of_one_thread.emplace(what, dqkv.bytes).first->second;
    same_bits(dqkv.bytes.data(), first.data(), dqkv.count * dqkv.size(), what + " backward with other threads");

    // The same bits from the paged cache, pages in a scattered order full of NaN where nothing was stored: whole prompts, then
    // the last token alone, then the second half as one chunk.
    Tensor cache(LF_U8, {table->attention_cache_bytes(context, pages, &shape, dtype)});
    std::memset(cache.bytes.data(), 0xFF, static_cast<size_t>(cache.count));
    const int64_t width = longest / LF_PAGE_SIZE + 1;
    Tensor slots(LF_I32, {tokens}), page_table(LF_I32, {s_count, width}), contexts(LF_I32, {s_count});
    int64_t next = pages - 1;
    for (int64_t s = 0; s < s_count; s++) {
        const int64_t n = lengths[static_cast<size_t>(s)];
        for (int64_t p = 0; p * LF_PAGE_SIZE < n; p++) page_table.set(s * width + p, static_cast<double>(next--));
        contexts.set(s, static_cast<double>(n));
        for (int64_t i = 0; i < n; i++)
            slots.set(starts.i32()[s] + i,
                      static_cast<double>(page_table.i32()[s * width + i / LF_PAGE_SIZE] * LF_PAGE_SIZE + i % LF_PAGE_SIZE));
    }
    ok(table->attention_store_key_value(context, cache, qkv, slots, pages, &shape), what);
    Tensor paged(dtype, {tokens, heads, d});
    ok(table->attention_forward_paged(context, paged, qkv, cache, page_table, starts, contexts, pages, &shape), what);
    same_bits(paged.bytes.data(), y.bytes.data(), y.count * y.size(), what + " prefill");
    for (int64_t divisor : {0, 2}) {
        for (int64_t s = 0; s < s_count; s++) {
            const int64_t n = lengths[static_cast<size_t>(s)], rows = divisor == 0 ? 1 : n - n / divisor;
            if (n == 0) continue;
            Tensor q(dtype, {rows, packed, d}), out(dtype, {rows, heads, d}), range(LF_I32, {2}), one(LF_I32, {1}),
                own(LF_I32, {1, width});
            const int64_t begin = starts.i32()[s + 1] - rows;
            std::memcpy(q.bytes.data(), qkv.bytes.data() + begin * packed * d * q.size(),
                        static_cast<size_t>(q.count * q.size()));
            range.set(1, static_cast<double>(rows));
            one.set(0, static_cast<double>(n));
            for (int64_t p = 0; p < width; p++) own.set(p, page_table.at(s * width + p));
            ok(table->attention_forward_paged(context, out, q, cache, own, range, one, pages, &shape), what);
            same_bits(out.bytes.data(), y.bytes.data() + begin * heads * d * y.size(), out.count * out.size(),
                      what + " last rows alone");
        }
    }
}

} // namespace

void attention() {
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        check(dtype, 1, 1, 2, {1});
        check(dtype, 3, 1, 8, {5, 1, 17});
        check(dtype, 4, 2, 20, {70, 64, 3});
        check(dtype, 6, 2, 48, {129, 0, 33});
        check(dtype, 4, 4, 64, {150});
        check(dtype, 2, 1, 256, {40, 66});
        check(dtype, 14, 2, 32, {200, 31});
    }
}

} // namespace test
