// luffy_cpu_bench [ISA [THREADS [FILTER]]]: the kernels at the shapes of training and decoding, as a Markdown table, each beside
// the measured peak of the machine. Best of several runs: the machines are shared.
#include <luffy_kernels.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace {

const lf_kernels* table = nullptr;
lf_context* context = nullptr;
double peak[2] = {0, 0}; // GFLOP/s by dtype

bool one_thread = false;
std::string filter; // only rows whose name and storage hold it

bool wanted(const std::string& what, int32_t dtype) {
    return (what + (dtype == LF_F32 ? " f32" : " bf16")).find(filter) != std::string::npos;
}

// With one thread the process's own time, which other programs on a shared machine do not stretch; with several the time of day.
double seconds() {
    if (one_thread) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void require(lf_status status) {
    if (status == LF_OK) return;
    std::fprintf(stderr, "%s\n", table->last_error());
    std::exit(1);
}

lf_tensor tensor(int32_t dtype, int64_t d0, int64_t d1 = 1, int64_t d2 = 1) {
    static const int64_t sizes[] = {4, 2, 4, 1};
    lf_tensor t{};
    t.dtype = dtype;
    t.dim[0] = d0;
    t.dim[1] = d1;
    t.dim[2] = d2;
    t.dim[3] = 1;
    require(table->allocate(context, &t.data, std::max<int64_t>(d0 * d1 * d2 * sizes[dtype], 64), 0));
    const int64_t n = d0 * d1 * d2;
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        const float x = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
        uint32_t bits;
        std::memcpy(&bits, &x, 4);
        if (dtype == LF_F32) static_cast<float*>(t.data)[i] = x;
        if (dtype == LF_BF16) static_cast<uint16_t*>(t.data)[i] = static_cast<uint16_t>(bits >> 16);
    }
    return t;
}

void release(std::initializer_list<const lf_tensor*> tensors) {
    for (const lf_tensor* one : tensors) require(table->release(context, one->data));
}

// Seconds of one call: the best of twelve groups of calls of about 10 ms each.
double best_time(const std::function<void()>& body) {
    body();
    double begin = seconds();
    body();
    const int calls = std::max(1, static_cast<int>(0.01 / (seconds() - begin + 1e-9)));
    double best = 1e9;
    for (int group = 0; group < 12; group++) {
        begin = seconds();
        for (int i = 0; i < calls; i++) body();
        best = std::min(best, (seconds() - begin) / calls);
    }
    return best;
}

double measured_peak(int32_t dtype) {
    double rate = 0;
    require(table->measure_arithmetic(context, dtype, &rate));
    return rate / 1e9;
}

void row(const std::string& what, int32_t dtype, const std::function<void()>& body, double flops) {
    if (!wanted(what, dtype)) return;
    const double time = best_time(body), rate = flops / time / 1e9;
    std::printf("| %s | %s | %.3f | %.0f | %.0f%% |\n", what.c_str(), dtype == LF_F32 ? "f32" : "bf16", time * 1e3, rate,
                100 * rate / peak[dtype]);
}

void row_bytes(const std::string& what, int32_t dtype, const std::function<void()>& body, double bytes) {
    if (!wanted(what, dtype)) return;
    const double time = best_time(body);
    std::printf("| %s | %s | %.3f | %.1f GB/s | |\n", what.c_str(), dtype == LF_F32 ? "f32" : "bf16", time * 1e3,
                bytes / time / 1e9);
}

void linear(int32_t dtype, int64_t t, int64_t n, int64_t k, bool backward) {
    const lf_tensor x = tensor(dtype, t, k), w = tensor(dtype, n, k), y = tensor(dtype, t, n), dw = tensor(LF_F32, n, k);
    const lf_tensor packed = tensor(LF_U8, table->linear_packed_bytes(context, n, k, dtype));
    require(table->linear_pack(context, &packed, &w));
    const double flops = 2.0 * static_cast<double>(t) * static_cast<double>(n) * static_cast<double>(k);
    const std::string shape = std::to_string(t) + "×" + std::to_string(n) + "×" + std::to_string(k);
    row(
        "linear forward " + shape, dtype, [&] { require(table->linear_forward(context, &y, &x, &w, &packed, nullptr)); }, flops);
    if (backward) {
        row(
            "linear backward input " + shape, dtype, [&] { require(table->linear_backward_input(context, &x, &y, &w, &packed)); },
            flops);
        row(
            "linear backward weight " + shape, dtype,
            [&] { require(table->linear_backward_weight(context, &dw, nullptr, &y, &x)); }, flops);
    }
    release({&x, &w, &y, &dw, &packed});
}

