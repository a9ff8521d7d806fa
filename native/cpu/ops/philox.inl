// The counter-based generator Philox4x32-10 (Salmon et al., SC'11), and Gumbel noise.

// Words of tokens `token` … `token` + 4·W − 1 in their order: token 4c + j takes word j of counter (c, key). token is a multiple
// of 4·W. The four words of a state live in the even lanes, and what the products leave in the odd ones does no harm there.
inline void philox(Integers (&words)[4], int64_t token, const int32_t* key, uint64_t seed) {
    const Integers first = add(counter_lanes(), broadcast(static_cast<int32_t>(token / 4)));
    Integers c0[2] = {first, add(first, broadcast(int32_t{W / 2}))};
    Integers c1[2] = {broadcast(key[0]), c1[0]}, c2[2] = {broadcast(key[1]), c2[0]}, c3[2] = {broadcast(key[2]), c3[0]};
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    const Integers m0 = broadcast(static_cast<int32_t>(0xD2511F53u)), m1 = broadcast(static_cast<int32_t>(0xCD9E8D57u));
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        const Integers key0 = broadcast(static_cast<int32_t>(k0)), key1 = broadcast(static_cast<int32_t>(k1));
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const Integers a = multiply_even(m0, c0[i]), b = multiply_even(m1, c2[i]);
            c0[i] = exclusive_or(exclusive_or(odd_to_even(b), c1[i]), key0);
            c1[i] = b;
            c2[i] = exclusive_or(exclusive_or(odd_to_even(a), c3[i]), key1);
            c3[i] = a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 2; i++) order_words(c0[i], c1[i], c2[i], c3[i], words[2 * i], words[2 * i + 1]);
}

// −ln(−ln u), u = (bits + ½)·2⁻²³, of the upper 23 bits of a word.
inline Vector gumbel(Integers bits) {
    const Vector u = mul(add(to_float(bits), broadcast(0.5f)), broadcast(1.0f / 8388608.0f));
    return sub(zero(), log(sub(zero(), log(u))));
}
