#include "checks.h"

namespace luffy {

std::string& last_error() {
    thread_local std::string message;
    return message;
}

lf_status fail(lf_status status, std::string message) {
    last_error() = std::move(message);
    return status;
}

static std::string describe(const lf_tensor* t) {
    if (!exists(t)) return "none";
    static const char* const names[] = {"f32", "bf16", "i32", "u8"};
    std::string text = t->dtype >= 0 && t->dtype < 4 ? names[t->dtype] : "dtype " + std::to_string(t->dtype);
    int last = 3;
    while (last > 0 && t->dim[last] == 1) last--;
    text += '[';
    for (int i = 0; i <= last; i++) text += (i == 0 ? "" : ", ") + std::to_string(t->dim[i]);
    return text + ']';
}

lf_status refuse(const std::string& problem, std::initializer_list<NamedTensor> tensors) {
    std::string message = problem;
    const char* separator = " (got ";
    for (const NamedTensor& named : tensors) {
        message += std::string(separator) + named.name + ' ' + describe(named.tensor);
        separator = ", ";
    }
    return fail(LF_INVALID_ARGUMENT, message + (tensors.size() == 0 ? "" : ")"));
}

lf_status check_range(const char* what, const int32_t* values, int64_t count, int64_t limit) {
    for (int64_t i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] >= limit) {
            return refuse(std::string(what) + '[' + std::to_string(i) + "] is " + std::to_string(values[i]) + ", not in 0.." +
                              std::to_string(limit - 1),
                          {});
        }
    }
    return LF_OK;
}

lf_status check_starts(const char* what, const int32_t* starts, int64_t count, int64_t total) {
    bool ok = count > 0 && starts[0] == 0 && starts[count - 1] == total;
    for (int64_t i = 1; ok && i < count; i++) ok = starts[i] >= starts[i - 1];
    if (ok) return LF_OK;
    std::string shown;
    for (int64_t i = 0; i < count && i < 8; i++) shown += (i == 0 ? "" : ", ") + std::to_string(starts[i]);
    if (count > 8) shown += ", …";
    return refuse(std::string(what) + " must ascend from 0 to " + std::to_string(total) + " but is [" + shown + ']', {});
}

} // namespace luffy
