#include "ops/operations.h"

#include "context.h"

namespace luffy {

const Kernels* cuda_kernels() {
    static const Kernels table = [] {
        Kernels k{};
        add_memory(k);
        add_embedding(k);
        add_linear(k);
        add_rms_norm(k);
        add_rope(k);
        add_attention(k);
        add_swiglu(k);
        add_columns(k);
        add_policy_loss(k);
        add_sampling(k);
        add_adamw(k);
        return k;
    }();
    return &table;
}

} // namespace luffy
