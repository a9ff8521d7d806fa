// Calls body(task, workspace) for task = 0 … tasks − 1 on the threads of the context.
template <class Body> void parallel(const Runtime& runtime, int64_t tasks, const Body& body) {
    struct Call {
        const Runtime& runtime;
        const Body& body;
    };
    const Call call{runtime, body};
    run_tasks(
        runtime, tasks,
        [](const void* argument, int64_t task, int worker) {
            const Call& c = *static_cast<const Call*>(argument);
            c.body(task, c.runtime.workspaces + worker * c.runtime.workspace_bytes);
        },
        &call);
}

// Splits 0 … count − 1 into ranges of at least `least` and calls body(first, last) for each. Where a range ends must not show in
// the results.
template <class Body> void parallel_ranges(const Runtime& runtime, int64_t count, int64_t least, const Body& body) {
    if (count <= 0) return;
    int64_t parts = (count + least - 1) / least;
    // A few ranges a thread, so that a thread that the system interrupts does not hold up the others.
    if (parts > runtime.threads * int64_t{4}) parts = runtime.threads * int64_t{4};
    if (runtime.threads == 1) parts = 1;
    parallel(runtime, parts, [&](int64_t task, char*) { body(count * task / parts, count * (task + 1) / parts); });
}
