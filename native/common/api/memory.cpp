// Checks of what moves and clears memory of the device.
#include "api.h"

namespace luffy {

namespace {

lf_status zero(lf_context* context, const lf_tensor* tensor) {
    return guarded([&] {
        if (!is_stored(tensor)) return refuse("tensor must exist and have a known dtype", {{"tensor", tensor}});
        context->kernels->zero(context->runtime, tensor->data, stored_bytes(tensor));
        return LF_OK;
    });
}

lf_status copy(lf_context* context, const lf_tensor* destination, const lf_tensor* source) {
    return guarded([&] {
        const bool convertible = is_float(destination) && is_float(source);
        const bool same = is_sized(destination) && is_sized(source) && destination->dtype == source->dtype &&
                          (source->dtype == LF_I32 || source->dtype == LF_U8);
        if ((!convertible && !same) || length(destination) != length(source)) {
            return refuse("copy needs as many elements of the same dtype, or of f32 and bf16",
                          {{"destination", destination}, {"source", source}});
        }
        if (convertible)
            context->kernels->copy[destination->dtype][source->dtype](context->runtime, destination->data, source->data,
                                                                      length(source));
        else
            context->kernels->copy_bytes(context->runtime, destination->data, source->data, stored_bytes(source));
        return LF_OK;
    });
}

} // namespace

void add_memory_functions(lf_kernels& t) {
    t.zero = zero;
    t.copy = copy;
}

} // namespace luffy
