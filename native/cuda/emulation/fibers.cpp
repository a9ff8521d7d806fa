#include "fibers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <algorithm>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <unordered_map>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Where static shared variables lie; none where there are none.
extern char shared_begin[] __asm__("__start_luffy_shared") __attribute__((weak, visibility("hidden")));
extern char shared_end[] __asm__("__stop_luffy_shared") __attribute__((weak, visibility("hidden")));

namespace luffy::emulation {
namespace {

// Frames under AddressSanitizer are several times larger. Only what is touched takes memory.
constexpr size_t stack_bytes = 256 << 10;
constexpr int max_threads = 1024;

#if defined(__x86_64__)
// Saves what a function must preserve, leaves the stack pointer in *from, and goes on where `to` was left.
extern "C" void luffy_emulation_switch(void** from, void* to);
__asm__(".text\n.hidden luffy_emulation_switch\n.globl luffy_emulation_switch\n.type luffy_emulation_switch,@function\n"
        "luffy_emulation_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".size luffy_emulation_switch, .-luffy_emulation_switch\n");

struct Context {
    void* stack_pointer;
    void prepare(char* stack, void (*entry)()) {
        void** top = reinterpret_cast<void**>(stack + stack_bytes);
        *--top = nullptr; // the alignment that a call leaves, and the end for debuggers
        *--top = reinterpret_cast<void*>(entry);
        for (int i = 0; i < 6; i++) *--top = nullptr;
        stack_pointer = top;
    }
    void switch_to(Context& next) { luffy_emulation_switch(&stack_pointer, next.stack_pointer); }
};
#else
struct Context {
    ucontext_t context;
    void prepare(char* stack, void (*entry)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = stack_bytes;
        context.uc_link = nullptr;
        makecontext(&context, entry, 0);
    }
    void switch_to(Context& next) { swapcontext(&context, &next.context); }
};
#endif

struct Fiber {
    Context context{};
    char* stack = nullptr;
    size_t size = 0;
    void* fake_stack = nullptr; // AddressSanitizer's
    uint3 position{};
    int index = 0;
    bool left = false;
    const char* waits_at = nullptr;
    int line = 0;
    ThreadState state;
};

struct Meeting {
    const char* name = nullptr;
    int line = 0;
    size_t expected = 0, arrived = 0;
    Arguments arguments;
    std::vector<Fiber*> waiting;
};

struct FreeMemory {
    void operator()(char* memory) const { free(memory); }
};

enum class Order { forward, reverse, random };

// The grid that runs: one at a time in the process.
struct Grid {
    std::mutex mutex;
    std::vector<std::unique_ptr<Fiber>> fibers;
    Fiber host;
    Fiber* current = &host;
    Fiber* previous = nullptr;
    const std::function<void()>* kernel = nullptr;
    int threads = 0;
    std::vector<Fiber*> ready;
    size_t next = 0;
    Order order = Order::forward;
    std::minstd_rand random{1};
    std::string error;
    std::unique_ptr<char, FreeMemory> shared;
    size_t shared_bytes = 0;

    Meeting block, barriers[16], groups[max_threads / 128];
    std::vector<std::unordered_map<unsigned, Meeting>> warps;
    std::unordered_map<const void*, std::vector<Fiber*>> objects;
    std::unordered_map<const void*, Barrier> mbarriers;
} grid;

// Shared addresses start here, so that address 0 is none.
constexpr uint32_t shared_base = 1024;
constexpr size_t shared_offset = 16;

void announce_switch([[maybe_unused]] Fiber& from, [[maybe_unused]] const Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(from.left ? nullptr : &from.fake_stack, to.stack, to.size);
#endif
}

void announce_arrival([[maybe_unused]] Fiber& self) {
#if defined(__SANITIZE_ADDRESS__)
    const void* stack;
    size_t size;
    __sanitizer_finish_switch_fiber(self.fake_stack, &stack, &size);
    if (grid.previous == &grid.host) {
        grid.host.stack = static_cast<char*>(const_cast<void*>(stack));
        grid.host.size = size;
    }
#endif
}

void switch_to(Fiber& next) {
    Fiber& self = *grid.current;
    if (&self == &next) return;
    grid.previous = &self;
    grid.current = &next;
    threadIdx = next.position;
    announce_switch(self, next);
    self.context.switch_to(next.context);
    announce_arrival(self);
}

Fiber& next_ready() {
    if (grid.next == grid.ready.size()) return grid.host;
    if (grid.order == Order::random) {
        std::swap(grid.ready[grid.next], grid.ready[grid.next + grid.random() % (grid.ready.size() - grid.next)]);
    }
    Fiber& fiber = *grid.ready[grid.next++];
    if (grid.next == grid.ready.size() || grid.next >= 4 * max_threads) {
        grid.ready.erase(grid.ready.begin(), grid.ready.begin() + static_cast<ptrdiff_t>(grid.next));
        grid.next = 0;
    }
    return fiber;
}

void suspend(const char* name, int line) {
    Fiber& self = *grid.current;
    self.waits_at = name;
    self.line = line;
    switch_to(next_ready());
    self.waits_at = nullptr;
}

void make_ready(std::vector<Fiber*>& fibers) {
    grid.ready.insert(grid.ready.end(), fibers.begin(), fibers.end());
    fibers.clear();
}

void meet(Meeting& meeting, size_t expected, size_t place, size_t places, const char* name, int line, void* argument,
          Together together) {
    if (meeting.arrived == 0) {
        meeting.name = name;
        meeting.line = line;
        meeting.expected = expected;
        meeting.arguments.assign(places, nullptr);
    } else if (strcmp(meeting.name, name) != 0 || meeting.line != line || meeting.expected != expected) {
        fail("a thread came to " + std::string(name) + " of line " + std::to_string(line) + " while others wait at " +
             meeting.name + " of line " + std::to_string(meeting.line) + ", or for another number of threads");
    }
    if (place < places) meeting.arguments[place] = argument;
    if (++meeting.arrived == expected) {
        if (together != nullptr) together(meeting.arguments);
        meeting.arrived = 0;
        make_ready(meeting.waiting);
        if (grid.order != Order::random) return;
        grid.ready.push_back(grid.current);
    } else {
        meeting.waiting.push_back(grid.current);
    }
    suspend(name, line);
}

void enter() {
    Fiber& self = *grid.current;
    announce_arrival(self);
    bool failed = false;
    try {
        (*grid.kernel)();
        if (!self.state.products.empty()) fail("a thread left while its products were under way");
    } catch (const std::exception& error) {
        grid.error = error.what();
        failed = true;
    }
    self.left = true;
    switch_to(failed ? grid.host : next_ready());
    abort(); // nobody goes on with a thread that has left
}

std::string deadlock() {
    std::string text = "deadlock:";
    int left = 0;
    std::vector<std::pair<std::string, std::vector<int>>> places;
    for (int i = 0; i < grid.threads; i++) {
        const Fiber& fiber = *grid.fibers[static_cast<size_t>(i)];
        left += fiber.left;
        if (fiber.left) continue;
        const std::string at = std::string(fiber.waits_at) + (fiber.line > 0 ? " of line " + std::to_string(fiber.line) : "");
        auto place = std::find_if(places.begin(), places.end(), [&](const auto& known) { return known.first == at; });
        if (place == places.end()) place = places.insert(places.end(), {at, {}});
        place->second.push_back(i);
    }
    for (const auto& [at, threads] : places) {
        text.append(" ").append(std::to_string(threads.size())).append(" threads, the first ").append(std::to_string(threads[0]));
        text.append(", wait at ").append(at).append(";");
    }
    return text.append(" ").append(std::to_string(left)).append(" threads have left");
}

[[gnu::noinline]] __attribute__((no_sanitize_address)) void fill_static_shared() {
    for (volatile char* p = shared_begin; p != shared_end; p++) *p = static_cast<char>(0xFF);
}

void start_block(size_t shared_bytes) {
    fill_static_shared();
    void* memory = nullptr;
    if (posix_memalign(&memory, 1024, shared_bytes + shared_offset) != 0) throw std::bad_alloc();
    grid.shared.reset(static_cast<char*>(memory));
    grid.shared_bytes = shared_bytes;
    memset(memory, 0xFF, shared_bytes + shared_offset);

    grid.block = {};
    for (Meeting& meeting : grid.barriers) meeting = {};
    for (Meeting& meeting : grid.groups) meeting = {};
    grid.warps.assign(static_cast<size_t>(grid.threads) / 32, {});
    grid.objects.clear();
    grid.mbarriers.clear();
    grid.ready.clear();
    grid.next = 0;
    while (grid.fibers.size() < static_cast<size_t>(grid.threads)) {
        auto fiber = std::make_unique<Fiber>();
        // The lowest page stays closed: a stack that overflows ends the process instead of writing into its neighbour.
        void* stack =
            mmap(nullptr, stack_bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE) != 0) throw std::bad_alloc();
        fiber->stack = static_cast<char*>(stack) + 4096;
        fiber->size = stack_bytes;
        grid.fibers.push_back(std::move(fiber));
    }
    for (int i = 0; i < grid.threads; i++) {
        Fiber& fiber = *grid.fibers[static_cast<size_t>(i)];
        const unsigned index = static_cast<unsigned>(i);
        fiber.index = i;
        fiber.position = {index % blockDim.x, index / blockDim.x % blockDim.y, index / blockDim.x / blockDim.y};
        fiber.left = false;
        fiber.state = {};
#if defined(__SANITIZE_ADDRESS__)
        // The few frames that a thread leaves behind when it ends.
        ASAN_UNPOISON_MEMORY_REGION(fiber.stack + stack_bytes - 8192, 8192);
#endif
        fiber.context.prepare(fiber.stack, enter);
        grid.ready.push_back(&fiber);
    }
    if (grid.order == Order::reverse) std::reverse(grid.ready.begin(), grid.ready.end());
}

Order chosen_order() {
    const char* name = getenv("LUFFY_EMULATION_ORDER");
    if (name == nullptr || strcmp(name, "forward") == 0) return Order::forward;
    if (strcmp(name, "reverse") == 0) return Order::reverse;
    if (strcmp(name, "random") == 0) return Order::random;
    throw std::runtime_error("LUFFY_EMULATION_ORDER is '" + std::string(name) + "'; it takes forward, reverse or random");
}

} // namespace

void fail(const std::string& text) { throw std::runtime_error(text); }

void require_aligned(const void* p, size_t bytes, const char* what) {
    if (reinterpret_cast<uintptr_t>(p) % bytes != 0)
        fail(std::string(what) + " is not aligned to " + std::to_string(bytes) + " bytes");
}

int thread_index() { return grid.current->index; }
ThreadState& thread_state() { return grid.current->state; }
std::unordered_map<const void*, Barrier>& barriers() { return grid.mbarriers; }

void meet_block(const char* name, int line, void* argument, Together together) {
    const size_t threads = static_cast<size_t>(grid.threads);
    meet(grid.block, threads, static_cast<size_t>(thread_index()), threads, name, line, argument, together);
}

void meet_warp(const char* name, unsigned mask, int line, void* argument, Together together) {
    const int lane = lane_index();
    if ((mask >> lane & 1) == 0)
        fail(std::string(name) + " of line " + std::to_string(line) + ": the mask leaves out a lane that calls it");
    Meeting& meeting = grid.warps[static_cast<size_t>(thread_index()) / 32][mask];
    meet(meeting, static_cast<size_t>(__builtin_popcount(mask)), static_cast<size_t>(lane), 32, name, line, argument, together);
}

void meet_warpgroup(const char* name, int line, void* argument, Together together) {
    const size_t index = static_cast<size_t>(thread_index());
    if (grid.threads % 128 != 0) fail(std::string(name) + ": the block is not a multiple of four warps");
    meet(grid.groups[index / 128], 128, index % 128, 128, name, line, argument, together);
}

void meet_barrier(int barrier, int threads) {
    if (barrier < 1 || barrier > 15 || threads % 32 != 0) fail("a barrier's number is 1 to 15, and it takes whole warps");
    meet(grid.barriers[barrier], static_cast<size_t>(threads), 0, 0, "a named barrier", 0, nullptr, nullptr);
}

void wait_for(const char* name, const void* object) {
    grid.objects[object].push_back(grid.current);
    suspend(name, 0);
}

void wake(const void* object) {
    const auto waiting = grid.objects.find(object);
    if (waiting != grid.objects.end()) make_ready(waiting->second);
}

void* dynamic_shared() { return grid.shared.get() + shared_offset; }

uint32_t shared_address(const void* p) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(grid.shared.get());
    if (offset < shared_offset || offset > shared_offset + grid.shared_bytes) fail("an address is not in dynamic shared memory");
    return shared_base + static_cast<uint32_t>(offset);
}