void attention(int32_t dtype, int32_t heads, int32_t kv_heads, int32_t d, int64_t sequences, int64_t length) {
    const lf_attention_shape shape{heads, kv_heads, d, 1 / std::sqrt(static_cast<float>(d))};
    const int64_t tokens = sequences * length;
    const lf_tensor qkv = tensor(dtype, tokens, heads + 2 * kv_heads, d), dqkv = tensor(dtype, tokens, heads + 2 * kv_heads, d);
    const lf_tensor y = tensor(dtype, tokens, heads, d), dy = tensor(dtype, tokens, heads, d),
                    lse = tensor(LF_F32, tokens, heads);
    const lf_tensor starts = tensor(LF_I32, sequences + 1);
    for (int64_t s = 0; s <= sequences; s++) static_cast<int32_t*>(starts.data)[s] = static_cast<int32_t>(s * length);
    const lf_tensor scratch = tensor(LF_U8, table->attention_backward_scratch_bytes(context, tokens, length, &shape, dtype));
    // Only the causal half counts.
    const double pairs = static_cast<double>(sequences) * static_cast<double>(length) * static_cast<double>(length + 1) / 2;
    const double flops = 4.0 * pairs * heads * d;
    const std::string what = std::to_string(sequences) + "×" + std::to_string(length) + " h" + std::to_string(heads) + " kv" +
                             std::to_string(kv_heads) + " d" + std::to_string(d);
    row(
        "attention forward " + what, dtype, [&] { require(table->attention_forward(context, &y, &lse, &qkv, &starts, &shape)); },
        flops);
    row(
        "attention backward " + what, dtype,
        [&] { require(table->attention_backward(context, &dqkv, &dy, &y, &lse, &qkv, &starts, &shape, &scratch)); }, 2.5 * flops);

    const int64_t pages = sequences * (length / LF_PAGE_SIZE + 1), width = length / LF_PAGE_SIZE + 1;
    const lf_tensor cache = tensor(LF_U8, table->attention_cache_bytes(context, pages, &shape, dtype));
    const lf_tensor page_table = tensor(LF_I32, sequences, width), query_starts = tensor(LF_I32, sequences + 1);
    const lf_tensor contexts = tensor(LF_I32, sequences);
    lf_tensor queries = qkv, out = y;
    queries.dim[0] = out.dim[0] = sequences;
    for (int64_t s = 0; s <= sequences; s++) static_cast<int32_t*>(query_starts.data)[s] = static_cast<int32_t>(s);
    for (int64_t s = 0; s < sequences; s++) static_cast<int32_t*>(contexts.data)[s] = static_cast<int32_t>(length);
    for (int64_t i = 0; i < sequences * width; i++) static_cast<int32_t*>(page_table.data)[i] = static_cast<int32_t>(i);
    row_bytes(
        "attention decode " + what, dtype,
        [&] {
            require(table->attention_forward_paged(context, &out, &queries, &cache, &page_table, &query_starts, &contexts, pages,
                                                   &shape));
        },
        static_cast<double>(sequences * length) * 2 * kv_heads * d * (dtype == LF_F32 ? 4 : 2));
    release({&qkv, &dqkv, &y, &dy, &lse, &starts, &scratch, &cache, &page_table, &query_starts, &contexts});
}

