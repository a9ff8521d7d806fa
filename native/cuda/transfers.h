// Transfers between host and device through pinned memory: uploads return before they are done, in the order of the stream. A
// tensor may lie in pinned memory itself, so that the driver is left to see which way a copy goes.
#ifndef LUFFY_CUDA_TRANSFERS_H
#define LUFFY_CUDA_TRANSFERS_H

#include "runtime.h"

namespace luffy {

class Transfers {
  public:
    explicit Transfers(cudaStream_t stream);
    ~Transfers();
    Transfers(const Transfers&) = delete;
    Transfers& operator=(const Transfers&) = delete;

    // The host's memory may change as soon as this returns.
    void upload(void* device, const void* host, int64_t bytes);

    // Waits for everything issued before.
    void download(void* host, const void* device, int64_t bytes);

  private:
    // Halves take turns: one is filled while the device may still read the other.
    static constexpr int64_t half_bytes = int64_t{8} << 20;

    struct Half {
        char* memory = nullptr;
        cudaEvent_t free = nullptr; // recorded when the last transfer of this half was issued
    };

    void enter(int half);

    cudaStream_t stream;
    Half halves[2];
    int current = 0;
    int64_t used = 0; // bytes of the current half
};

} // namespace luffy

#endif
