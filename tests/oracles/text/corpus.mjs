// Strings to encode: what people train on, and what breaks tokenizers. Deterministic; see collect().
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { Random } from './random.mjs';

const scripts = [[0x20, 0x7e], [0xa0, 0xff], [0x100, 0x24f], [0x250, 0x2ff], [0x370, 0x3ff], [0x400, 0x52f], [0x531, 0x58f], [0x591, 0x5f4],
  [0x600, 0x6ff], [0x710, 0x74f], [0x780, 0x7b1], [0x904, 0x97f], [0x985, 0x9fe], [0xa05, 0xa76], [0xa85, 0xaf1], [0xb85, 0xbfa], [0xc05, 0xc7f],
  [0xd05, 0xd7f], [0xe01, 0xe5b], [0xe81, 0xedf], [0xf00, 0xfda], [0x1000, 0x109f], [0x10a0, 0x10ff], [0x1100, 0x11ff], [0x1200, 0x139f],
  [0x13a0, 0x13f5], [0x16a0, 0x16f8], [0x1780, 0x17f9], [0x1820, 0x18aa], [0x1e00, 0x1eff], [0x1f00, 0x1ffe], [0x2000, 0x206f], [0x2070, 0x20bf],
  [0x2100, 0x218b], [0x2190, 0x23ff], [0x2460, 0x24ff], [0x2500, 0x27bf], [0x2800, 0x28ff], [0x2e80, 0x2fd5], [0x3000, 0x303f], [0x3041, 0x30ff],
  [0x3131, 0x318e], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4c6], [0xac00, 0xd7a3], [0xf900, 0xfaff], [0xfb00, 0xfdff], [0xfe20, 0xfe6b],
  [0xff01, 0xffee], [0x10300, 0x1034a], [0x10400, 0x1049d], [0x12000, 0x12399], [0x13000, 0x1342e], [0x1d100, 0x1d1e8], [0x1d400, 0x1d7ff],
  [0x1f300, 0x1f64f], [0x1f680, 0x1f6ff], [0x1f900, 0x1f9ff], [0x20000, 0x2a6df], [0xe0020, 0xe007f], [0xe000, 0xf8ff]];
