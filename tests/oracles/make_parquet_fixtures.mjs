// Writes tests/fixtures/parquet: files by DuckDB and hyparquet-writer, and what hyparquet reads in them. Run by hand, in a folder where
// `npm install hyparquet hyparquet-compressors hyparquet-writer @duckdb/node-api` has been run:
//   node make_parquet_fixtures.mjs REPOSITORY/tests/fixtures/parquet
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// Packages are those of the current folder, wherever this script lies.
const require = createRequire(path.join(process.cwd(), 'x.js'))
const load = async (name) => import(pathToFileURL(require.resolve(name)))
const { DuckDBInstance } = await load('@duckdb/node-api')
const esm = async (name, file) => import(pathToFileURL(path.join(process.cwd(), 'node_modules', name, file)))
const { asyncBufferFromFile, parquetReadObjects } = await esm('hyparquet', 'src/node.js')
const { compressors } = await esm('hyparquet-compressors', 'src/index.js')
const { parquetWriteFile } = await esm('hyparquet-writer', 'src/node.js')

const out = process.argv[2]
fs.mkdirSync(out, { recursive: true })
const connection = await (await DuckDBInstance.create()).connect()

// Every shape that training data has, and where each part may be null or empty.
const select = (rows) => `SELECT
  CASE i % 3 WHEN 0 THEN 'aime' WHEN 1 THEN 'math' END AS data_source,
  [{'role': 'system', 'content': 'Think first.'}, {'role': 'user', 'content': 'Was ist ' || i || ' + 1? 数学 🙂'}] AS prompt,
  CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN [] ELSE [{'role': 'assistant', 'content': 'so\n</think>\n\\boxed{' || (i + 1) || '}'}] END AS target,
  CASE WHEN i % 7 = 6 THEN NULL ELSE {'ground_truth': CASE WHEN i % 11 = 10 THEN NULL ELSE (i + 1)::VARCHAR END, 'style': 'rule'} END AS reward_model,
  {'index': i, 'split': 'default'} AS extra_info,
  CASE WHEN i % 4 = 0 THEN NULL ELSE [CASE WHEN i % 2 = 0 THEN NULL ELSE 'trace ' || i END, '', 'b'] END AS generations,
  CASE WHEN i % 4 = 0 THEN NULL ELSE [i % 2 = 1, NULL, false] END AS correctness,
  [[i, NULL], [], NULL, [i * 2]] AS nested,
  [-0.5, -i / 7.0, NULL]::DOUBLE[] AS logprobs,
  i::FLOAT / 3 AS f32, -(i % 100)::TINYINT AS i8, (i * 1000)::UINTEGER AS u32, ((i % 1900) * 4611686018427387)::BIGINT AS i64, i % 2 = 0 AS flag
  FROM range(${rows}) t(i)`
for (const codec of ['snappy', 'gzip', 'zstd', 'uncompressed', 'brotli', 'lz4_raw'])
  // Three row groups in one of them.
  await connection.run(`COPY (${select(codec === 'zstd' ? 4500 : 120)}) TO '${out}/duckdb-${codec}.parquet' (FORMAT parquet, COMPRESSION ${codec}, ROW_GROUP_SIZE 2048)`)

const texts = Array.from({ length: 90 }, (_, i) => (i % 9 === 8 ? null : `row ${i % 5} é`))
const write = (name, options) => parquetWriteFile({
  filename: `${out}/${name}.parquet`, rowGroupSize: 40, ...options,
  columnData: [
    { name: 'question', data: texts.map((t, i) => t ?? `row ${i}`), type: 'STRING', nullable: false },
    { name: 'answer', data: texts, type: 'STRING' },
    { name: 'index', data: texts.map((_, i) => i), type: 'INT32', nullable: false },
    { name: 'score', data: texts.map((_, i) => (i % 4 ? i / 3 : null)), type: 'DOUBLE' },
  ],
})
write('writer-snappy', {})
write('writer-plain', { codec: 'UNCOMPRESSED' })
// Pages of version 2 with what Parquet.Net does not read in them: to be refused.
parquetWriteFile({ filename: `${out}/writer-flags.parquet`, columnData: [{ name: 'ok', data: texts.map((_, i) => i % 2 === 0), type: 'BOOLEAN', nullable: false }] })
parquetWriteFile({
  filename: `${out}/writer-list.parquet`,
  schema: [{ name: 'root', num_children: 1 }, { name: 'a', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 }, { name: 'element', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }],
  columnData: [{ name: 'a', data: [['x', 'y'], [], null, ['z']] }],
})

const plain = (v) => typeof v === 'bigint' ? (Number.isSafeInteger(Number(v)) ? Number(v) : { int64: v.toString() })
  : v instanceof Date ? v.toISOString() : Array.isArray(v) ? v.map(plain) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v ?? null
// Integers beyond 2^53 keep their digits.
const text = (row) => JSON.stringify(plain(row)).replace(/\{"int64":"(-?\d+)"\}/g, '$1')
let shared
for (const name of fs.readdirSync(out).filter((f) => f.endsWith('.parquet')).sort()) {
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(`${out}/${name}`), compressors })
  // Of the long file the rows around the ends of its row groups.
  const kept = rows.map((row, i) => [i + 1, row]).filter(([n]) => rows.length < 200 || n < 5 || Math.abs(n - 2048) < 3 || Math.abs(n - 4096) < 3 || n === rows.length)
  const golden = kept.map(([n, row]) => `{"row":${n},"value":${text(row)}}\n`).join('')
  if (name.startsWith('duckdb') && rows.length === 120) {
    // The same rows whatever the compression.
    if (golden !== (shared ??= golden)) throw new Error(`${name} differs`)
    fs.writeFileSync(`${out}/duckdb.jsonl`, golden)
  } else fs.writeFileSync(`${out}/${name.replace('.parquet', '.jsonl')}`, golden)
  console.log(name, rows.length, fs.statSync(`${out}/${name}`).size)
}
