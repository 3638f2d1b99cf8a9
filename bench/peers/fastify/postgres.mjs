// Fastify and pg: one UNNEST upsert per batch, on a pool of connections. No sign-in, no history, no validation beyond JSON.
import Fastify from 'fastify'
import pg from 'pg'

const [socket, database] = process.argv.slice(2)
const pool = new pg.Pool({ host: socket, database, user: 'ginti', max: 8 })
await pool.query(`CREATE TABLE IF NOT EXISTS item (session text, item_seq text, revision bigint, device text, product text,
  quantity numeric, counted_at timestamptz, counted_by text, PRIMARY KEY (session, item_seq))`)
const text = `INSERT INTO item
  SELECT $1, item_seq, revision, $2, product, quantity, counted_at, counted_by
  FROM UNNEST($3::text[], $4::bigint[], $5::text[], $6::numeric[], $7::timestamptz[], $8::text[])
    AS given (item_seq, revision, product, quantity, counted_at, counted_by)
  ORDER BY item_seq
  ON CONFLICT (session, item_seq) DO UPDATE SET revision = excluded.revision, device = excluded.device, product = excluded.product,
    quantity = excluded.quantity, counted_at = excluded.counted_at, counted_by = excluded.counted_by
  WHERE excluded.revision > item.revision
  RETURNING item_seq`

const app = Fastify({ bodyLimit: 1_048_576 })
app.post('/import', async (request) => {
  const { batchId, deviceId, inventoryCountImportId, items } = request.body
  const column = (name) => items.map((item) => item[name])
  const { rows } = await pool.query({
    name: 'import',
    text,
    values: [
      inventoryCountImportId,
      deviceId,
      ...['importItemSeqId', 'revision', 'productId', 'quantity', 'countedAt', 'countedByUserLoginId'].map(column),
    ],
  })
  const applied = new Set(rows.map((row) => row.item_seq))
  return {
    batchId,
    items: items.map(({ importItemSeqId }) => ({ importItemSeqId, outcome: applied.has(importItemSeqId) ? 'applied' : 'superseded' })),
  }
})
await app.listen({ port: 0, host: '127.0.0.1' })
console.log(`listening on ${app.server.address().port}`)
