// What the kernels of one instruction set need of the rest: threads and memory. No inline functions and no C++
// library here: this header is compiled with every instruction set, and the linker may keep any copy of a shared inline function.
#ifndef LUFFY_CPU_RUNTIME_H
#define LUFFY_CPU_RUNTIME_H

#include "../common/elements.h"

#include <stddef.h>

namespace luffy {

class ThreadPool;

// Threads and the memory that each of them may use during one kernel.
struct Runtime {
    ThreadPool* pool;
    int32_t threads;
    int64_t workspace_bytes; // of one thread
    char* workspaces;        // [threads][workspace_bytes], 64-byte aligned
};

// Runs body(argument, task, worker) for task = 0 … tasks − 1 and returns when all are done. Which worker (0 … threads − 1) takes
// a task is left open: a task's result may not depend on it, and tasks write to disjoint memory.
void run_tasks(const Runtime& runtime, int64_t tasks, void (*body)(const void* argument, int64_t task, int worker),
               const void* argument);

} // namespace luffy

#endif
