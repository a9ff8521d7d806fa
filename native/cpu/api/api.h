// The functions behind the table of luffy_kernels.h, one file a group.
#ifndef LUFFY_CPU_API_H
#define LUFFY_CPU_API_H

#include "../checks.h"
#include "../context.h"

namespace luffy {

void add_context_functions(lf_kernels& table);
void add_layer_functions(lf_kernels& table);
void add_attention_functions(lf_kernels& table);
void add_training_functions(lf_kernels& table);
void add_diagnostic_functions(lf_kernels& table);

} // namespace luffy

#endif
