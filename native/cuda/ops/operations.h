// Each operation puts its functions into the table.
#ifndef LUFFY_CUDA_OPERATIONS_H
#define LUFFY_CUDA_OPERATIONS_H

#include "../runtime.h"

namespace luffy {

void add_memory(Kernels& kernels);
void add_embedding(Kernels& kernels);
void add_linear(Kernels& kernels);
void add_rms_norm(Kernels& kernels);
void add_rope(Kernels& kernels);
void add_attention(Kernels& kernels);
void add_swiglu(Kernels& kernels);
void add_columns(Kernels& kernels);
void add_policy_loss(Kernels& kernels);
void add_sampling(Kernels& kernels);
void add_adamw(Kernels& kernels);

} // namespace luffy

#endif
