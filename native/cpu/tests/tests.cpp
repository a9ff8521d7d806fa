// luffy_cpu_tests ISA: every operation of one instruction set against f64 loops, at odd shapes, with one and with three threads.
// Exit code 77 where the processor lacks it.
#include "support.h"

namespace test {
const lf_kernels* table = nullptr;
lf_context* context = nullptr;
int failures = 0;
} // namespace test

int main(int count, char** arguments) {
    using namespace test;
    table = luffy_kernels(LF_ABI_VERSION);
    if (table == nullptr || luffy_kernels(LF_ABI_VERSION + 1) != nullptr) {
        std::printf("FAILED the table must answer to its own version and to no other\n");
        return 1;
    }
    for (int threads : {1, 3}) {
        lf_context_options options{};
        options.threads = threads;
        options.isa = count > 1 ? arguments[1] : nullptr;
        const lf_status status = table->create(&context, &options);
        if (status == LF_UNSUPPORTED) {
            std::printf("skipped: %s\n", table->last_error());
            return 77;
        }
        if (status != LF_OK) {
            std::printf("FAILED create: %s\n", table->last_error());
            return 1;
        }
        std::printf("%s\n", table->description(context));
        linear();
        layers();
        attention();
        policy();
        sampling();
        table->destroy(context);
    }
    std::printf(failures == 0 ? "ok\n" : "%d failed\n", failures);
    return failures == 0 ? 0 : 1;
}
