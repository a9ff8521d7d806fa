// A generator of pseudo-random numbers that gives the same ones everywhere (xorshift128), so that a corpus is the same each time.
export class Random {
  constructor(seed) {
    this.state = [seed | 1, 0x9e3779b9, 0x243f6a88, 0xb7e15162];
    for (let i = 0; i < 16; i++) this.next();
  }

  next() {
    const s = this.state;
    let t = s[3];
    t ^= t << 11;
    t ^= t >>> 8;
    s[3] = s[2];
    s[2] = s[1];
    s[1] = s[0];
    s[0] = (t ^ s[0] ^ (s[0] >>> 19)) | 0;
    return s[0] >>> 0;
  }

  /** A whole number from 0 to count − 1. */
  below(count) { return Math.floor(this.next() / 4294967296 * count); }

  /** A whole number from low to high, both possible. */
  between(low, high) { return low + this.below(high - low + 1); }

  pick(list) { return list[this.below(list.length)]; }

  chance(of) { return this.below(of) === 0; }
}