void loss(int32_t dtype, int64_t rows, int64_t h, int64_t v) {
    const lf_tensor hidden = tensor(dtype, rows, h), head = tensor(dtype, v, h), dhidden = tensor(dtype, rows, h),
                    dhead = tensor(LF_F32, v, h);
    const lf_tensor packed = tensor(LF_U8, table->linear_packed_bytes(context, v, h, dtype)),
                    statistics = tensor(LF_F32, 8, rows);
    const lf_tensor scratch = tensor(LF_U8, table->policy_loss_scratch_bytes(context, rows, h, v, dtype));
    lf_policy_tokens tokens{};
    tokens.targets = tensor(LF_I32, rows);
    tokens.off_policy = tensor(LF_I32, rows);
    tokens.advantages = tensor(LF_F32, rows);
    tokens.old_log_probs = tensor(LF_F32, rows);
    tokens.weights = tensor(LF_F32, rows);
    // Ratios near 1, as in training.
    for (int64_t r = 0; r < rows; r++) static_cast<float*>(tokens.old_log_probs.data)[r] = NAN;
    lf_policy_options o{};
    o.temperature = 1;
    o.off_shaping = LF_SHAPING_REGULARIZED;
    o.off_gamma = 0.1f;
    o.off_min_weight = -INFINITY;
    o.off_max_weight = o.max_probability = INFINITY;
    o.entropy_coefficient = 0.001f;
    require(table->linear_pack(context, &packed, &head));
    const std::string shape = std::to_string(rows) + "×" + std::to_string(h) + "×" + std::to_string(v);
    const double product = 2.0 * static_cast<double>(rows) * static_cast<double>(h) * static_cast<double>(v);
    row(
        "policy loss log-prob " + shape, dtype,
        [&] {
            require(table->policy_loss_log_prob(context, &statistics, &hidden, &head, &packed, &tokens.targets, 1, &scratch));
        },
        product);
    row(
        "policy loss forward and backward " + shape, dtype,
        [&] {
            require(table->policy_loss_forward_backward(context, &dhidden, &dhead, &statistics, &hidden, &head, &packed, &tokens,
                                                        &o, &scratch));
        },
        3 * product);
    release({&hidden, &head, &dhidden, &dhead, &packed, &statistics, &scratch, &tokens.targets, &tokens.off_policy,
             &tokens.advantages, &tokens.old_log_probs, &tokens.weights});
}

void elementwise(int32_t dtype, int64_t t, int64_t h, int64_t width) {
    const double element = dtype == LF_F32 ? 4 : 2;
    const lf_tensor x = tensor(dtype, t, h), y = tensor(dtype, t, h), w = tensor(dtype, h), rstd = tensor(LF_F32, t),
                    dw = tensor(LF_F32, h);
    const double elements = static_cast<double>(t * h);
    row_bytes(
        "rms norm add forward " + std::to_string(t) + "×" + std::to_string(h), dtype,
        [&] { require(table->rms_norm_add_forward(context, &y, &y, &rstd, &x, &x, &w, 1e-6f)); }, 4 * elements * element);
    row_bytes(
        "rms norm backward " + std::to_string(t) + "×" + std::to_string(h), dtype,
        [&] { require(table->rms_norm_backward(context, &y, &dw, &x, &x, &rstd, &w)); }, 5 * elements * element);
    const lf_tensor gate_up = tensor(dtype, t, 2 * width), d_gate_up = tensor(dtype, t, 2 * width), z = tensor(dtype, t, width);
    const double inner = static_cast<double>(t * width);
    row_bytes(
        "swiglu forward " + std::to_string(t) + "×" + std::to_string(width), dtype,
        [&] { require(table->swiglu_forward(context, &z, &gate_up)); }, 3 * inner * element);
    row_bytes(
        "swiglu backward " + std::to_string(t) + "×" + std::to_string(width), dtype,
        [&] { require(table->swiglu_backward(context, &d_gate_up, &z, &gate_up)); }, 5 * inner * element);
    release({&x, &y, &w, &rstd, &dw, &gate_up, &d_gate_up, &z});
}

// Weights and remainders, both moments read and written, gradients read: what the trainer does at each step.
void optimiser(int64_t rows, int64_t columns) {
    const int64_t n = rows * columns;
    const lf_tensor weights = tensor(LF_BF16, rows, columns),
                    packed = tensor(LF_U8, table->linear_packed_bytes(context, rows, columns, LF_BF16));
    const lf_tensor remainders = tensor(LF_U8, 2 * n), m = tensor(LF_F32, n), v = tensor(LF_F32, n),
                    g = tensor(LF_F32, rows, columns);
    const lf_tensor scratch = tensor(LF_U8, table->adamw_squared_norm_scratch_bytes(context, n)), norm = tensor(LF_F32, 1);
    const lf_adamw_options o{1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 10, 0};
    require(table->zero(context, &v));
    require(table->linear_pack(context, &packed, &weights));
    const std::string shape = std::to_string(rows) + "×" + std::to_string(columns);
    row_bytes(
        "adamw packed " + shape, LF_BF16, [&] { require(table->adamw_update(context, &packed, &remainders, &m, &v, &g, &o)); },
        static_cast<double>(n) * 28);
    row_bytes(
        "adamw rows " + shape, LF_BF16, [&] { require(table->adamw_update(context, &weights, &remainders, &m, &v, &g, &o)); },
        static_cast<double>(n) * 28);
    row_bytes(
        "squared norm " + shape, LF_F32, [&] { require(table->adamw_squared_norm(context, &norm, &g, &scratch)); },
        static_cast<double>(n) * 4);
    release({&weights, &packed, &remainders, &m, &v, &g, &scratch, &norm});
}

