// The classes of tiles that ops/product.h gives reasons for.
#ifndef LUFFY_CUDA_OPS_PRODUCT_TILES_H
#define LUFFY_CUDA_OPS_PRODUCT_TILES_H

#include "../device/product_fma.h"
#include "../device/product_mma.h"
#include "../device/product_wgmma.h"

namespace luffy {

template <Major major_a, Major major_b> struct FmaTiles {
    using Large = FmaProduct<major_a, major_b, 128, 128, 16, 16>;
    using Small = FmaProduct<major_a, major_b, 16, 64, 8, 16>;
};

template <Major major_a, Major major_b> struct MmaTiles {
    using Large = MmaProduct<major_a, major_b, 128, 128, 2, 4, 64, 2>;
    using Medium = MmaProduct<major_a, major_b, 64, 64, 2, 2, 64, 3>;
};

// Where rows of A have their terms side by side, a tile may have few of them.
template <Major major_b> struct MmaFewTiles { using Few = MmaProduct<Major::k, major_b, 16, 64, 1, 4, 128, 4>; };

struct MmaNarrowTiles {
    using Narrow = MmaProduct<Major::k, Major::k, 64, 16, 4, 1, 128, 4>;
    using FewNarrow = MmaProduct<Major::k, Major::k, 16, 16, 1, 2, 128, 8>;
};

template <Major major_a, Major major_b> struct WgmmaTiles {
    using Large = WgmmaProduct<major_a, major_b, 2, 256, 4>;
    using Wide = WgmmaProduct<major_a, major_b, 2, 192, 5>;
    using Square = WgmmaProduct<major_a, major_b, 2, 128, 6>;
    using Few = WgmmaProduct<major_a, major_b, 1, 64, 12>;
};

struct WgmmaNarrowTiles {
    using Narrow = WgmmaProduct<Major::k, Major::k, 1, 32, 16>;
};

} // namespace luffy

#endif
