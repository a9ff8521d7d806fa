#include "support.h"

namespace test {

namespace {

struct Shape {
    int64_t t, n, k;
};

void check(const Shape& s, int32_t dtype) {
    const std::string what =
        "linear " + std::to_string(s.t) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) + name(dtype);
    Random random(static_cast<uint64_t>(s.t * 1000003 + s.n * 1009 + s.k));
    const Tensor x = random.tensor(dtype, {s.t, s.k}), w = random.tensor(dtype, {s.n, s.k}), b = random.tensor(dtype, {s.n});
    const Tensor dy = random.tensor(dtype, {s.t, s.n});
    Tensor packed(LF_U8, {table->linear_packed_bytes(context, s.n, s.k, dtype)});
    ok(table->linear_pack(context, packed, w), what);
    if (!packed.guard_intact()) fail(what + ": packing wrote beyond its bytes");

    // The packed form alone says as much as the rows.
    lf_tensor shape = w.view;
    shape.data = nullptr;
    for (int64_t first = 0; first <= s.n; first += 1 + s.n / 3) {
        for (int64_t count : {s.n - first, (s.n - first) / 2}) {
            Tensor rows(dtype, {count, s.k});
            ok(table->linear_unpack(context, rows, &shape, packed, first), what);
            same_bits(rows.bytes.data(), w.bytes.data() + first * s.k * w.size(), count * s.k * w.size(),
                      what + " unpacked rows");
            if (!rows.guard_intact()) fail(what + ": unpacking wrote beyond its rows");
        }
    }

    // Packing row by row, in any portions, makes the same bytes.
    Tensor pieces(LF_U8, {packed.count});
    for (int64_t first = 0, count = 1; first < s.n; first += count, count += 2) {
        if (first + count > s.n) count = s.n - first;
        Tensor rows(dtype, {count, s.k});
        std::memcpy(rows.bytes.data(), w.bytes.data() + first * s.k * w.size(), static_cast<size_t>(count * s.k * w.size()));
        ok(table->linear_pack_rows(context, pieces, &shape, rows, first), what);
    }
    same_bits(pieces.bytes.data(), packed.bytes.data(), packed.count, what + " packed in pieces");
    if (!pieces.guard_intact()) fail(what + ": packing rows wrote beyond the packed bytes");

    std::vector<double> expected(static_cast<size_t>(s.t * s.n));
    for (int64_t t = 0; t < s.t; t++) {
        for (int64_t n = 0; n < s.n; n++) {
            double sum = b.at(n);
            for (int64_t k = 0; k < s.k; k++) sum += x.at(t * s.k + k) * w.at(n * s.k + k);
            expected[static_cast<size_t>(t * s.n + n)] = sum;
        }
    }
    Tensor y(dtype, {s.t, s.n}), plain(dtype, {s.t, s.n}), wide(LF_F32, {s.t, s.n});
    ok(table->linear_forward(context, y, x, w, packed, b), what);
    ok(table->linear_forward(context, plain, x, w, nullptr, b), what);
    ok(table->linear_forward(context, wide, x, w, packed, b), what);
    all_near(y, expected, tolerance(dtype), what + " forward");
    all_near(wide, expected, 2e-5, what + " forward to f32");
    same_bits(y.bytes.data(), plain.bytes.data(), y.count * y.size(), what + " packed and plain");

    // Any row alone has the bits that it has in the batch.
    for (int64_t t = 0; t < s.t; t += 1 + s.t / 3) {
        Tensor row(LF_F32, {1, s.n});
        lf_tensor one = x.view;
        one.data = const_cast<uint8_t*>(x.bytes.data()) + t * s.k * x.size();
        one.dim[0] = 1;
        ok(table->linear_forward(context, row, &one, w, packed, b), what);
        same_bits(row.bytes.data(), wide.f32() + t * s.n, s.n * 4, what + " one row");
    }

    expected.assign(static_cast<size_t>(s.t * s.k), 0);
    for (int64_t t = 0; t < s.t; t++) {
        for (int64_t n = 0; n < s.n; n++) {
            for (int64_t k = 0; k < s.k; k++)
                expected[static_cast<size_t>(t * s.k + k)] += dy.at(t * s.n + n) * w.at(n * s.k + k);
        }
    }
    Tensor dx(dtype, {s.t, s.k});
    ok(table->linear_backward_input(context, dx, dy, w, packed), what);
    all_near(dx, expected, tolerance(dtype), what + " backward input");
    Tensor dx_packed(dtype, {s.t, s.k});
    ok(table->linear_backward_input(context, dx_packed, dy, &shape, packed), what);
    same_bits(dx_packed.bytes.data(), dx.bytes.data(), dx.count * dx.size(), what + " backward input of the packed form alone");
    if (!dx_packed.guard_intact()) fail(what + ": backward input wrote beyond dx");

    Tensor dw = random.tensor(LF_F32, {s.n, s.k}), db = random.tensor(LF_F32, {s.n});
    expected.resize(static_cast<size_t>(s.n * s.k));
    std::vector<double> bias(static_cast<size_t>(s.n));
    for (int64_t n = 0; n < s.n; n++) {
        bias[static_cast<size_t>(n)] = db.at(n);
        for (int64_t t = 0; t < s.t; t++) bias[static_cast<size_t>(n)] += dy.at(t * s.n + n);
        for (int64_t k = 0; k < s.k; k++) {
            double sum = dw.at(n * s.k + k);
            for (int64_t t = 0; t < s.t; t++) sum += dy.at(t * s.n + n) * x.at(t * s.k + k);
            expected[static_cast<size_t>(n * s.k + k)] = sum;
        }
    }
    ok(table->linear_backward_weight(context, dw, db, dy, x), what);
    all_near(dw, expected, 2e-5, what + " backward weight");
    all_near(db, bias, 2e-5, what + " backward bias");
}

} // namespace

void linear() {
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        for (const Shape& s :
             {Shape{1, 1, 1}, Shape{3, 5, 7}, Shape{1, 67, 129}, Shape{2, 64, 33}, Shape{15, 31, 17}, Shape{29, 200, 65},
              Shape{131, 33, 40}, Shape{17, 300, 1201}, Shape{530, 40, 1100}, Shape{1100, 70, 19}, Shape{0, 8, 8}})
            check(s, dtype);
    }
    const Tensor x(LF_F32, {2, 3}), w(LF_F32, {4, 5}), y(LF_F32, {2, 4});
    if (table->linear_forward(context, y, x, w, nullptr, nullptr) != LF_INVALID_ARGUMENT ||
        std::string(table->last_error()) !=
            "x must be [T, K] of the weight's dtype (got y f32[2, 4], x f32[2, 3], weight f32[4, 5], packed none, bias none)")
        fail(std::string("a wrong shape must be refused with every shape: ") + table->last_error());
}

} // namespace test
