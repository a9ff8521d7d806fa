#include "api.h"

extern "C" const lf_kernels* luffy_kernels(uint32_t abi_version) {
    static const lf_kernels table = [] {
        lf_kernels t{};
        t.abi_version = LF_ABI_VERSION;
        t.table_bytes = sizeof(lf_kernels);
        luffy::add_context_functions(t);
        luffy::add_memory_functions(t);
        luffy::add_layer_functions(t);
        luffy::add_attention_functions(t);
        luffy::add_training_functions(t);
        luffy::add_diagnostic_functions(t);
        return t;
    }();
    return abi_version == LF_ABI_VERSION ? &table : nullptr;
}
