// The fragments of tensor cores, and copies that arrive later.
#include "../device/matrix.h"
#include "support.h"

using namespace luffy;

namespace {

// Fragments filled element by element, as device/matrix.h describes them: d = a·b with a [16, 16], b [16, 8] row-major.
__global__ void __launch_bounds__(32) multiply_kernel(float* d, const bf16* a, const bf16* b) {
    const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
    uint32_t left[4], right[2];
    for (int i = 0; i < 4; i++) {
        const bf16* p = a + (g + 8 * (i % 2)) * 16 + 2 * t + 8 * (i / 2);
        left[i] = p[0].bits | static_cast<uint32_t>(p[1].bits) << 16;
    }
    for (int i = 0; i < 2; i++) {
        const bf16* p = b + (2 * t + 8 * i) * 8 + g;
        right[i] = p[0].bits | static_cast<uint32_t>(p[8].bits) << 16;
    }
    float sums[4] = {1, 1, 1, 1};
    mma_bf16(sums, left, right);
    for (int i = 0; i < 4; i++) d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums[i];
}

// The same by ldmatrix from rows that arrive by cp.async: a as it is, b [16, 8] transposed on the way, bt [8, 16] as it is.
__global__ void __launch_bounds__(32) loaded_kernel(float* d, const bf16* a, const bf16* b, const bf16* bt) {
    LUFFY_DYNAMIC_SHARED(bf16, shared);
    bf16 *left_rows = shared, *right_rows = shared + 16 * 16, *right_columns = right_rows + 16 * 8;
    const int lane = static_cast<int>(threadIdx.x);
    copy_async_16(left_rows + lane * 8, a + lane * 8, true);
    copy_async_commit();
    if (lane < 16) {
        copy_async_16(right_rows + lane * 8, b + lane * 8, true);
        copy_async_16(right_columns + lane * 8, bt + lane * 8, true);
    }
    copy_async_commit();
    copy_async_wait<0>();
    __syncwarp();

    uint32_t left[4], right[2], direct[2];
    load_matrix_x4(left, left_rows + (lane % 16) * 16 + lane / 16 * 8);
    load_matrix_x2_transposed(right, right_rows + (lane % 16) * 8);
    load_matrix_x2(direct, right_columns + (lane % 8) * 16 + lane / 8 % 2 * 8);
    float sums[4] = {1, 1, 1, 1}, others[4] = {1, 1, 1, 1};
    mma_bf16(sums, left, right);
    mma_bf16(others, left, direct);
    for (int i = 0; i < 4; i++) {
        const int at = (lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2;
        d[at] = sums[i];
        d[16 * 8 + at] = others[i];
    }
}

// ldmatrix.x4.trans of four 8×8 matrices side by side: register j of a lane holds rows 2t and 2t + 1 of column g of matrix j.
__global__ void __launch_bounds__(32) transposed_kernel(uint32_t* result, const bf16* rows) {
    LUFFY_DYNAMIC_SHARED(bf16, shared);
    const int lane = static_cast<int>(threadIdx.x);
    store_vector(shared + lane * 8, load_vector<8>(rows + lane * 8));
    __syncwarp();
    uint32_t r[4];
    load_matrix_x4_transposed(r, shared + (lane % 8) * 32 + lane / 8 * 8);
    for (int i = 0; i < 4; i++) result[i * 32 + lane] = r[i];
}

// Two groups of copies under way at once; the second of every pair of rows is not valid and must become zeros.
__global__ void __launch_bounds__(64) pipeline_kernel(float* sums, const float* rows, int count) {
    LUFFY_DYNAMIC_SHARED(float, shared); // [3][64][4]
    const int thread = static_cast<int>(threadIdx.x);
    const auto begin = [&](int row) {
        if (row < count) copy_async_16(shared + (row % 3 * 64 + thread) * 4, rows + (row * 64 + thread) * 4, row % 2 == 0);
        copy_async_commit();
    };
    begin(0);
    begin(1);
    float sum = 0;
    for (int row = 0; row < count; row++) {
        copy_async_wait<1>();
        __syncthreads();
        // The stage that the row before last has left.
        begin(row + 2);
        for (int i = 0; i < 4; i++) sum += shared[(row % 3 * 64 + 63 - thread) * 4 + i];
    }
    sums[thread] = sum;
}

} // namespace

void test::matrix() {
    Array<float> d(2 * 16 * 8);
    Array<bf16> a(16 * 16), b(16 * 8), bt(8 * 16), rows(8 * 32);
    for (size_t i = 0; i < a.size(); i++) a[i] = to_bf16(whole_number(i));
    for (size_t k = 0; k < 16; k++) {
        for (size_t n = 0; n < 8; n++) b[k * 8 + n] = bt[n * 16 + k] = to_bf16(whole_number(1000 + k * 8 + n));
    }
    for (size_t i = 0; i < rows.size(); i++) rows[i] = {static_cast<uint16_t>(i)};
    a.upload(), b.upload(), bt.upload(), rows.upload();
    const auto product = [&](size_t at) {
        float sum = 1;
        for (size_t k = 0; k < 16; k++) sum += to_float(a[at / 8 * 16 + k]) * to_float(b[k * 8 + at % 8]);
        return sum;
    };

    require(launch(multiply_kernel, 1, 32, 0, d.device, a.device, b.device), "mma");
    d.download();
    for (size_t i = 0; i < 16 * 8; i++) expect(d[i] == product(i), "mma: element " + std::to_string(i));

    require(launch(loaded_kernel, 1, 32, (16 * 16 + 2 * 16 * 8) * sizeof(bf16), d.device, a.device, b.device, bt.device),
            "ldmatrix");
    d.download();
    for (size_t i = 0; i < 2 * 16 * 8; i++) expect(d[i] == product(i % 128), "ldmatrix: element " + std::to_string(i));

    Array<uint32_t> registers(4 * 32);
    require(launch(transposed_kernel, 1, 32, 8 * 32 * sizeof(bf16), registers.device, rows.device), "ldmatrix.trans");
    registers.download();
    for (size_t i = 0; i < registers.size(); i++) {
        const size_t lane = i % 32, column = i / 32 * 8 + lane / 4, row = 2 * (lane % 4);
        expect(registers[i] == ((row * 32 + column) | ((row + 1) * 32 + column) << 16),
               "ldmatrix.trans: register " + std::to_string(i));
    }

    constexpr int count = 7;
    Array<float> sums(64), values(count * 64 * 4);
    for (size_t i = 0; i < values.size(); i++) values[i] = whole_number(i);
    values.upload();
    require(launch(pipeline_kernel, 1, 64, 3 * 64 * 16, sums.device, values.device, count), "cp.async");
    sums.download();
    for (size_t thread = 0; thread < 64; thread++) {
        float sum = 0;
        for (size_t row = 0; row < count; row += 2) {
            for (size_t i = 0; i < 4; i++) sum += values[(row * 64 + 63 - thread) * 4 + i];
        }
        expect(sums[thread] == sum, "cp.async: thread " + std::to_string(thread));
    }
}
