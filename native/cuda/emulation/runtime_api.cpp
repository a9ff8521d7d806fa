#include "runtime_api.h"

#include <stdlib.h>
#include <string.h>
#include <chrono>
#include <map>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

struct EmulatedEvent {
    std::chrono::steady_clock::time_point time;
};

namespace luffy::emulation {
namespace {

constexpr size_t total_bytes = size_t{8} << 30;
// Larger pieces of device memory stay open to the host, because closing them takes time at every call.
[[maybe_unused]] constexpr size_t guarded_bytes = size_t{1} << 20;
constexpr int default_shared = 48 << 10;

// What is played: a small Hopper, or with LUFFY_EMULATION_DEVICE=8.9 a card whose blocks have less shared memory and no wgmma.
struct PlayedDevice {
    int major, minor, most_shared;
};

PlayedDevice played_device() {
    const char* name = getenv("LUFFY_EMULATION_DEVICE");
    if (name == nullptr || strcmp(name, "9.0") == 0) return {9, 0, 227 << 10};
    if (strcmp(name, "8.9") == 0) return {8, 9, 99 << 10};
    throw std::runtime_error("LUFFY_EMULATION_DEVICE is '" + std::string(name) + "'; it takes 9.0 or 8.9");
}

struct LateCopy {
    void* to;
    std::vector<char> bytes;
};

struct Device {
    std::recursive_mutex mutex;
    std::map<const char*, size_t> memory, pinned;
    size_t used = 0;
    std::vector<LateCopy> late;
    std::unordered_map<const void*, int> shared_limits;
} device;

thread_local cudaError_t last_error = cudaSuccess;
thread_local std::string launch_text;

cudaError_t answer(cudaError_t error) {
    if (error != cudaSuccess) last_error = error;
    return error;
}

// While one exists, device memory may be touched.
class DeviceAccess {
  public:
    DeviceAccess() : lock(device.mutex) { open(true); }
    ~DeviceAccess() { open(false); }

  private:
    static void open([[maybe_unused]] bool open) {
#if defined(__SANITIZE_ADDRESS__)
        for (const auto& [start, bytes] : device.memory) {
            if (bytes > guarded_bytes) continue;
            if (open)
                ASAN_UNPOISON_MEMORY_REGION(start, bytes);
            else
                ASAN_POISON_MEMORY_REGION(start, bytes);
        }
#endif
    }
    std::lock_guard<std::recursive_mutex> lock;
};

enum class Place { host, pinned, device, nowhere };

bool touches(const std::map<const char*, size_t>& blocks, const char* p, size_t bytes, bool* inside) {
    auto block = blocks.upper_bound(p);
    if (block == blocks.begin()) return false;
    --block;
    *inside = p + bytes <= block->first + block->second;
    return p < block->first + block->second;
}

Place place_of(const void* memory, size_t bytes) {
    const char* p = static_cast<const char*>(memory);
    bool inside = false;
    if (touches(device.memory, p, bytes, &inside)) return inside ? Place::device : Place::nowhere;
    if (touches(device.pinned, p, bytes, &inside)) return inside ? Place::pinned : Place::nowhere;
    return p == nullptr ? Place::nowhere : Place::host;
}

void deliver() {
    const std::lock_guard lock(device.mutex);
    for (const LateCopy& copy : device.late) memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
    device.late.clear();
}

cudaError_t allocate(std::map<const char*, size_t>& blocks, void** memory, size_t bytes) {
    const std::lock_guard lock(device.mutex);
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    const bool on_device = &blocks == &device.memory;
    if ((on_device && bytes > total_bytes - device.used) || posix_memalign(memory, 256, bytes) != 0) {
        *memory = nullptr;
        return answer(cudaErrorMemoryAllocation);
    }
    memset(*memory, 0xFF, bytes);
    if (on_device) device.used += bytes;
    blocks[static_cast<const char*>(*memory)] = bytes;
    return cudaSuccess;
}

cudaError_t release(std::map<const char*, size_t>& blocks, void* memory) {
    if (memory == nullptr) return cudaSuccess;
    deliver();
    const DeviceAccess access;
    const auto block = blocks.find(static_cast<const char*>(memory));
    if (block == blocks.end()) return answer(cudaErrorInvalidValue);
    if (&blocks == &device.memory) device.used -= block->second;
    blocks.erase(block);
    free(memory);
    return cudaSuccess;
}

} // namespace

cudaError_t limit_shared(const void* kernel, int bytes) {
    const std::lock_guard lock(device.mutex);
    if (bytes < 0 || bytes > played_device().most_shared) return answer(cudaErrorInvalidValue);
    device.shared_limits[kernel] = bytes;
    return cudaSuccess;
}

cudaError_t launch(const void* kernel, const cudaLaunchConfig_t& config, const std::function<void()>& body) {
    const DeviceAccess access;
    const dim3 grid = config.gridDim, block = config.blockDim;
    const uint64_t threads = uint64_t{block.x} * block.y * block.z;
    const auto limit = device.shared_limits.find(kernel);
    const int most = limit == device.shared_limits.end() ? default_shared : std::max(limit->second, default_shared);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535 || threads == 0 ||
        threads > 1024 || block.z > 64 || threads % 32 != 0) {
        return answer(cudaErrorInvalidConfiguration);
    }
    if (config.dynamicSmemBytes > static_cast<size_t>(most)) return answer(cudaErrorInvalidValue);
    launch_text = run(grid, block, config.dynamicSmemBytes, body);
    return answer(launch_text.empty() ? cudaSuccess : cudaErrorLaunchFailure);
}

} // namespace luffy::emulation

