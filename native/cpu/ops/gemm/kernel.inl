// The micro-kernel: a tile of rows of A times one or a few panels of B, with the sums in registers.

// A tile of A, as the rows lay in memory: as [units][tile_pitch(rows)] where they lay side by side, and as [units / W][rows][W]
// where each was a line of its own, so that neither is transposed.
enum class TileOrder { units, rows };

template <class E> struct TileProduct {
    int64_t units;
    const float* tile; // in its order
    const typename E::Panel* panel;
    int64_t panel_stride;
    float* c; // the sums so far, or where they go
    int64_t ldc;
    bool from_c;
    typename E::Storage* rounded; // where the sums go instead, rounded; or null
    int64_t ld_rounded;
    const typename E::Storage* bias; // of these columns, added at the end; or null
};

// Few rows lie close together: one row is read as it is, and several do not fill the level-1 cache with gaps.
constexpr int tile_pitch(int rows) { return rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : rows <= 8 ? 8 : 16; }

// Panels side by side: few rows leave registers for more of them, and a fused multiply-add must not wait for the one before.
constexpr int panels_at_once(int rows) {
    if (W == 16) return rows <= 3 ? 4 : rows <= 6 ? 2 : 1;
    return rows <= 1 ? 4 : rows <= 3 ? 2 : 1;
}

template <class E, int R, int P, TileOrder Order> void multiply_tile(const TileProduct<E>& t) {
    constexpr int V = 2 * P;
    constexpr int pitch = tile_pitch(R);
    Vector sum[R][V];
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) sum[r][v] = t.from_c ? load(t.c + r * t.ldc + v * W) : zero();
    }
    const float* tile = t.tile;
    const typename E::Panel* panel = t.panel;
    const int64_t panel_stride = t.panel_stride;
    constexpr int row = Order == TileOrder::rows ? W : 1, unit = Order == TileOrder::rows ? 1 : pitch;
    const auto multiply_units = [&](int64_t units) __attribute__((always_inline)) {
        for (int64_t u = units; u > 0; u--) {
            Vector b[V];
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) b[v] = load(panel + (v / 2) * panel_stride + (v % 2) * W);
#pragma GCC unroll 14
            for (int r = 0; r < R; r++) {
                const Vector a = broadcast(tile[r * row]);
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) sum[r][v] = E::multiply_add(a, b[v], sum[r][v]);
            }
            tile += unit;
            panel += panel_width;
        }
    };
    if (Order == TileOrder::units || R == 1) {
        multiply_units(t.units);
    } else {
        int64_t left = t.units;
        for (; left > W; left -= W) {
            multiply_units(W);
            tile += (R - 1) * W;
        }
        multiply_units(left);
    }
    if (t.bias != nullptr) {
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            const Vector bias = load(t.bias + v * W);
#pragma GCC unroll 14
            for (int r = 0; r < R; r++) sum[r][v] = add(sum[r][v], bias);
        }
    }
    if (t.rounded != nullptr) {
#pragma GCC unroll 14
        for (int r = 0; r < R; r++) store_together(t.rounded + r * t.ld_rounded, sum[r]);
    } else {
#pragma GCC unroll 14
        for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) store(t.c + r * t.ldc + v * W, sum[r][v]);
        }
    }
}

template <class E> using TileKernel = void (*)(const TileProduct<E>&);

// One panel, or panels_at_once.
template <class E, TileOrder Order, int R> struct TileKernels {
    static TileKernel<E> find(int rows, bool several) {
        if (rows != R) return TileKernels<E, Order, R - 1>::find(rows, several);
        return several ? multiply_tile<E, R, panels_at_once(R), Order> : multiply_tile<E, R, 1, Order>;
    }
};
template <class E, TileOrder Order> struct TileKernels<E, Order, 0> {
    static TileKernel<E> find(int, bool) { return nullptr; }
};