void sampling(int64_t rows, int64_t vocabulary, const lf_sampling_options& o, const char* what) {
    const lf_tensor logits = tensor(LF_F32, rows, vocabulary), keys = tensor(LF_I32, rows, 3), ids = tensor(LF_I32, rows);
    const lf_tensor log_probs = tensor(LF_F32, rows), sampled = tensor(LF_F32, rows);
    const lf_tensor scratch = tensor(LF_U8, table->sampling_scratch_bytes(context, rows, vocabulary));
    row_bytes(
        std::string("sampling ") + what + " " + std::to_string(rows) + "×" + std::to_string(vocabulary), LF_F32,
        [&] { require(table->sampling_sample(context, &ids, &log_probs, &sampled, &logits, &keys, &o, &scratch)); },
        static_cast<double>(rows * vocabulary) * 4);
    release({&logits, &keys, &ids, &log_probs, &sampled, &scratch});
}

} // namespace

int main(int count, char** arguments) {
    table = luffy_kernels(LF_ABI_VERSION);
    lf_context_options options{};
    options.isa = count > 1 ? arguments[1] : nullptr;
    options.threads = count > 2 ? std::atoi(arguments[2]) : 0;
    filter = count > 3 ? arguments[3] : "";
    require(table->create(&context, &options));
    one_thread = table->threads(context) == 1;
    for (int32_t dtype : {LF_F32, LF_BF16}) peak[dtype] = measured_peak(dtype);
    double bandwidth = 0;
    require(table->measure_bandwidth(context, &bandwidth));
    std::printf("%s; measured peak %.0f GFLOP/s f32, %.0f GFLOP/s bf16, read bandwidth %.1f GB/s\n\n",
                table->description(context), peak[LF_F32], peak[LF_BF16], bandwidth / 1e9);
    std::printf("| what | storage | ms | GFLOP/s | of peak |\n| --- | --- | --- | --- | --- |\n");
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        for (int64_t n : {512, 1024, 2048}) linear(dtype, n, n, n, n == 1024);
        linear(dtype, 4096, 192, 192, true);
        linear(dtype, 4096, 768, 256, true);
        linear(dtype, 4096, 512, 512, true);
        for (int64_t rows : {1, 8, 32, 64}) linear(dtype, rows, 1536, 512, false);
        attention(dtype, 8, 2, 32, 16, 256);
        attention(dtype, 8, 2, 64, 8, 512);
        attention(dtype, 8, 2, 64, 64, 128);
        attention(dtype, 8, 2, 64, 1, 8192);
        attention(dtype, 14, 2, 64, 2, 1024);
        loss(dtype, 2048, 256, 512);
        loss(dtype, 8192, 256, 512);
        loss(dtype, 4096, 512, 4096);
        loss(dtype, 512, 512, 16384);
        loss(dtype, 512, 896, 151936);
        elementwise(dtype, 4096, 256, 768);
    }
    optimiser(9728, 896);
    optimiser(896, 4864);
    optimiser(32768, 896);
    sampling(64, 512, {1, 0, 1, 0, 1}, "all");
    sampling(1, 151936, {1, 0, 1, 0, 1}, "all");
    sampling(8, 151936, {1, 0, 1, 0, 1}, "all");
    sampling(8, 151936, {1, 0, 0.95f, 0, 1}, "top-p");
    sampling(8, 151936, {1, 50, 0.95f, 0, 1}, "top-k top-p");
    table->destroy(context);
    return 0;
}
