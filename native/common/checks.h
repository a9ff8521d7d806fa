// Argument checks and the message that a refused call leaves. The sentences are those of the managed reference.
#ifndef LUFFY_CHECKS_H
#define LUFFY_CHECKS_H

#include "../include/luffy_kernels.h"

#include <exception>
#include <initializer_list>
#include <new>
#include <string>

namespace luffy {

struct NamedTensor {
    const char* name;
    const lf_tensor* tensor;
};

// The calling thread's last message.
std::string& last_error();

lf_status fail(lf_status status, std::string message);

// LF_INVALID_ARGUMENT with the sentence and every tensor's dtype and shape.
lf_status refuse(const std::string& problem, std::initializer_list<NamedTensor> tensors);

inline bool exists(const lf_tensor* t) { return t != nullptr && t->data != nullptr; }
inline int64_t row_length(const lf_tensor* t) { return t->dim[1] * t->dim[2] * t->dim[3]; }
inline int64_t length(const lf_tensor* t) { return t->dim[0] * row_length(t); }
inline bool is_sized(const lf_tensor* t) {
    return exists(t) && t->dim[0] >= 0 && t->dim[1] >= 0 && t->dim[2] >= 0 && t->dim[3] >= 0;
}
inline bool is_stored(const lf_tensor* t) { return is_sized(t) && t->dtype >= LF_F32 && t->dtype <= LF_U8; }
// Of a tensor that is_stored.
inline int64_t stored_bytes(const lf_tensor* t) { return length(t) * (t->dtype == LF_BF16 ? 2 : t->dtype == LF_U8 ? 1 : 4); }
inline bool is_float(const lf_tensor* t) { return is_sized(t) && (t->dtype == LF_F32 || t->dtype == LF_BF16); }
// A weight of which the values, the packed form or both are there; without values its dtype and dimensions still hold.
inline bool is_weight(const lf_tensor* t, const lf_tensor* packed) {
    return t != nullptr && (exists(t) || exists(packed)) && (t->dtype == LF_F32 || t->dtype == LF_BF16) && t->dim[0] >= 0 &&
           t->dim[1] >= 0 && t->dim[2] >= 0 && t->dim[3] >= 0;
}
inline bool is_of(const lf_tensor* t, int32_t dtype) { return is_sized(t) && t->dtype == dtype; }
// Floating-point storage of so many rows of so many elements, however a row is factored.
inline bool is_matrix(const lf_tensor* t, int64_t rows, int64_t row) {
    return is_float(t) && t->dim[0] == rows && (row_length(t) == row || length(t) == 0);
}
inline bool is_matrix(const lf_tensor* t, int32_t dtype, int64_t rows, int64_t row) {
    return is_matrix(t, rows, row) && t->dtype == dtype;
}
inline bool is_vector(const lf_tensor* t, int32_t dtype, int64_t n) {
    return is_of(t, dtype) && t->dim[0] == n && length(t) == n;
}
inline bool is_bytes(const lf_tensor* t, int64_t bytes) { return bytes == 0 || (is_of(t, LF_U8) && length(t) >= bytes); }
inline void* data_or_null(const lf_tensor* t) { return t == nullptr ? nullptr : t->data; }

// Every value lies in 0 … limit − 1; the message names the first that does not.
lf_status check_range(const char* what, const int32_t* values, int64_t count, int64_t limit);
// Offsets ascend from 0 to total.
lf_status check_starts(const char* what, const int32_t* starts, int64_t count, int64_t total);

// No exception leaves the library.
template <class Body> lf_status guarded(const Body& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return fail(LF_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& e) {
        return fail(LF_INTERNAL, e.what());
    }
}

#define LF_RETURN_IF_REFUSED(call)                                                                                               \
    do {                                                                                                                         \
        const lf_status luffy_status = (call);                                                                                   \
        if (luffy_status != LF_OK) return luffy_status;                                                                          \
    } while (false)

} // namespace luffy

#endif
