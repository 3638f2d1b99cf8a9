// Fastify and better-sqlite3. `--group`: batches that arrive together share a transaction. Durable before the answer either way:
// write-ahead log, synchronous=FULL. No sign-in, no history, no validation beyond JSON: less than Ginti does.
import Database from 'better-sqlite3'
import Fastify from 'fastify'

const [path, mode] = process.argv.slice(2)
const database = new Database(path)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')
database.exec(`CREATE TABLE IF NOT EXISTS item (session TEXT, item_seq TEXT, revision INTEGER, device TEXT, product TEXT, quantity REAL,
  counted_at TEXT, counted_by TEXT, PRIMARY KEY (session, item_seq)) WITHOUT ROWID`)
const upsert = database.prepare(`INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET revision = excluded.revision, device = excluded.device, product = excluded.product,
    quantity = excluded.quantity, counted_at = excluded.counted_at, counted_by = excluded.counted_by
  WHERE excluded.revision > item.revision`)

const take = ({ batchId, deviceId, inventoryCountImportId, items }) => ({
  batchId,
  items: items.map(({ importItemSeqId, revision, productId, quantity, countedAt, countedByUserLoginId }) => ({
    importItemSeqId,
    outcome:
      upsert.run(inventoryCountImportId, importItemSeqId, revision, deviceId, productId, quantity, countedAt, countedByUserLoginId)
        .changes > 0
        ? 'applied'
        : 'superseded',
  })),
})
const one = database.transaction(take)
const all = database.transaction((waiting) => waiting.map(({ batch }) => take(batch)))

let waiting = []
function inGroup(batch) {
  return new Promise((resolve) => {
    waiting.push({ batch, resolve })
    if (waiting.length === 1) {
      setImmediate(() => {
        const group = waiting
        waiting = []
        const receipts = all(group)
        group.forEach(({ resolve: answer }, at) => answer(receipts[at]))
      })
    }
  })
}

const app = Fastify({ bodyLimit: 1_048_576 })
app.post('/import', (request) => (mode === '--group' ? inGroup(request.body) : one(request.body)))
await app.listen({ port: 0, host: '127.0.0.1' })
console.log(`listening on ${app.server.address().port}`)
