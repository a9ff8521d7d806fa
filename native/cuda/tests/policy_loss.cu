// The policy loss by chunks of rows against all rows at once: the same bits. By wgmma against by mma.sync: nearly the same
// numbers.
#include "../ops/policy_loss.h"
#include "support.h"

#include <cmath>
#include <cstring>

namespace {

using luffy::bf16;

template <class T> T element(float x);
template <> float element<float>(float x) { return x; }
template <> bf16 element<bf16>(float x) { return luffy::to_bf16(x); }

template <class T> struct Loss {
    static constexpr int64_t rows = 300, width = 24, vocabulary = 140;

    Loss() {
        for (int64_t i = 0; i < rows * width; i++) hidden[i] = element<T>(std::sin(0.37f * static_cast<float>(i)));
        for (int64_t i = 0; i < vocabulary * width; i++) {
            head[i] = element<T>(std::sin(0.73f * static_cast<float>(i)));
            d_head[i] = std::sin(0.11f * static_cast<float>(i));
        }
        for (int64_t r = 0; r < rows; r++) {
            targets[r] = static_cast<int32_t>(r * 37 % vocabulary);
            advantages[r] = std::sin(1.9f * static_cast<float>(r));
            old_log_probs[r] = -4.0f + advantages[r];
            off_policy[r] = r % 3 == 0;
            weights[r] = r % 5 == 0 ? 0.0f : 0.01f;
        }
        hidden.upload();
        head.upload();
        d_head.upload();
        targets.upload();
        advantages.upload();
        old_log_probs.upload();
        off_policy.upload();
        weights.upload();
    }

    void run(int64_t store_bytes, bool wgmma) {
        constexpr int32_t dtype = sizeof(T) == 4 ? LF_F32 : LF_BF16;
        scratch_bytes = luffy::policy_loss_scratch_bytes(dtype, rows, vocabulary, store_bytes);
        test::Array<char> scratch(static_cast<size_t>(scratch_bytes), 0x55);
        luffy::Runtime runtime{};
        runtime.shared_memory_of_block = test::shared_memory_of_block();
        runtime.multiprocessors = 1; // one block takes tile after tile
        runtime.wgmma = wgmma;
        luffy::PolicyArguments a{};
        a.d_hidden = d_hidden.device;
        a.d_head = d_head.device;
        a.statistics = statistics.device;
        a.hidden = hidden.device;
        a.head = head.device;
        a.targets = targets.device;
        a.advantages = advantages.device;
        a.old_log_probs = old_log_probs.device;
        a.off_policy = off_policy.device;
        a.weights = weights.device;
        a.rows = rows;
        a.hidden_size = width;
        a.vocabulary = vocabulary;
        a.options.temperature = 0.9f;
        a.options.off_shaping = LF_SHAPING_REGULARIZED;
        a.options.off_gamma = 0.1f;
        a.options.off_min_weight = -INFINITY;
        a.options.off_max_weight = INFINITY;
        a.options.max_probability = INFINITY;
        a.options.entropy_coefficient = 0.05f;
        a.scratch = scratch.device;
        luffy::policy_loss_in_store(runtime, dtype, a, store_bytes);
        test::require(cudaDeviceSynchronize(), "the policy loss");
        d_hidden.download();
        d_head.download();
        statistics.download();
    }

    test::Array<T> hidden{rows * width}, head{vocabulary * width}, d_hidden{rows * width};
    test::Array<float> d_head{vocabulary * width}, statistics{LF_TOKEN_STATISTICS * rows}, advantages{rows}, old_log_probs{rows},
        weights{rows};
    test::Array<int32_t> targets{rows}, off_policy{rows};
    int64_t scratch_bytes = 0;
};

template <class T> bool same(const test::Array<T>& a, const test::Array<T>& b) {
    return std::memcmp(a.host.data(), b.host.data(), a.size() * sizeof(T)) == 0;
}

template <class T> void compare(const std::string& name, bool wgmma) {
    Loss<T> whole, chunked;
    whole.run(int64_t{1} << 20, wgmma);
    // Three chunks of at most 128 rows.
    chunked.run(1, wgmma);
    test::expect(chunked.scratch_bytes < whole.scratch_bytes / 2, name + ": chunks take less memory");
    test::expect(same(chunked.statistics, whole.statistics), name + ": statistics of chunks");
    test::expect(same(chunked.d_hidden, whole.d_hidden), name + ": dHidden of chunks");
    test::expect(same(chunked.d_head, whole.d_head), name + ": dHead of chunks");
    double sum = 0;
    for (float x : whole.statistics.host) sum += std::abs(static_cast<double>(x));
    test::expect(std::isfinite(sum) && sum > 0, name + ": statistics are numbers");
}

bool are_near(const test::Array<float>& a, const test::Array<float>& b) {
    for (size_t i = 0; i < a.size(); i++) {
        if (!(std::abs(a.host[i] - b.host[i]) <= 1e-4f * (1 + std::abs(b.host[i])))) return false;
    }
    return true;
}

} // namespace

void test::policy_loss() {
    compare<float>("policy loss in f32", false);
    compare<bf16>("policy loss in bf16", false);
    cudaDeviceProp device;
    test::require(cudaGetDeviceProperties(&device, 0), "properties");
    if (device.major != 9 || device.minor != 0) {
        std::printf("not tested: the policy loss by wgmma, which needs compute capability 9.0\n");
        return;
    }
    compare<bf16>("policy loss in bf16 by wgmma", true);
    Loss<bf16> mma, wgmma;
    mma.run(int64_t{1} << 20, false);
    wgmma.run(int64_t{1} << 20, true);
    test::expect(are_near(wgmma.statistics, mma.statistics), "statistics of the policy loss by wgmma");
    test::expect(are_near(wgmma.d_head, mma.d_head), "dHead of the policy loss by wgmma");
}
