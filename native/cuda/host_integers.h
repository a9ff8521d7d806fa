// What the host last uploaded as integers. Ids, positions and offsets all come from the host, are checked by the host and size
// grids there; to read them back would wait for the device at every call. Whatever else writes integers says so with forget().
#ifndef LUFFY_CUDA_HOST_INTEGERS_H
#define LUFFY_CUDA_HOST_INTEGERS_H

#include <stddef.h>
#include <stdint.h>

#include <array>
#include <map>
#include <vector>

namespace luffy {

class HostIntegers {
  public:
    // Takes note of an upload to device memory.
    void remember(const void* memory, const int32_t* values, int64_t count);

    // The bytes were written by something else, or given back.
    void forget(const void* memory, int64_t bytes);

    // The integers at a place, or null where not all of them are known.
    const int32_t* find(const void* memory, int64_t count) const;

    // Memory for integers that had to be read back; the last few stay valid.
    std::vector<int32_t>& spare(int64_t count);

  private:
    std::map<uintptr_t, std::vector<int32_t>> segments; // by address; they do not overlap
    std::array<std::vector<int32_t>, 8> spares;
    size_t next_spare = 0;
};

} // namespace luffy

#endif
