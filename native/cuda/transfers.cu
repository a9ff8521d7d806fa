#include "transfers.h"

#include <string.h>

namespace luffy {

Transfers::Transfers(cudaStream_t of) : stream(of) {
    for (Half& half : halves) {
        void* memory = nullptr;
        check("pinned memory", cudaMallocHost(&memory, static_cast<size_t>(half_bytes)));
        half.memory = static_cast<char*>(memory);
        check("event", cudaEventCreateWithFlags(&half.free, cudaEventDisableTiming));
    }
}

Transfers::~Transfers() {
    for (Half& half : halves) {
        if (half.memory != nullptr) cudaFreeHost(half.memory);
        if (half.free != nullptr) cudaEventDestroy(half.free);
    }
}

void Transfers::enter(int half) {
    check("upload", cudaEventRecord(halves[current].free, stream));
    check("upload", cudaEventSynchronize(halves[half].free));
    current = half;
    used = 0;
}

void Transfers::upload(void* device, const void* host, int64_t bytes) {
    for (int64_t done = 0; done < bytes;) {
        if (used == half_bytes) enter(1 - current);
        const int64_t room = half_bytes - used, part = bytes - done < room ? bytes - done : room;
        char* staged = halves[current].memory + used;
        memcpy(staged, static_cast<const char*>(host) + done, static_cast<size_t>(part));
        check("upload",
              cudaMemcpyAsync(static_cast<char*>(device) + done, staged, static_cast<size_t>(part), cudaMemcpyDefault, stream));
        done += part;
        used += (part + 63) / 64 * 64; // half_bytes is a multiple
    }
}

void Transfers::download(void* host, const void* device, int64_t bytes) {
    // What is staged for upload has left its half once the stream has run dry.
    check("download", cudaStreamSynchronize(stream));
    used = 0;
    const auto issue = [&](int64_t from) {
        const int64_t part = bytes - from < half_bytes ? bytes - from : half_bytes;
        const Half& half = halves[from / half_bytes % 2];
        check("download", cudaMemcpyAsync(half.memory, static_cast<const char*>(device) + from, static_cast<size_t>(part),
                                          cudaMemcpyDefault, stream));
        check("download", cudaEventRecord(half.free, stream));
        return part;
    };
    int64_t next = bytes > 0 ? issue(0) : 0;
    for (int64_t done = 0; done < bytes;) {
        const int64_t part = next;
        // The other half fills while this one is emptied.
        next = done + part < bytes ? issue(done + part) : 0;
        const Half& half = halves[done / half_bytes % 2];
        check("download", cudaEventSynchronize(half.free));
        memcpy(static_cast<char*>(host) + done, half.memory, static_cast<size_t>(part));
        done += part;
    }
}

} // namespace luffy
