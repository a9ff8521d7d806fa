#include "thread_pool.h"
#include "runtime.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace luffy {

namespace {

// Layers follow one another within microseconds, and waking a sleeping thread costs tens of them: look for work this long first.
constexpr std::chrono::microseconds patience{30};

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// Spins until ready() or out of patience; says which.
template <class Ready> bool spin(const Ready& ready) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    do {
        for (int i = 0; i < 64; i++) {
            if (ready()) return true;
            pause();
        }
    } while (std::chrono::steady_clock::now() < deadline);
    return false;
}

} // namespace

ThreadPool::ThreadPool(int threads) {
    for (int worker = 1; worker < threads; worker++) workers_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
    stopping_.store(true);
    jobs_.fetch_add(1);
    jobs_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t tasks, TaskBody body, const void* argument) {
    if (tasks <= 1 || workers_.empty()) {
        for (int64_t task = 0; task < tasks; task++) body(argument, task, 0);
        return;
    }

    body_ = body;
    argument_ = argument;
    tasks_ = tasks;
    unfinished_.store(tasks, std::memory_order_relaxed);
    left_.store(tasks, std::memory_order_release);
    jobs_.fetch_add(1, std::memory_order_release);
    jobs_.notify_all();
    take_tasks(0);
    const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
    if (spin(finished)) return;
    for (int64_t now = unfinished_.load(std::memory_order_acquire); now != 0; now = unfinished_.load(std::memory_order_acquire))
        unfinished_.wait(now, std::memory_order_acquire);
}

void ThreadPool::take_tasks(int worker) {
    int64_t left = left_.load(std::memory_order_acquire);
    while (left > 0) {
        // Whoever takes a task holds the job open until it has counted it as finished, so the job's fields cannot change
        // meanwhile.
        if (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
        body_(argument_, tasks_ - left, worker);
        if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
        left = left_.load(std::memory_order_acquire);
    }
}

void ThreadPool::work(int worker) {
    uint32_t seen = 0;
    while (!stopping_.load(std::memory_order_acquire)) {
        if (!spin([&] { return jobs_.load(std::memory_order_acquire) != seen; })) jobs_.wait(seen, std::memory_order_acquire);
        seen = jobs_.load(std::memory_order_acquire);
        take_tasks(worker);
    }
}

void run_tasks(const Runtime& runtime, int64_t tasks, TaskBody body, const void* argument) {
    runtime.pool->run(tasks, body, argument);
}

} // namespace luffy
