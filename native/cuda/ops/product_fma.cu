#include "product_kernel.h"
#include "product_tiles.h"

namespace luffy {

namespace {

template <Major major_a, Major major_b> void choose_tile(const Runtime& runtime, const char* name, const ProductArguments& p) {
    using Large = typename FmaTiles<major_a, major_b>::Large;
    using Small = typename FmaTiles<major_a, major_b>::Small;
    if (p.m > 16 && tiles_of<Large>(p) >= runtime.multiprocessors / 2)
        launch_product<Large>(runtime, name, p);
    else
        launch_product<Small>(runtime, name, p);
}

} // namespace

void product_by_fma(const Runtime& runtime, const char* name, const ProductArguments& p) {
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
