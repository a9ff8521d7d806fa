/* Storage of tensors' elements. No C++ library: cpu/runtime.h says why. */
#ifndef LUFFY_ELEMENTS_H
#define LUFFY_ELEMENTS_H

#include <stdint.h>

namespace luffy {

// The upper half of a binary32.
struct bf16 {
    uint16_t bits;
};

} // namespace luffy

#endif
