#include "host_integers.h"

namespace luffy {

void HostIntegers::remember(const void* memory, const int32_t* values, int64_t count) {
    if (count == 0) return;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
    const auto same = segments.find(begin);
    std::vector<int32_t> kept;
    if (same != segments.end()) kept.swap(same->second); // its memory is used again
    forget(memory, count * 4);
    kept.assign(values, values + count);
    segments[begin] = std::move(kept);
}

void HostIntegers::forget(const void* memory, int64_t bytes) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory), end = begin + static_cast<uintptr_t>(bytes);
    auto segment = segments.lower_bound(begin);
    if (segment != segments.begin()) {
        const auto before = std::prev(segment);
        if (before->first + before->second.size() * 4 > begin) segment = before;
    }
    while (segment != segments.end() && segment->first < end) segment = segments.erase(segment);
}

const int32_t* HostIntegers::find(const void* memory, int64_t count) const {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
    auto segment = segments.upper_bound(begin);
    if (segment == segments.begin()) return nullptr;
    --segment;
    const uintptr_t first = (begin - segment->first) / 4;
    return first + static_cast<uintptr_t>(count) <= segment->second.size() ? segment->second.data() + first : nullptr;
}

std::vector<int32_t>& HostIntegers::spare(int64_t count) {
    std::vector<int32_t>& chosen = spares[next_spare++ % spares.size()];
    chosen.resize(static_cast<size_t>(count));
    return chosen;
}

} // namespace luffy
