// What every library's context has in common, as the argument checks of api/ see it.
#ifndef LUFFY_CONTEXT_H
#define LUFFY_CONTEXT_H

#include "kernels.h"

// Each library derives its own from it, which owns the kernels' table and the runtime.
struct lf_context {
    const luffy::Kernels* kernels;
    const luffy::Runtime& runtime;

  protected:
    lf_context(const luffy::Kernels* table, const luffy::Runtime& machine) : kernels(table), runtime(machine) {}
    ~lf_context() = default;
};

#endif
