#include "product_kernel.h"
#include "product_tiles.h"

namespace luffy {

namespace {

template <Major major_a, Major major_b> void choose_tile(const Runtime& runtime, const char* name, const ProductArguments& p) {
    using Large = typename MmaTiles<major_a, major_b>::Large;
    using Medium = typename MmaTiles<major_a, major_b>::Medium;
    const int64_t half = runtime.multiprocessors / 2;
    if (p.m > 64 && tiles_of<Large>(p) >= half) return launch_product<Large>(runtime, name, p);
    if constexpr (major_a == Major::k) {
        using Few = typename MmaFewTiles<major_b>::Few;
        if constexpr (major_b == Major::k) {
            using FewNarrow = MmaNarrowTiles::FewNarrow;
            using Narrow = MmaNarrowTiles::Narrow;
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
