// y = x·Wᵀ (+ b) and its gradients; the contract is src/Luffy.Kernels/Ops/Linear.cs.

template <class T> int64_t linear_packed_bytes(int64_t n, int64_t k) {
    using E = ElementOf<T>;
    return panels_of(n) * panel_width * units_of<E>(k) * static_cast<int64_t>(sizeof(typename E::Panel));
}

template <class T> void linear_pack(const Runtime& runtime, void* packed, const void* weight, int64_t n, int64_t k) {
    using E = ElementOf<T>;
    const int64_t panel_size = units_of<E>(k) * panel_width;
    parallel_ranges(runtime, panels_of(n), 1 + 65536 / (panel_size + 1), [&](int64_t first, int64_t last) {
        for (int64_t j = first; j < last; j++) {
            pack_strip<E, panel_width>(static_cast<typename E::Panel*>(packed) + j * panel_size,
                                       static_cast<const T*>(weight) + j * panel_width * k, k, false, n - j * panel_width, k);
        }
    });
}

// Rows first … first + count − 1 of a packed weight.
template <class T>
void linear_unpack(const Runtime& runtime, void* rows, const void* packed, int64_t first, int64_t count, int64_t k) {
    using E = ElementOf<T>;
    const int64_t units = units_of<E>(k), groups = (first + count + W - 1) / W - first / W;
    parallel_ranges(runtime, groups, 1 + 65536 / (units * W + 1), [&](int64_t begin, int64_t end) {
        for (int64_t group = first / W + begin; group < first / W + end; group++) {
            const int64_t from = group * W < first ? first : group * W;
            const int64_t to = group * W + W < first + count ? group * W + W : first + count;
            for (int64_t unit = 0; unit < units; unit += W) {
                Vector lines[W];
                read_packed_lines(lines, static_cast<const typename E::Panel*>(packed), units, group * W, unit);
                const int64_t left = k - unit * E::step;
                const int elements = static_cast<int>(left < W * E::step ? left : W * E::step);
                for (int64_t n = from; n < to; n++)
                    E::store_units(static_cast<T*>(rows) + (n - first) * k + unit * E::step, lines[n - group * W], elements);
            }
        }
    });
}

// Writes them; the other rows stay as they are.
template <class T>
void linear_pack_rows(const Runtime& runtime, void* packed, const void* rows, int64_t first, int64_t count, int64_t k) {
    using E = ElementOf<T>;
    const int64_t units = units_of<E>(k), groups = (first + count + W - 1) / W - first / W;
    parallel_ranges(runtime, groups, 1 + 65536 / (units * W + 1), [&](int64_t begin, int64_t end) {
        for (int64_t group = first / W + begin; group < first / W + end; group++) {
            const int64_t line = group * W, from = line < first ? first : line;
            const int64_t to = line + W < first + count ? line + W : first + count;
            typename E::Panel* panel =
                static_cast<typename E::Panel*>(packed) + line / panel_width * units * panel_width + line % panel_width;
            for (int64_t unit = 0; unit < units; unit += W) {
                Vector lines[W];
                read_packed_lines(lines, static_cast<const typename E::Panel*>(packed), units, line, unit);
                const int64_t left = k - unit * E::step;
                const int elements = static_cast<int>(left < W * E::step ? left : W * E::step);
                for (int64_t n = from; n < to; n++)
                    lines[n - line] = E::load_units(static_cast<const T*>(rows) + (n - first) * k + unit * E::step, elements);
                transpose(lines);
                for (int64_t i = 0; i < W && unit + i < units; i++) store(panel + (unit + i) * panel_width, lines[i]);
            }
        }
    });
}

template <class T>
void linear_forward(const Runtime& runtime, void* y, bool y_is_f32, const void* x, const void* weight, const void* packed,
                    const void* bias, const LinearShape& shape) {
    using E = ElementOf<T>;
    GemmProblem<E> problem{};
    problem.m = shape.rows;
    problem.n = shape.n;
    problem.k = shape.k;
    problem.a = static_cast<const T*>(x);
    problem.lda = shape.k;
    problem.b = static_cast<const T*>(weight);
    problem.ldb = shape.k;
    problem.packed = static_cast<const typename E::Panel*>(packed);
    if (y_is_f32)
        problem.c = static_cast<float*>(y);
    else
        problem.c_rounded = static_cast<T*>(y);
    problem.ldc = shape.n;
    problem.bias = static_cast<const T*>(bias);
    gemm(runtime, problem);
}

template <class T>
void linear_backward_input(const Runtime& runtime, void* dx, const void* dy, const void* weight, const void* packed,
                           const LinearShape& shape) {
    using E = ElementOf<T>;
    GemmProblem<E> problem{};
    problem.m = shape.rows;
    problem.n = shape.k;
    problem.k = shape.n;
    problem.a = static_cast<const T*>(dy);
    problem.lda = shape.n;
    problem.b = static_cast<const T*>(weight);
    problem.ldb = shape.k;
    problem.b_k_major = true;
    if (weight == nullptr) problem.packed_transpose = static_cast<const typename E::Panel*>(packed);
    if constexpr (E::dtype == LF_F32)
        problem.c = static_cast<float*>(dx);
    else
        problem.c_rounded = static_cast<T*>(dx);
    problem.ldc = shape.k;
    gemm(runtime, problem);
}

template <class T>
void linear_backward_weight(const Runtime& runtime, void* d_weight, bool rounded, float* d_bias, const void* dy, const void* x,
                            const LinearShape& shape) {
    using E = ElementOf<T>;
    if (shape.rows == 0) {
        if (rounded) zero_bytes(runtime, d_weight, shape.n * shape.k * static_cast<int64_t>(sizeof(T)));
        return;
    }
    GemmProblem<E> problem{};
    problem.m = shape.n;
    problem.n = shape.k;
    problem.k = shape.rows;
    problem.a = static_cast<const T*>(dy);
    problem.lda = shape.n;
    problem.a_k_major = true;
    problem.b = static_cast<const T*>(x);
    problem.ldb = shape.k;
    problem.b_k_major = true;
    if (rounded)
        problem.c_rounded = static_cast<T*>(d_weight);
    else
        problem.c = static_cast<float*>(d_weight);
    problem.ldc = shape.k;
    problem.accumulate = !rounded;
    gemm(runtime, problem);
    if (d_bias == nullptr) return;
    parallel_ranges(runtime, shape.n, 64, [&](int64_t first, int64_t last) {
        for (int64_t t = 0; t < shape.rows; t++) {
            const T* row = static_cast<const T*>(dy) + t * shape.n + first;
            each_vector(last - first, [&](int64_t i, auto part) {
                store(d_bias + first + i, add(load(d_bias + first + i, part), load(row + i, part)), part);
            });
        }
    });
}
