#include "../device/product_mma.h"
#include "product_kernel.h"

namespace luffy {

namespace {

template <Major major_a, Major major_b> void choose_tile(const Runtime& runtime, const char* name, const ProductArguments& p) {
    using Large = MmaProduct<major_a, major_b, 128, 128, 2, 4, 64, 2>;
    using Medium = MmaProduct<major_a, major_b, 64, 64, 2, 2, 64, 3>;
    const int64_t half = runtime.multiprocessors / 2;
    if (p.m > 64 && tiles_of<Large>(p) >= half) return launch_product<Large>(runtime, name, p);
    if constexpr (major_a == Major::k) {
        using Few = MmaProduct<major_a, major_b, 16, 64, 1, 4, 128, 4>;
        if constexpr (major_b == Major::k) {
            using FewNarrow = MmaProduct<major_a, major_b, 16, 16, 1, 2, 128, 8>;
            using Narrow = MmaProduct<major_a, major_b, 64, 16, 4, 1, 128, 4>;
            if (p.m <= 16 && tiles_of<Few>(p) < half) return launch_product<FewNarrow>(runtime, name, p);
            if (p.m > 16 && tiles_of<Medium>(p) < half) return launch_product<Narrow>(runtime, name, p);
        }
        if (p.m <= 16) return launch_product<Few>(runtime, name, p);
    }
    launch_product<Medium>(runtime, name, p);
}

} // namespace

void product_by_mma(const Runtime& runtime, const char* name, const ProductArguments& p) {
    switch (p.layout) {
    case ProductLayout::nt:
        return choose_tile<Major::k, Major::k>(runtime, name, p);
    case ProductLayout::nn:
        return choose_tile<Major::k, Major::mn>(runtime, name, p);
    case ProductLayout::tn:
        return choose_tile<Major::mn, Major::mn>(runtime, name, p);
    }
}

} // namespace luffy
