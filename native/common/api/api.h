// The functions behind the table of luffy_kernels.h, one file a group: they check arguments and call the library's kernels.
#ifndef LUFFY_API_H
#define LUFFY_API_H

#include "../checks.h"
#include "../context.h"

namespace luffy {

// Each library's own: contexts and transfers; measurements of its machine.
void add_context_functions(lf_kernels& table);
void add_diagnostic_functions(lf_kernels& table);

void add_memory_functions(lf_kernels& table);
void add_layer_functions(lf_kernels& table);
void add_attention_functions(lf_kernels& table);
void add_training_functions(lf_kernels& table);

// The integers of a tensor as the host reads them; valid until the next call of any function of the table.
inline const int32_t* host_integers(const lf_context* context, const lf_tensor* t) {
    return context->kernels->host_integers(context->runtime, t->data, length(t));
}

} // namespace luffy

#endif
