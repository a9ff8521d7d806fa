// Workers that live as long as a context. The caller of run() takes part, so one thread means no worker at all.
#ifndef LUFFY_CPU_THREAD_POOL_H
#define LUFFY_CPU_THREAD_POOL_H

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace luffy {

using TaskBody = void (*)(const void* argument, int64_t task, int worker);

class ThreadPool {
  public:
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    void run(int64_t tasks, TaskBody body, const void* argument);

  private:
    void work(int worker);
    // Takes tasks of the present job until none is left.
    void take_tasks(int worker);

    // Written by the caller while no task can be taken: taking one (an acquire of left_) makes them visible.
    TaskBody body_ = nullptr;
    const void* argument_ = nullptr;
    int64_t tasks_ = 0;
    alignas(64) std::atomic<int64_t> left_{0}; // tasks not yet taken; the next one is tasks_ − left_
    alignas(64) std::atomic<int64_t> unfinished_{0};
    alignas(64) std::atomic<uint32_t> jobs_{0}; // counts jobs; idle workers wait for it to change
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> workers_;
};

} // namespace luffy

#endif
