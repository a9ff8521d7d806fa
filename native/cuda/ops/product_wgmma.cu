#include "product_kernel.h"
#include "product_tiles.h"

namespace luffy {

namespace {

// Cycles that a product takes at best by tiles of a class, for 64 terms: what a tile takes, a wave of tiles after another. A
// tile's products take the tensor cores, 2,048 of them a cycle; its operands come from the level-2 cache, which gives all
// multiprocessors together some 48 bytes a cycle each, and rows beyond the matrix are not read.
template <class P> int64_t cycles_of(const Runtime& runtime, const ProductArguments& p) {
    const int64_t waves = blocks_of(tiles_of<P>(p), int64_t{P::blocks} * runtime.multiprocessors);
    const int64_t rows = p.m < P::rows ? p.m : P::rows, columns = p.n < P::columns ? p.n : P::columns;
    const int64_t multiply = int64_t{P::rows} * P::columns * product_depth / 2048,
                  load = (rows + columns) * product_depth * 2 / 48;
    // Barriers and the instructions' own latency, once a stage.
    constexpr int64_t overhead = 50;
    return waves * ((multiply > load ? multiply : load) + overhead);
}

// The class of the least cycles, the first where several are equal.
template <class First, class... Others>
void launch_fastest(const Runtime& runtime, const char* name, const ProductArguments& p, int64_t cycles) {
    if constexpr (sizeof...(Others) > 0) {
        if (cycles_of<First>(runtime, p) > cycles) return launch_fastest<Others...>(runtime, name, p, cycles);
    }
    launch_product<First>(runtime, name, p);
}

template <class... Products> void launch_one_of(const Runtime& runtime, const char* name, const ProductArguments& p) {
    int64_t least = INT64_MAX;
    for (int64_t cycles : {cycles_of<Products>(runtime, p)...}) least = cycles < least ? cycles : least;
    launch_fastest<Products...>(runtime, name, p, least);
}

template <Major major_a, Major major_b> void choose_tile(const Runtime& runtime, const char* name, const ProductArguments& p) {
    using Tiles = WgmmaTiles<major_a, major_b>;
    using Large = typename Tiles::Large;
    using Wide = typename Tiles::Wide;
    using Square = typename Tiles::Square;
    using Few = typename Tiles::Few;
    if constexpr (major_b == Major::k)
        launch_one_of<Large, Wide, Square, Few, WgmmaNarrowTiles::Narrow>(runtime, name, p);
    else
        launch_one_of<Large, Wide, Square, Few>(runtime, name, p);
}

} // namespace

void product_by_wgmma(const Runtime& runtime, const char* name, const ProductArguments& p) {
    if (reinterpret_cast<uintptr_t>(p.a) % 16 != 0 || reinterpret_cast<uintptr_t>(p.b) % 16 != 0)
        throw std::runtime_error(std::string(name) + ": operands whose rows are multiples of 16 bytes must begin at one too");
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
