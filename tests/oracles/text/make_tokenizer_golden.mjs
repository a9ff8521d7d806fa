// Makes the golden tokenizer fixtures of Luffy.Engine.Tests:
//
//   npm ci --ignore-scripts
//   node make_tokenizer_golden.mjs OUTPUT [QWEN_TOKENIZER_DIRECTORY]
//
// Three tiny byte-level tokenizers (a Qwen2-like, a Llama-3-like with a few odd added tokens, and one without merges) and two over characters with
// bytes to fall back on (a Llama-2-like by normalisers, a Mistral-like by a Metaspace pre-tokenizer), each with strings and
// their ids; and, where the real Qwen2.5 tokenizer is given, ids for it. Ids come from Hugging Face tokenizers (the Rust library,
// through its Node binding) and are compared with transformers.js; a disagreement is printed, and the Rust library's ids are kept.
import fs from 'node:fs';
import path from 'node:path';
import native from '@anush008/tokenizers';
import { AutoTokenizer, env } from '@huggingface/transformers';

const [output, qwen] = process.argv.slice(2);
env.allowRemoteModels = false;

const letters = [];
for (let b = 0, next = 256; b < 256; b++)
  letters.push(String.fromCharCode((b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae ? b : next++));

const qwenPattern = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llamaPattern = qwenPattern.replace('|\\p{N}|', '|\\p{N}{1,3}|');
const corpus = `the answer is the sum of the two numbers. then we add them: so the total is 12 and the rest is 345.
she sold the apples at the market in the morning, and in the evening there were seven left; that's what they're for.
let x be the number of hours. the train travels x times the speed, so we multiply and then divide by the time.`;

function train(count) {
  // The corpus in words with their leading space, pairs counted and merged greedily; ties go to the first in spelling.
  const words = corpus.match(/ ?[A-Za-z]+/g).map(w => [...Buffer.from(w)].map(b => letters[b]));
  const merges = [];
  while (merges.length < count) {
    const counts = new Map();
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) counts.set(`${w[i]} ${w[i + 1]}`, (counts.get(`${w[i]} ${w[i + 1]}`) ?? 0) + 1);
    const best = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    if (!best) break;
    merges.push(best[0]);
    const [l, r] = best[0].split(' ');
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) if (w[i] === l && w[i + 1] === r) w.splice(i, 2, l + r);
  }
  return merges;
}

/** A tokenizer over characters: merges of the corpus with ▁ for spaces, and a token for each byte. */
function makeCharacterTokenizer(name, count, parts) {
  const merges = [];
  const words = corpus.replace(/\n/g, ' ').split(' ').map(w => [...('▁' + w)]);
  while (merges.length < count) {
    const counts = new Map();
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) counts.set(`${w[i]} ${w[i + 1]}`, (counts.get(`${w[i]} ${w[i + 1]}`) ?? 0) + 1);
    const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    merges.push(best);
    const [l, r] = best.split(' ');
    for (const w of words) for (let i = 0; i + 1 < w.length; i++) if (w[i] === l && w[i + 1] === r) w.splice(i, 2, l + r);
  }
  const vocab = { '<unk>': 0, '<s>': 1, '</s>': 2 };
  for (let b = 0; b < 256; b++) vocab[`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`] = 3 + b;
  for (const piece of ['▁', ...new Set(corpus.replace(/\s/g, '')), ...'éÅΩ中文Ġ', ...merges.map(m => m.replace(' ', ''))]) vocab[piece] ??= Object.keys(vocab).length;
  const base = Object.keys(vocab).length;
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
  const added = [['<unk>', 0], ['<s>', 1], ['</s>', 2]].map(([content, id]) => ({ ...flags, id, content, special: true }));
  added.push({ ...flags, id: base, content: '<norm>', normalized: true }, { ...flags, id: base + 1, content: '[INST]', special: true, rstrip: true });
  const special = id => ({ SpecialToken: { id, type_id: 0 } });
  return save(name, {
    version: '1.0', truncation: null, padding: null, added_tokens: added, normalizer: null, pre_tokenizer: null,
    post_processor: { type: 'TemplateProcessing', single: [special('<s>'), { Sequence: { id: 'A', type_id: 0 } }], pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } } },
    model: { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, vocab, merges },
    ...parts,
  }, '</s>');
}

const replaceMark = { type: 'Replace', pattern: { String: '▁' }, content: ' ' }, strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };

function makeTokenizer(name, { merges, pattern, normalizer, ignoreMerges, pairs, tokens, eos, extraWords = [] }) {
  const vocab = {};
  for (const letter of letters) vocab[letter] = Object.keys(vocab).length;
  for (const merge of merges) vocab[merge.replace(' ', '')] = Object.keys(vocab).length;
  for (const word of extraWords) vocab[word] = Object.keys(vocab).length;
  const base = Object.keys(vocab).length;
  const added = tokens.map((t, i) => ({ id: base + i, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...t }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const file = {
    version: '1.0', truncation: null, padding: null, added_tokens: added, normalizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, byteLevel] },
    post_processor: byteLevel, decoder: byteLevel,
    model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false, byte_fallback: false,
      ignore_merges: ignoreMerges, vocab, merges: pairs ? merges.map(m => m.split(' ')) : merges },
  };
  return save(name, file, eos);
}

function save(name, file, eos) {
  const directory = path.join(output, name);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, 'tokenizer.json'), JSON.stringify(file, null, 1) + '\n');
  fs.writeFileSync(path.join(directory, 'tokenizer_config.json'),
    JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: eos, clean_up_tokenization_spaces: false }, null, 1) + '\n');
  return directory;
}

