#include "support.h"

#include <algorithm>
#include <numeric>

namespace test {

namespace {

// Philox4x32-10 as Salmon et al. publish it.
void philox(uint32_t (&c)[4], uint64_t seed) {
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
        const uint32_t next[] = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
                                 static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)};
        std::memcpy(c, next, sizeof next);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

double gumbel(int64_t v, const int32_t* key, uint64_t seed) {
    uint32_t c[4] = {static_cast<uint32_t>(v / 4), static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1]),
                     static_cast<uint32_t>(key[2])};
    philox(c, seed);
    return -std::log(-std::log((static_cast<double>(c[v % 4] >> 9) + 0.5) / 8388608.0));
}

void check(int64_t rows, int64_t v, const lf_sampling_options& o) {
    const std::string what = "sampling V" + std::to_string(v) + " T" + std::to_string(o.temperature) + " k" +
                             std::to_string(o.top_k) + " p" + std::to_string(o.top_p) + " min " + std::to_string(o.min_p);
    Random random(static_cast<uint64_t>(v + o.top_k));
    Tensor logits = random.tensor(LF_F32, {rows, v}, 6), keys(LF_I32, {rows, 3});
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < 3; i++) keys.set(3 * r + i, static_cast<double>(random.below(1000)));
        if (v > 10) logits.set(r * v + 7, logits.at(r * v + 3)); // a tie
    }
    Tensor ids(LF_I32, {rows}), log_probs(LF_F32, {rows}), sampled(LF_F32, {rows});
    Tensor scratch(LF_U8, {table->sampling_scratch_bytes(context, rows, v)});
    ok(table->sampling_sample(context, ids, log_probs, sampled, logits, keys, &o, scratch), what);
    for (int64_t r = 0; r < rows; r++) {
        std::vector<double> z;
        const double temperature = o.temperature == 0 ? 1 : static_cast<double>(o.temperature);
        for (int64_t i = 0; i < v; i++) z.push_back(logits.at(r * v + i) / temperature);
        std::vector<int64_t> order(static_cast<size_t>(v));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return z[static_cast<size_t>(a)] > z[static_cast<size_t>(b)]; });
        const double top = z[static_cast<size_t>(order[0])];
        const auto weight = [&](size_t i) { return std::exp(z[static_cast<size_t>(order[i])] - top); };
        size_t kept = order.size();
        if (o.top_k > 0 && static_cast<size_t>(o.top_k) < kept) {
            kept = static_cast<size_t>(o.top_k);
            while (kept < order.size() && weight(kept) == weight(kept - 1)) kept++;
        }
        double total = 0, all = 0, mass = 0;
        for (size_t i = 0; i < order.size(); i++) all += weight(i);
        for (size_t i = 0; i < kept; i++) total += weight(i);
        if (o.top_p < 1) {
            size_t keep = 0;
            while (keep < kept && (keep == 0 || mass < static_cast<double>(o.top_p) * total)) mass += weight(keep++);
            kept = keep;
        }
        while (kept > 1 && weight(kept - 1) < static_cast<double>(o.min_p)) kept--;
        mass = 0;
        for (size_t i = 0; i < kept; i++) mass += weight(i);
        int64_t best = order[0];
        if (o.temperature > 0) {
            double highest = -1e300;
            for (size_t i = 0; i < kept; i++) {
                const double x = z[static_cast<size_t>(order[i])] + gumbel(order[i], keys.i32() + 3 * r, o.seed);
                if (x > highest) {
                    highest = x;
                    best = order[i];
                }
            }
        }
        if (ids.i32()[r] != best) fail(what + ": drew " + std::to_string(ids.i32()[r]) + ", expected " + std::to_string(best));
        const double chosen = z[static_cast<size_t>(ids.i32()[r])] - top;
        near(log_probs.at(r), chosen - std::log(all), 1e-4, what + " log-prob");
        near(sampled.at(r), o.temperature == 0 ? 0 : chosen - std::log(mass), 1e-4, what + " sampled log-prob");
    }
}

} // namespace

void sampling() {
    uint32_t counter[4] = {0, 0, 0, 0};
    philox(counter, 0);
    // The authors' known answer for counter 0 and key 0.
    const uint32_t answer[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    same_bits(counter, answer, sizeof answer, "Philox known answer");
    for (int64_t v : {1, 5, 67, 700, 5000, 40000}) {
        for (const lf_sampling_options& o :
             {lf_sampling_options{0, 0, 1, 0, 1}, lf_sampling_options{1, 0, 1, 0, 2}, lf_sampling_options{0.6f, 0, 1, 0, 3},
              lf_sampling_options{1, 5, 1, 0, 4}, lf_sampling_options{1.3f, 0, 0.8f, 0, 5},
              lf_sampling_options{1, 0, 1, 0.05f, 6}, lf_sampling_options{0.9f, 40, 0.95f, 0.01f, 0xFEDCBA9876543210ull}})
            check(9, v, o);
    }
    // Of tokens with one logit as many as it takes to reach the mass, those with the lowest ids.
    Tensor equal(LF_F32, {20, 1200}), places(LF_I32, {20, 3});
    Tensor first(LF_I32, {20}), all(LF_F32, {20}), half(LF_F32, {20});
    for (int64_t r = 0; r < 20; r++) places.set(3 * r, static_cast<double>(r));
    Tensor memory(LF_U8, {table->sampling_scratch_bytes(context, 20, 1200)});
    const lf_sampling_options nucleus{1, 0, 0.50001f, 0, 7};
    ok(table->sampling_sample(context, first, all, half, equal, places, &nucleus, memory), "equal logits");
    for (int64_t r = 0; r < 20; r++) {
        if (first.i32()[r] > 600) fail("equal logits: drew " + std::to_string(first.i32()[r]));
        near(all.at(r), -std::log(1200.0), 1e-6, "equal logits: log-prob");
        near(half.at(r), -std::log(601.0), 1e-6, "equal logits: sampled log-prob");
    }
    // Draws follow the distribution: two tokens, the second e times as probable.
    const int64_t rows = 4000;
    Tensor logits(LF_F32, {rows, 2}), keys(LF_I32, {rows, 3}), ids(LF_I32, {rows}), log_probs(LF_F32, {rows}),
        sampled(LF_F32, {rows});
    for (int64_t r = 0; r < rows; r++) {
        logits.set(2 * r + 1, 1);
        keys.set(3 * r + 2, static_cast<double>(r));
    }
    Tensor scratch(LF_U8, {table->sampling_scratch_bytes(context, rows, 2)});
    const lf_sampling_options o{1, 0, 1, 0, 99};
    ok(table->sampling_sample(context, ids, log_probs, sampled, logits, keys, &o, scratch), "draws");
    double second = 0;
    for (int64_t r = 0; r < rows; r++) second += ids.at(r);
    near(second / static_cast<double>(rows), std::exp(1.0) / (1 + std::exp(1.0)), 0.03, "share of the second token");
}

} // namespace test