using namespace luffy::emulation;

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int number) { return answer(number == 0 ? cudaSuccess : cudaErrorInvalidValue); }
cudaError_t cudaGetDevice(int* number) {
    *number = 0;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
    const PlayedDevice played = played_device();
    // Few multiprocessors, so that a grid of as many blocks as fit has several tiles for each.
    *properties = {"emulation on the CPU",
                   total_bytes,
                   default_shared,
                   static_cast<size_t>(played.most_shared),
                   static_cast<size_t>(played.most_shared) + 1024,
                   played.major,
                   played.minor,
                   4,
                   1024,
                   2048,
                   65536,
                   32,
                   1 << 20};
    return answer(number == 0 ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 12040;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaGetLastError() {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorNotReady:
        return "cudaErrorNotReady";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    }
    return "unknown error";
}
const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorLaunchFailure ? launch_text.c_str() : cudaGetErrorName(error);
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    const DeviceAccess access;
    return allocate(device.memory, memory, bytes);
}
cudaError_t cudaFree(void* memory) { return release(device.memory, memory); }
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return allocate(device.pinned, memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return release(device.pinned, memory); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    const std::lock_guard lock(device.mutex);
    *free = total_bytes - device.used;
    *total = total_bytes;
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
    if (bytes == 0) return cudaSuccess;
    const DeviceAccess access;
    const Place target = place_of(to, bytes), source = place_of(from, bytes);
    const bool target_on_device = target == Place::device, source_on_device = source == Place::device;
    if (target == Place::nowhere || source == Place::nowhere ||
        (kind != cudaMemcpyDefault && (target_on_device != ((kind & 1) != 0) || source_on_device != ((kind & 2) != 0)))) {
        return answer(cudaErrorInvalidValue);
    }
    if (target == Place::pinned && source_on_device) {
        const char* begin = static_cast<const char*>(from);
        device.late.push_back({to, {begin, begin + bytes}});
        memset(to, 0xFF, bytes);
    } else {
        memmove(to, from, bytes);
    }
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind);
    deliver();
    return error;
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
    if (bytes == 0) return cudaSuccess;
    const DeviceAccess access;
    const Place place = place_of(memory, bytes);
    if (place != Place::device && place != Place::pinned) return answer(cudaErrorInvalidValue);
    memset(memory, value, bytes);
    return cudaSuccess;
}
cudaError_t cudaMemset(void* memory, int value, size_t bytes) { return cudaMemsetAsync(memory, value, bytes); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = reinterpret_cast<cudaStream_t>(new char);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    deliver();
    delete reinterpret_cast<char*>(stream);
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaDeviceSynchronize(); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
    deliver();
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new EmulatedEvent{};
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    event->time = std::chrono::steady_clock::now();
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaDeviceSynchronize(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return cudaSuccess;
}
