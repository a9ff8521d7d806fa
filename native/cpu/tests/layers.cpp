#include "support.h"

namespace test {

namespace {

void norm(int32_t dtype, int64_t t, int64_t h) {
    const std::string what = "norm " + std::to_string(t) + "x" + std::to_string(h) + name(dtype);
    Random random(static_cast<uint64_t>(t * 131 + h));
    const Tensor x = random.tensor(dtype, {t, h}), delta = random.tensor(dtype, {t, h}), w = random.tensor(dtype, {h});
    const Tensor dy = random.tensor(dtype, {t, h}), residual = random.tensor(dtype, {t, h});
    Tensor y(dtype, {t, h}), sum(dtype, {t, h}), rstd(LF_F32, {t}), dx(dtype, {t, h}), dw = random.tensor(LF_F32, {h});
    ok(table->rms_norm_add_forward(context, y, sum, rstd, x, delta, w, 1e-6f), what);
    const size_t n = static_cast<size_t>(t * h);
    std::vector<double> expected_sum(n), expected(n), expected_dx(n), expected_dw(static_cast<size_t>(h));
    for (int64_t i = 0; i < h; i++) expected_dw[static_cast<size_t>(i)] = dw.at(i);
    for (int64_t r = 0; r < t; r++) {
        double squares = 0, products = 0;
        for (int64_t i = 0; i < h; i++) {
            const int64_t at = r * h + i;
            expected_sum[static_cast<size_t>(at)] = x.at(at) + delta.at(at);
            squares += sum.at(at) * sum.at(at);
            products += w.at(i) * dy.at(at) * sum.at(at);
        }
        const double scale = 1 / std::sqrt(squares / static_cast<double>(h) + 1e-6);
        near(rstd.at(r), scale, 1e-5 * scale, what + " rstd");
        for (int64_t i = 0; i < h; i++) {
            const size_t at = static_cast<size_t>(r * h + i);
            const double s = sum.at(r * h + i), d = dy.at(r * h + i);
            expected[at] = s * scale * w.at(i);
            expected_dx[at] =
                residual.at(r * h + i) + scale * (w.at(i) * d - s * scale * scale * products / static_cast<double>(h));
            expected_dw[static_cast<size_t>(i)] += d * s * scale;
        }
    }
    all_near(sum, expected_sum, tolerance(dtype), what + " sum");
    all_near(y, expected, tolerance(dtype), what + " y");
    ok(table->rms_norm_add_backward(context, dx, dw, dy, residual, sum, rstd, w), what);
    all_near(dx, expected_dx, tolerance(dtype), what + " dx");
    all_near(dw, expected_dw, 2e-5, what + " dw");
}

void rope(int32_t dtype, int64_t t, int64_t heads, int64_t d, int32_t rotated) {
    const std::string what = "rope" + std::string(name(dtype)) + " " + std::to_string(d);
    Random random(static_cast<uint64_t>(d));
    Tensor qkv = random.tensor(dtype, {t, heads, d}), positions(LF_I32, {t}), angles(LF_F32, {9, d});
    for (int64_t i = 0; i < t; i++) positions.set(i, static_cast<double>(i % 9));
    for (int64_t p = 0; p < 9; p++) {
        for (int64_t i = 0; i < d / 2; i++) {
            angles.set(p * d + i, std::cos(0.3 * static_cast<double>(p * (i + 1))));
            angles.set(p * d + d / 2 + i, std::sin(0.3 * static_cast<double>(p * (i + 1))));
        }
    }
    std::vector<double> expected(static_cast<size_t>(qkv.count)), before(static_cast<size_t>(qkv.count));
    for (int64_t i = 0; i < qkv.count; i++) before[static_cast<size_t>(i)] = expected[static_cast<size_t>(i)] = qkv.at(i);
    for (int64_t r = 0; r < t; r++) {
        for (int64_t head = 0; head < rotated; head++) {
            for (int64_t i = 0; i < d / 2; i++) {
                const int64_t at = (r * heads + head) * d + i;
                const double c = angles.at(r % 9 * d + i), s = angles.at(r % 9 * d + d / 2 + i), a = qkv.at(at),
                             b = qkv.at(at + d / 2);
                expected[static_cast<size_t>(at)] = a * c - b * s;
                expected[static_cast<size_t>(at + d / 2)] = b * c + a * s;
            }
        }
    }
    ok(table->rope_forward(context, qkv, positions, angles, rotated), what);
    all_near(qkv, expected, tolerance(dtype), what + " forward");
    ok(table->rope_backward(context, qkv, positions, angles, rotated), what);
    all_near(qkv, before, tolerance(dtype), what + " backward undoes forward");
    positions.set(t - 1, 9);
    if (table->rope_forward(context, qkv, positions, angles, rotated) != LF_INVALID_ARGUMENT)
        fail(what + ": position out of range");
}

void swiglu(int32_t dtype, int64_t t, int64_t width) {
    const std::string what = "swiglu" + std::string(name(dtype));
    Random random(5);
    Tensor gate_up = random.tensor(dtype, {t, 2 * width}, 6), dy = random.tensor(dtype, {t, width}), y(dtype, {t, width});
    std::vector<double> expected, gradient(static_cast<size_t>(gate_up.count));
    for (int64_t r = 0; r < t; r++) {
        for (int64_t i = 0; i < width; i++) {
            const double g = gate_up.at(2 * r * width + i), u = gate_up.at((2 * r + 1) * width + i), d = dy.at(r * width + i);
            const double s = 1 / (1 + std::exp(-g));
            expected.push_back(g * s * u);
            gradient[static_cast<size_t>(2 * r * width + i)] = d * u * s * (1 + g * (1 - s));
            gradient[static_cast<size_t>((2 * r + 1) * width + i)] = d * g * s;
        }
    }
    ok(table->swiglu_forward(context, y, gate_up), what);
    all_near(y, expected, tolerance(dtype), what + " forward");
    ok(table->swiglu_backward(context, gate_up, dy, gate_up), what);
    all_near(gate_up, gradient, tolerance(dtype), what + " backward in place");
}

void columns(int32_t dtype, int64_t t, int64_t stride, int64_t width, int64_t start) {
    const std::string what = "columns" + std::string(name(dtype)) + " " + std::to_string(width);
    Random random(8);
    const Tensor y = random.tensor(dtype, {t, stride}), part = random.tensor(dtype, {t, width});
    Tensor z(dtype, {t, width}), sum = random.tensor(dtype, {t, stride});
    std::vector<double> taken, added(static_cast<size_t>(sum.count));
    for (int64_t i = 0; i < sum.count; i++) added[static_cast<size_t>(i)] = sum.at(i);
    for (int64_t r = 0; r < t; r++) {
        for (int64_t i = 0; i < width; i++) {
            taken.push_back(0.5 * y.at(r * stride + start + i));
            added[static_cast<size_t>(r * stride + start + i)] += 0.5 * part.at(r * width + i);
        }
    }
    ok(table->columns_take(context, z, y, start, 0.5f), what);
    all_near(z, taken, 0, what + " take");
    ok(table->columns_add(context, sum, part, start, 0.5f), what);
    all_near(sum, added, tolerance(dtype), what + " add");
    ok(table->columns_put(context, sum, part, start), what);
    for (int64_t i = 0; i < width; i++)
        near(sum.at((t - 1) * stride + start + i), part.at((t - 1) * width + i), 0, what + " put");
    if (table->columns_put(context, sum, part, stride - width + 1) != LF_INVALID_ARGUMENT) fail(what + ": columns beyond y");
}

void embedding(int32_t dtype) {
    const std::string what = "embedding" + std::string(name(dtype));
    Random random(6);
    const int64_t v = 11, h = 37, t = 29;
    const Tensor weight = random.tensor(dtype, {v, h}), dy = random.tensor(dtype, {t, h});
    Tensor ids(LF_I32, {t}), y(dtype, {t, h}), dw = random.tensor(LF_F32, {v, h});
    for (int64_t i = 0; i < t; i++) ids.set(i, static_cast<double>(random.below(v)));
    std::vector<double> expected(static_cast<size_t>(t * h)), gradient(static_cast<size_t>(v * h));
    for (int64_t i = 0; i < dw.count; i++) gradient[static_cast<size_t>(i)] = dw.at(i);
    for (int64_t i = 0; i < t * h; i++) {
        const int64_t from = ids.i32()[i / h] * h + i % h;
        expected[static_cast<size_t>(i)] = weight.at(from);
        gradient[static_cast<size_t>(from)] += dy.at(i);
    }
    ok(table->embedding_forward(context, y, weight, nullptr, ids), what);
    all_near(y, expected, 0, what + " forward");
    ok(table->embedding_backward(context, dw, dy, ids), what);
    all_near(dw, gradient, 1e-6, what + " backward");
    ids.set(3, static_cast<double>(v));
    if (table->embedding_forward(context, y, weight, nullptr, ids) != LF_INVALID_ARGUMENT ||
        std::string(table->last_error()) != "ids[3] is 11, not in 0..10")
        fail(what + ": id out of range: " + table->last_error());
}

void adamw(int32_t dtype) {
    const std::string what = "adamw" + std::string(name(dtype));
    Random random(7);
    const int64_t n = 20011;
    Tensor master = random.tensor(LF_F32, {n}), m = random.tensor(LF_F32, {n}, 0.1), v = random.tensor(LF_F32, {n}, 0.1);
    const Tensor gradient = random.tensor(LF_F32, {n});
    Tensor weights(dtype, {n}), remainders(LF_U8, {2 * n});
    const auto split = dtype == LF_BF16;
    for (int64_t i = 0; i < n; i++) {
        v.set(i, std::fabs(v.at(i)));
        weights.set(i, master.at(i));
        if (split) master.set(i, weights.at(i)); // remainders are zero
    }
    const lf_adamw_options o{1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.5f, 3, 0};
    std::vector<double> expected;
    for (int64_t i = 0; i < n; i++) {
        const double g = gradient.at(i) * 0.5, b1 = o.beta1, b2 = o.beta2;
        const double m1 = b1 * m.at(i) + (1 - b1) * g, v1 = b2 * v.at(i) + (1 - b2) * g * g;
        const double step = m1 / (1 - b1 * b1 * b1) / (std::sqrt(v1 / (1 - b2 * b2 * b2)) + 1e-8);
        expected.push_back(master.at(i) - 1e-2 * (0.1 * master.at(i) + step));
    }
    ok(table->adamw_update(context, weights, split ? static_cast<const lf_tensor*>(remainders) : nullptr, m, v, gradient, &o),
       what);
    for (int64_t i = 0; i < n; i++) {
        if (!split) {
            master.set(i, weights.at(i));
            continue;
        }
        int16_t remainder;
        std::memcpy(&remainder, remainders.bytes.data() + 2 * i, 2);
        uint16_t weight;
        std::memcpy(&weight, weights.bytes.data() + 2 * i, 2);
        const uint32_t bits = (static_cast<uint32_t>(weight) << 16) + static_cast<uint32_t>(int32_t{remainder}) +
                              (std::signbit(v.at(i)) ? 0x10000u : 0u);
        std::memcpy(master.f32() + i, &bits, 4);
        if (to_bf16(master.f32()[i]) != weight) fail(what + ": weights are not the rounded master");
    }
    all_near(master, expected, 1e-6, what + " master");
    if (!weights.guard_intact() || !remainders.guard_intact()) fail(what + ": wrote beyond the tensor");
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += gradient.at(i) * gradient.at(i);
    Tensor norm(LF_F32, {1}), scratch(LF_U8, {table->adamw_squared_norm_scratch_bytes(context, n)});
    ok(table->adamw_squared_norm(context, norm, gradient, scratch), what);
    near(norm.at(0), squares, 1e-5 * squares, what + " squared norm");
}

void copies() {
    Tensor values(LF_F32, {9}), rounded(LF_BF16, {9}), back(LF_F32, {9});
    // A tie to even down and up, infinity, a NaN whose upper payload is empty, overflow, zeros, the smallest subnormal and
    // bf16's.
    const uint32_t bits[] = {0x3F808000u, 0x3F818000u, 0x7F800000u, 0x7F800001u, 0x7F7FFFFFu,
                             0x80000000u, 0x00000001u, 0x00010000u, 0xC0490FDBu};
    const uint16_t expected[] = {0x3F80, 0x3F82, 0x7F80, 0x7FC0, 0x7F80, 0x8000, 0x0000, 0x0001, 0xC049};
    std::memcpy(values.bytes.data(), bits, sizeof bits);
    ok(table->copy(context, rounded, values), "copy");
    same_bits(rounded.bytes.data(), expected, sizeof expected, "copy to bf16");
    ok(table->copy(context, back, rounded), "copy");
    for (int i = 0; i < 9; i++) {
        uint32_t wide;
        std::memcpy(&wide, back.f32() + i, 4);
        if (wide != static_cast<uint32_t>(expected[i]) << 16) fail("copy to f32 must be exact");
    }
    ok(table->zero(context, back), "zero");
    for (int i = 0; i < 9; i++) near(back.at(i), 0, 0, "zero");
}

} // namespace

void layers() {
    copies();
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        norm(dtype, 3, 1);
        norm(dtype, 5, 67);
        norm(dtype, 130, 160);
        rope(dtype, 13, 5, 2, 3);
        rope(dtype, 13, 5, 20, 3);
        rope(dtype, 70, 12, 64, 10);
        swiglu(dtype, 7, 33);
        swiglu(dtype, 90, 128);
        columns(dtype, 7, 33, 9, 5);
        columns(dtype, 90, 128, 64, 64);
        embedding(dtype);
        adamw(dtype);
    }
}

} // namespace test