const emoji = [...'😀😃🤣😍👍👋🙏👩👨👧👦🧑🏳🏴❤☠✈⚕🌈💻🚀🐈🦮☎♀♂'];
const joiners = ['\u200d', '\ufe0f', '\ufe0e', '\u20e3', '🏻', '🏼', '🏽', '🏾', '🏿', '🇩', '🇪', '🇺🇸'];
const marks = [[0x300, 0x36f], [0x483, 0x489], [0x591, 0x5bd], [0x64b, 0x65f], [0x93c, 0x94d], [0xe34, 0xe3a], [0x1dc0, 0x1dff], [0x20d0, 0x20f0], [0x3099, 0x309a], [0xfe20, 0xfe2f], [0x1d165, 0x1d169]];
const spaces = [' ', ' ', ' ', '  ', '\t', '\n', '\n', '\r', '\r\n', '\v', '\f', '\u0085', '\u00a0', '\u1680', '\u180e', '\u2003', '\u2009', '\u200b', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\ufeff', '\u001c', '\u001f', '▁', '▁▁'];
const contractions = ["'s", "'S", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'Ve", "'m", "'M", "'ll", "'LL", "'d", "'D", '’s', '’ll', "n't", "'ſ", "'S'", "''s", " 's", "'x", "'"];
const words = ['the', 'The', 'THE', ' number', 'hours', 'apples', 'sum', 'naïve', 'Größe', 'Straße', 'ǅungla', 'İstanbul', 'ﬁn', 'Å', '中文', '日本語', '한국어', 'हिन्दी', 'ไทย', 'العربية', 'עברית', 'Привет', 'x', 'camelCaseWord', 'snake_case', 'HTTPServer', 'e\u0301t\u0301', '𝒳𝓎', '𐐀𐐨', 'Ⅷ', '²', '½', '٣٤٥', '४५', '一二三'];
const code = ['def f(x):\n    return x + 1\n', '{"a": [1, 2.5e-3, null]}', 'for (int i = 0; i < n; ++i) {\n\t\ta[i] *= 2;\n\t}', 'https://example.org/a/b?c=d&e=%20f#g', '\\frac{1}{2}\\boxed{42}', '$x^2 + y^2 = z^2$', '<div class="a">b</div>', '#!/bin/sh\n\techo "$@"\n', 'SELECT * FROM t WHERE a <> \'b\';', '0x1F3A', '1,234,567.89', '3.14159', 'a.b.c-d_e', '===', '!==', '->', '::', '/*', '*/', '//', '```python\n', '\\n', '&nbsp;'];

const point = (random, [low, high]) => String.fromCodePoint(random.between(low, high));
const repeat = (count, make) => Array.from({ length: count }, make).join('');

/** Kinds of strings; each takes the generator of numbers and the texts of special tokens. */
const kinds = {
  script(random) {
    const range = random.pick(scripts);
    return repeat(random.between(1, 5), () => repeat(random.between(1, 7), () => point(random, range)) + random.pick([' ', '', '. ', '\n', ', ']));
  },
  scripts(random) { return repeat(random.between(2, 30), () => (random.chance(5) ? random.pick(spaces) : point(random, random.pick(scripts)))); },
  emoji(random) { return repeat(random.between(1, 12), () => random.pick(random.chance(3) ? joiners : emoji) + (random.chance(4) ? '\u200d' : '') + (random.chance(6) ? ' a' : '')); },
  marks(random) { return repeat(random.between(1, 8), () => point(random, random.pick(scripts)) + repeat(random.below(5), () => point(random, random.pick(marks)))); },
  control(random) { return repeat(random.between(1, 20), () => (random.chance(2) ? String.fromCodePoint(random.pick([random.below(32), random.between(0x7f, 0x9f), random.between(0x200b, 0x200f), random.between(0x202a, 0x202e), random.between(0xfff9, 0xfffd)])) : random.pick(words))); },
  bytes(random) { return Buffer.from(Array.from({ length: random.between(1, 40) }, () => random.below(256))).toString('utf8'); },
  brokenText(random) {
    const bytes = [...Buffer.from(repeat(random.between(1, 10), () => random.pick([random.pick(words), random.pick(emoji), point(random, random.pick(scripts))])))];
    for (let i = random.between(1, 4); i > 0; i--) bytes.splice(random.below(bytes.length), 1);
    return Buffer.from(bytes).toString('utf8');
  },
  units(random) { return repeat(random.between(1, 20), () => String.fromCharCode(random.chance(3) ? random.between(0xd800, 0xdfff) : random.below(65536))); },
  points(random) { return repeat(random.between(1, 16), () => String.fromCodePoint(random.pick([random.below(0x800), random.below(0x10000), random.below(0x32000), random.below(0x110000)]))); },
  white(random) { return repeat(random.between(1, 12), () => (random.chance(4) ? random.pick(words) : repeat(random.chance(6) ? random.between(4, 90) : 1, () => random.pick(spaces)))); },
  contractions(random) { return repeat(random.between(1, 10), () => random.pick([random.pick(words), random.pick(contractions), random.pick(contractions), random.pick(spaces)])); },
  numbers(random) { return repeat(random.between(1, 10), () => random.pick([String(random.below(10 ** random.between(1, 9))), ',', '.', ' ', '-', '%', '$', '/', '٣', '४२', '²', '½', 'Ⅳ', '１２', '𝟙𝟚', '十'])); },
  code(random) { return repeat(random.between(1, 6), () => random.pick(code) + random.pick(['', ' ', '\n', '\n\n    ', '\t'])); },
  mixed(random) { return repeat(random.between(1, 14), () => random.pick([random.pick(words), random.pick(spaces), random.pick(contractions), random.pick(code), String(random.below(100000)), point(random, random.pick(scripts)), random.pick(['!', '?!', '...', '(', ')"', '—', '«', '…', '_', '~~'])])); },
  special(random, tokens) {
    return repeat(random.between(1, 8), () => {
      const token = random.pick(tokens);
      return random.pick([token, token, ` ${token} `, `${token}${token}`, token.slice(0, -1), token.slice(1), token.toUpperCase(), `${token[0]} ${token.slice(1)}`, `\n${token}\n\n`, `a${token}b`, token + "'s", token + '\u0301', random.pick(words), random.pick(spaces), '<|', '|>', '<0x41>', '<0xE4>', '[INST]', '<s', '</s>', '<|reserved_special_token_7|>', '<｜', '▁']);
    });
  },
  base64(random) { return Buffer.from(Array.from({ length: random.between(1, 200) }, () => random.below(256))).toString(random.pick(['base64', 'hex'])); },
};

const shares = { script: 12, scripts: 12, emoji: 8, marks: 10, control: 8, bytes: 14, brokenText: 6, units: 6, points: 10, white: 10, contractions: 8, numbers: 8, code: 6, mixed: 16, special: 14, base64: 2 };

function* long(random, longest) {
  const atoms = ['a', ' ', '\n', '\t', '=', '-', '中', '😀', 'e\u0301', 'ab', '=-', ' a', '\u200d', '0', "'s", '▁', '\u0301', '.\n', '\u0000', 'é', 'Ġ', '가', '\ufffd'];
  for (const length of [50, 500, 3000, 20000].filter(n => n <= longest)) for (const atom of atoms) yield atom.repeat(Math.ceil(length / atom.length));
  for (const length of [2000, 20000, 100000].filter(n => n <= longest)) {
    yield repeat(length, () => String.fromCharCode(random.between(97, 122)));
    yield repeat(length / 5, () => random.pick(words) + random.pick(spaces));
    yield repeat(length / 2, () => point(random, random.pick(scripts)));
    yield repeat(length, () => random.pick('0123456789'));
  }
}

/** Every string of the Parquet file, the texts inside lists and structures too. */
async function* parquetTexts(file) {
  function* texts(value) {
    if (typeof value === 'string') yield value;
    else if (value && typeof value === 'object') for (const inner of Object.values(value)) yield* texts(inner);
  }
  for (const row of await parquetReadObjects({ file: await asyncBufferFromFile(file) })) yield* texts(row);
}

/**
 * The strings, without doubles, each with where it comes from: { source, text }.
 * @param repository the repository's root, whose tracked text files are read, whole and by lines
 * @param shared a folder with data/gsm8k and data/luffy; '' where there is none
 * @param generated how many strings to make up
 * @param longest of how many characters the longest string may be
 * @param every keep one of so many of what is read from files
 */
export async function* collect({ repository, shared, tokens, generated, every = 1, longest, seed = 20261123 }) {
  const seen = new Set();
  let read = 0;
  const fresh = text => !seen.has(text) && seen.add(text) && true;
  const kept = text => fresh(text) && read++ % every === 0;

  for (const text of ['', ' ', '\n', '▁', ...tokens]) if (fresh(text)) yield { source: 'fixed', text };
  const gsm = path.join(shared, 'data', 'gsm8k');
  if (shared && fs.existsSync(gsm)) {
    for (const part of ['train', 'test']) {
      for (const line of fs.readFileSync(path.join(gsm, `${part}.jsonl`), 'utf8').split('\n').filter(Boolean)) {
        const { question, answer } = JSON.parse(line);
        for (const text of [question, answer, `${question}\n${answer}`]) if (kept(text)) yield { source: 'gsm8k', text };
      }
    }
  } else console.log('left out: GSM8K, which is not here (LUFFY_SHARED)');
  const benchmarks = path.join(shared, 'data', 'luffy');
  if (shared && fs.existsSync(benchmarks)) {
    for (const name of fs.readdirSync(benchmarks).filter(f => f.endsWith('.parquet')).sort())
      for await (const text of parquetTexts(path.join(benchmarks, name))) if (kept(text)) yield { source: 'benchmarks', text };
  } else console.log('left out: the benchmark files, which are not here (LUFFY_SHARED)');
  for (const file of execFileSync('git', ['-C', repository, 'ls-files', '-z'], { encoding: 'utf8', maxBuffer: 1 << 26 }).split('\0')) {
    if (!/\.(cs|cpp|cu|h|inl|c|py|mjs|md|sh|yaml|txt|json|jsonl)$/.test(file)) continue;
    const text = fs.readFileSync(path.join(repository, file), 'utf8');
    if (text.length < 200000 && kept(text)) yield { source: 'code, whole files', text };
    for (const line of text.split('\n')) if (line.length < 2000 && kept(line)) yield { source: 'code, lines', text: line };
  }
  const random = new Random(seed);
  for (const text of long(random, longest)) if (fresh(text)) yield { source: 'long', text };
  const wheel = Object.entries(shares).flatMap(([kind, share]) => Array(share).fill(kind));
  for (let made = 0; made < generated;) {
    const kind = random.pick(wheel), text = kinds[kind](random, tokens);
    if (!fresh(text)) continue;
    made++;
    yield { source: kind, text };
  }
}