void* shared_pointer(uint32_t address, size_t bytes) {
    const size_t offset = address - shared_base;
    if (offset < shared_offset || offset + bytes > shared_offset + grid.shared_bytes)
        fail("an address is not in dynamic shared memory");
    return grid.shared.get() + offset;
}

std::string run(dim3 blocks, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
    const std::lock_guard lock(grid.mutex);
    grid.order = chosen_order();
    grid.kernel = &kernel;
    grid.error.clear();
    grid.threads = static_cast<int>(block.x * block.y * block.z);
    blockDim = block;
    gridDim = blocks;
    const uint64_t count = uint64_t{blocks.x} * blocks.y * blocks.z;
    for (uint64_t i = 0; i < count && grid.error.empty(); i++) {
        const uint64_t at = grid.order == Order::forward ? i : count - 1 - i;
        blockIdx = {static_cast<unsigned>(at % blocks.x), static_cast<unsigned>(at / blocks.x % blocks.y),
                    static_cast<unsigned>(at / blocks.x / blocks.y)};
        start_block(shared_bytes);
        switch_to(next_ready());
        const bool all_left =
            std::all_of(grid.fibers.begin(), grid.fibers.begin() + grid.threads, [](const auto& f) { return f->left; });
        if (grid.error.empty() && !all_left) grid.error = deadlock();
        if (!grid.error.empty()) {
            grid.error += " (block " + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) + ", " +
                          std::to_string(blockIdx.z) + ")";
#if defined(__SANITIZE_ADDRESS__)
            for (const auto& fiber : grid.fibers) ASAN_UNPOISON_MEMORY_REGION(fiber->stack, fiber->size);
#endif
        }
    }
    grid.shared.reset();
    return grid.error;
}

} // namespace luffy::emulation