let seed = 20261123;
const random = n => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return Math.floor(seed / 4294967296 * n); };

function strings(tokens) {
  const fixed = ['', ' ', '\n', "the answer is 42", "They'RE there; it's 1,234.50!", 'a  b\t\tc \n\n d\r\n', '   ', 'x = y\n\n\n  return',
    'e\u0301\u0327 \u212b \ufb01 \u1100\u1161\u11a8 \uac00\u11a7 \u0958', '中文，日本語 한국어', '𝒳² + 𝟙 = 😀🏳️‍🌈 𠀀', "he'ſ \u212a", '\u00a0\u3000\u2028\u0085\u200b\ufeffa',
    '\u0000\u0001\u007f', 'שלום مرحبا हिन्दी ไทย', '\\boxed{\\frac{1}{2}}', '<think>\nso\n</think>', 'a'.repeat(300), ' '.repeat(120), 'the'.repeat(60)];
  for (const t of tokens) fixed.push(t, `a ${t} b`, `x${t}\n${t}${t}y`, t.slice(0, -1), `  ${t}  `);
  const pools = ['abcdeTHS', '0123456789', ' \t\n\r', '\u00a0\u3000\u2028', "'stremvld", 'éÅΩ中文한ひ', 'e\u0301\u0327a\u030a', '𝒳😀𠀀𐐀𝟙🄀', '²½Ⅷ٣', '!#$%^&*()+-=[]{}|;:,.<>/?\\"`~'];
  for (let i = 0; i < 150; i++) {
    let s = '';
    for (let k = 1 + random(8); k > 0; k--) {
      const r = random(12);
      if (r === 0) s += tokens[random(tokens.length)];
      else if (r === 1) s += [' the', " that's", ' 12345', '\n\n', '  '][random(5)];
      else { const pool = [...pools[random(pools.length)]]; for (let j = 1 + random(4); j > 0; j--) s += pool[random(pool.length)]; }
    }
    fixed.push(s);
  }
  return fixed;
}

async function golden(directory, file, tokens, broken = 0) {
  const rust = native.Tokenizer.fromFile(path.join(directory, 'tokenizer.json'));
  env.localModelPath = path.dirname(path.resolve(directory)) + path.sep;
  const script = await AutoTokenizer.from_pretrained(path.basename(directory));
  const lines = [];
  let different = 0;
  // Bytes that are no text, and halves of characters, which no text encodes to.
  for (const ids of broken ? Array.from({ length: 60 }, () => Array.from({ length: 1 + random(9) }, () => random(broken))) : [])
    lines.push(JSON.stringify({ ids, decoded: await rust.decode(ids, false) }));
  for (const text of strings(tokens)) {
    const ids = [...(await rust.encode(text, null, { addSpecialTokens: false })).getIds()];
    const other = script.encode(text, { add_special_tokens: false });
    if (String(ids) !== String(other) && different++ < 5) console.log(`${file}: transformers.js differs on ${JSON.stringify(text)}: ${other} for ${ids}`);
    const around = (await rust.encode(text, null, { addSpecialTokens: true })).getIds();
    lines.push(JSON.stringify({ text, ids, decoded: await rust.decode(ids, false), ...(around.length > ids.length ? { around } : {}) }));
  }
  fs.writeFileSync(path.join(output, file), lines.join('\n') + '\n');
  console.log(`${file}: ${lines.length} strings, transformers.js differs on ${different}`);
}

const merges = train(120);
const chat = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const think = [...chat, '<think>', '</think>'];
await golden(makeTokenizer('tiny-qwen', {
  merges, pattern: qwenPattern, normalizer: { type: 'NFC' }, ignoreMerges: false, pairs: false, eos: '<|im_end|>',
  tokens: think.map(content => ({ content, special: content.includes('|') })),
}), 'tiny-qwen.jsonl', think);
const odd = [
  { content: '<|begin_of_text|>' }, { content: '<|eot_id|>' }, { content: '<left>', lstrip: true }, { content: '<right>', rstrip: true },
  { content: 'word', special: false, single_word: true }, { content: '<norm>', special: false, normalized: true }, { content: '<norm> long', special: false, normalized: true },
];
await golden(makeTokenizer('tiny-llama3', {
  merges, pattern: llamaPattern, normalizer: null, ignoreMerges: true, pairs: true, eos: { __type: 'AddedToken', content: '<|eot_id|>' }, tokens: odd, extraWords: ['Ġzebra', 'zebra', '123'],
}), 'tiny-llama3.jsonl', [...odd.map(t => t.content), 'zebra', '123']);
await golden(makeTokenizer('bytes-only', {
  merges: [], pattern: qwenPattern, normalizer: null, ignoreMerges: false, pairs: false, eos: '<|endoftext|>', tokens: chat.map(content => ({ content })),
}), 'bytes-only.jsonl', chat);
const marks = ['<s>', '</s>', '<unk>', '<norm>', '[INST]', '▁', '<0x41>'];
await golden(makeCharacterTokenizer('tiny-llama2', 60, {
  normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, { type: 'Replace', pattern: { String: ' ' }, content: '▁' }] },
  decoder: { type: 'Sequence', decoders: [replaceMark, { type: 'ByteFallback' }, { type: 'Fuse' }, strip] },
}), 'tiny-llama2.jsonl', marks, 300);
await golden(makeCharacterTokenizer('tiny-mistral', 60, {
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
  decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true }] },
}), 'tiny-mistral.jsonl', marks, 300);
if (qwen) await golden(qwen, 'qwen2.5.jsonl', think);
