// Compares luffy's tokenizers with Hugging Face's: ids of a large corpus, and what ids decode to.
//
//   node tokenizers.mjs --luffy FILE --work FOLDER [--quick] [--shared FOLDER] [--only NAME,…] [--judge-only]
//
// The judge is Hugging Face tokenizers (the Rust library that transformers in Python uses, by its Node binding). transformers.js is run beside it (its
// tokenizer library alone with --quick, the whole package without), and how often it differs from both is counted; README.md says why it does.
// --judge-only leaves transformers.js out, which takes most of the time.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import native from '@anush008/tokenizers';
import { collect } from './corpus.mjs';
import { families, specialTexts } from './families.mjs';
import { Random } from './random.mjs';

const { values: options } = parseArgs({ options: {
  luffy: { type: 'string' }, work: { type: 'string' }, shared: { type: 'string', default: '' }, only: { type: 'string', default: '' }, quick: { type: 'boolean', default: false }, 'judge-only': { type: 'boolean', default: false },
} });
const here = path.dirname(fileURLToPath(import.meta.url));
const shown = 5, longestForScript = 4000;

/** The lines that luffy answers, as parsed JSON, one at a time. */
async function* luffy(args) {
  const child = spawn(options.luffy, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise(resolve => child.on('close', resolve));
  for await (const line of readline.createInterface({ input: child.stdout, crlfDelay: 0 })) yield JSON.parse(line);
  if (await ended !== 0) throw new Error(`luffy ${args.join(' ')} failed`);
}

async function script(family) {
  if (options['judge-only']) return { encode: () => undefined, decode: () => undefined };
  if (options.quick) {
    const { Tokenizer } = await import('@huggingface/tokenizers');
    const tokenizer = new Tokenizer(family.tokenizer, family.config);
    return { encode: (text, special) => tokenizer.encode(text, { add_special_tokens: special }).ids, decode: (ids, how) => tokenizer.decode(ids, how) };
  }
  const { AutoTokenizer, env } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = path.resolve(options.work) + path.sep;
  const tokenizer = await AutoTokenizer.from_pretrained(family.name);
  return { encode: (text, special) => tokenizer.encode(text, { add_special_tokens: special }), decode: (ids, how) => tokenizer.decode(ids, how) };
}

class Comparison {
  constructor(name) { Object.assign(this, { name, compared: 0, different: 0, script: 0, scriptLeftOut: 0, examples: [], scriptExamples: [] }); }

  add(of, expected, found, byScript) {
    this.compared++;
    if (String(expected) !== String(found) && this.different++ < shown) this.examples.push({ of, expected, found });
    if (byScript === undefined) this.scriptLeftOut++;
    else if (String(byScript) !== String(expected) && this.script++ < shown) this.scriptExamples.push({ of, expected, byScript });
  }

  print() {
    console.log(`${this.name}: ${this.compared} compared, ${this.different} different; transformers.js differs from the judge on ${this.script}`
      + (this.scriptLeftOut ? ` (${this.scriptLeftOut} not asked)` : ''));
    for (const { of, expected, found } of this.examples) console.log(`  DIFFERENT ${brief(of)}\n    expected ${brief(expected)}\n    found    ${brief(found)}`);
    if (process.env.LUFFY_SHOW_SCRIPT) for (const { of, expected, byScript } of this.scriptExamples) console.log(`  js ${brief(of)}\n    judge ${brief(expected)}\n    js    ${brief(byScript)}`);
  }
}

function brief(value) {
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

const file = name => path.join(options.work, name);
const attempt = action => { try { return action(); } catch (error) { return `error: ${error.message}`; } };

/** What transformers in Python does to decoded text where it is asked to clean up; the Rust library has no such option. */
const cleanUp = text => [[' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [" 's", "'s"], [" 've", "'ve"], [" 're", "'re"]]
  .reduce((before, [from, to]) => before.replaceAll(from, to), text);

async function compareEncoding(name, texts, judge, other, directory, special) {
  const result = new Comparison(`${name}, encoding${special ? ' with special tokens added' : ''}`);
  const all = [];
  let at = 0;
  for await (const { ids } of luffy(['tokenize', '--tokenizer', directory, '--jsonl', '--input', file('texts.jsonl'), ...(special ? ['--add-special-tokens'] : [])])) {
    const text = texts[at++];
    const expected = (await judge.encode(text, null, { addSpecialTokens: special })).getIds();
    all.push(expected);
    result.add(text, expected, ids, text.length > longestForScript ? undefined : attempt(() => other.encode(Buffer.from(text).toString(), special)));
  }
  if (at !== texts.length) throw new Error(`luffy answered ${at} of ${texts.length} strings`);
  result.print();
  return [result, all];
}

async function compareDecoding(name, list, judge, other, directory, how, flags) {
  const result = new Comparison(`${name}, decoding ${flags.join(' ')}`);
  let at = 0;
  for await (const { text } of luffy(['tokenize', '--tokenizer', directory, '--decode', '--jsonl', '--input', file('ids.jsonl'), ...flags])) {
    const ids = list[at++];
    const byScript = ids.length > longestForScript || ids.length === 0 ? undefined : attempt(() => other.decode(ids, how));
    const decoded = await judge.decode(ids, how.skip_special_tokens);
    result.add(ids, how.clean_up_tokenization_spaces ? cleanUp(decoded) : decoded, text, byScript);
  }
  if (at !== list.length) throw new Error(`luffy answered ${at} of ${list.length} lists of ids`);
  result.print();
  return result;
}

function randomIds(random, vocabulary, count) {
  const ids = Object.values(vocabulary), bytes = Object.entries(vocabulary).filter(([token]) => [...token].length === 1 || /^<0x..>$/.test(token)).map(([, id]) => id);
  return Array.from({ length: count }, () => Array.from({ length: random.between(1, 12) }, () => (random.chance(2) ? random.pick(bytes) : random.pick(ids))));
}

const texts = [], sources = {};
for await (const { source, text } of collect({
  repository: path.join(here, '..', '..', '..'), shared: options.shared, tokens: specialTexts, generated: options.quick ? 2000 : 140000, every: options.quick ? 200 : 1, longest: options.quick ? 500 : 100000,
})) {
  texts.push(text);
  sources[source] = (sources[source] ?? 0) + 1;
}
fs.mkdirSync(options.work, { recursive: true });
const lines = (name, list) => fs.writeFileSync(file(name), list.map(item => JSON.stringify(item) + '\n').join(''));
console.log(`${texts.length} strings: ${Object.entries(sources).map(([source, count]) => `${count} ${source}`).join(', ')}`);

let different = 0, compared = 0;
for (const family of families(options.work, options.quick, options.only ? options.only.split(',') : [])) {
  const { name, directory, tokenizer } = family;
  const judge = native.Tokenizer.fromFile(path.join(directory, 'tokenizer.json'));
  const other = await script(family);
  // Half a surrogate pair is no text, and no file of UTF-8 can hold it: luffy is given U+FFFD, which the others make of it.
  lines('texts.jsonl', texts.map(text => ({ text: Buffer.from(text).toString() })));
  const [encoding, encoded] = await compareEncoding(name, texts, judge, other, directory, false);
  const some = texts.filter((_, i) => i % 100 === 0);
  lines('texts.jsonl', some.map(text => ({ text: Buffer.from(text).toString() })));
  const [special] = await compareEncoding(name, some, judge, other, directory, true);

  const added = tokenizer.added_tokens.map(t => t.id), random = new Random(7);
  const list = [...encoded, ...randomIds(random, tokenizer.model.vocab, options.quick ? 500 : 10000),
    ...Array.from({ length: options.quick ? 300 : 2000 }, () => Array.from({ length: random.between(1, 8) }, () => (random.chance(3) ? random.pick(added) : random.pick(random.pick(encoded)) ?? 0)))];
  lines('ids.jsonl', list.map(ids => ({ ids })));
  const plain = await compareDecoding(name, list, judge, other, directory, { skip_special_tokens: false, clean_up_tokenization_spaces: false }, []);
  const sample = list.filter((_, i) => i % 10 === 0 || i >= encoded.length);
  lines('ids.jsonl', sample.map(ids => ({ ids })));
  const skipping = await compareDecoding(name, sample, judge, other, directory, { skip_special_tokens: true, clean_up_tokenization_spaces: false }, ['--skip-special-tokens']);
  const cleaning = await compareDecoding(name, sample, judge, other, directory, { skip_special_tokens: true, clean_up_tokenization_spaces: true }, ['--skip-special-tokens', '--clean-up-spaces']);
  for (const result of [encoding, special, plain, skipping, cleaning]) {
    different += result.different;
    compared += result.compared;
  }
}
console.log(`tokenizers: ${compared} comparisons, ${different} different`);
process.exitCode = different || !compared ? 1 : 0;
