// Writes a .br and a .gz beside every file of the built app that gains by it: the server sends these as they are, so
// the best compression costs a visitor nothing. Called with the folder by `cargo xtask web`.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import zlib from 'node:zlib'

const SMALLEST_BYTES = 1024
const TEXT_AND_CODE = /\.(css|html|js|json|svg|txt|wasm|webmanifest)$/
const FORMS = {
  '.br': promisify(zlib.brotliCompress),
  '.gz': (content) => promisify(zlib.gzip)(content, { level: 9 }),
}

const folder = process.argv[2]
const names = await readdir(folder, { recursive: true })
await Promise.all(names.filter((name) => TEXT_AND_CODE.test(name)).map(async (name) => {
  const content = await readFile(join(folder, name))
  if (content.length < SMALLEST_BYTES) return
  for (const [ending, compress] of Object.entries(FORMS)) {
    const compressed = await compress(content)
    if (compressed.length < content.length) await writeFile(join(folder, name + ending), compressed)
  }
}))
