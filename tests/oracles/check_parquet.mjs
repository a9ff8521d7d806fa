// Compares every value of Parquet files as `luffy data rows` prints them with what hyparquet reads. Run by hand, in a folder where
// `npm install hyparquet hyparquet-compressors` has been run:
//   node check_parquet.mjs REPOSITORY/luffy FILE…
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const esm = async (name, file) => import(pathToFileURL(path.join(process.cwd(), 'node_modules', name, file)))
const { asyncBufferFromFile, parquetReadObjects } = await esm('hyparquet', 'src/node.js')
const { compressors } = await esm('hyparquet-compressors', 'src/index.js')

let values = 0, differences = 0
const plain = (v) => typeof v === 'bigint' ? Number(v) : v instanceof Date ? v.toISOString() : v ?? null
function compare(a, b, where) {
  [a, b] = [plain(a), plain(b)]
  if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object') {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) compare(a[key], b[key], `${where}.${key}`)
    return
  }
  values++
  if (a === b) return
  if (differences++ < 10) console.log('differs', where, a, b)
}

const [luffy, ...files] = process.argv.slice(2)
for (const name of files) {
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(name), compressors })
  const lines = execFileSync(luffy, ['data', 'rows', name], { maxBuffer: 2 ** 30 }).toString().split('\n').filter(Boolean)
  if (rows.length !== lines.length) { differences++; console.log('rows', name, rows.length, lines.length) }
  rows.forEach((row, i) => compare(row, JSON.parse(lines[i] ?? 'null'), `${path.basename(name)}[${i}]`))
}
console.log(`${values} values, ${differences} differences`)
process.exit(differences ? 1 : 0)
