// Fresh databases, a device that can count, and a small HTTP server that answers as the real one does.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counting } from '../src/counting.js'
import { tenantDatabase, type TenantDatabase } from '../src/db.js'
import type { DeliveryRecord, ItemRecord } from '../src/machine.js'
import { BatcherMachine, entropy } from '../src/machines.js'
import { Planning } from '../src/planning.js'
import type { Announcement, Refreshed, Token, TokenSource } from '../src/tokens.js'

export const SESSION = 'M100001'
let tenants = 0

export interface Bench {
  realm: string
  database: TenantDatabase
  batcher: BatcherMachine
  counting: Counting
  /** What was handed over. */
  sent: { batchId: string; body: string }[]
  planning: Planning
  /** How often the plan wanted to know how the server stands. */
  asked: { times: number }
}

/** A device of its own for each test. `handOver` may refuse. */
export async function bench(handOver: (batchId: string) => Promise<void> = () => Promise.resolve(), config = {}): Promise<Bench> {
  const realm = `tenant-${++tenants}-${Math.trunc(performance.now())}`
  const database = tenantDatabase(realm)
  const batcher = new BatcherMachine(config)
  const { device } = batcher.call('newDevice', { entropy: entropy() })
  await database.putDevice(device)
  const sent: Bench['sent'] = []
  const asked = { times: 0 }
  const planning = new Planning(database, batcher, {
    handOver: async (batchId, body) => {
      await handOver(batchId)
      sent.push({ batchId, body })
    },
    announce: () => undefined,
    ask: () => void (asked.times += 1),
    changed: () => undefined,
    refetch: () => undefined,
  })
  return { realm, database, batcher, counting: new Counting(database, batcher, 'counter'), sent, planning, asked }
}

/** One more of a product. */
export async function scan(counting: Counting, productId: string, quantity = 1): Promise<ItemRecord> {
  const { item } = await counting.count({
    inventoryCountImportId: SESSION,
    productId,
    productIdentifier: `code-${productId}`,
    count: { kind: 'add', quantity },
  })
  return item
}

interface Body {
  batchId: string
  deviceId: string
  items: { importItemSeqId: string; revision: number }[]
}

/** The receipt a server gives that took every item. */
export function receiptFor(text: string): string {
  const { batchId, deviceId, items } = JSON.parse(text) as Body
  return JSON.stringify({
    batchId,
    epoch: '0b9f4bd2-93c4-4c8e-9a0c-0d2d4f0c1a11',
    ledgerSeq: items.length,
    serverTime: new Date().toISOString(),
    items: items.map(({ importItemSeqId, revision }) => ({ importItemSeqId, outcome: 'applied', revision, deviceId })),
  })
}

/** The delivery as the courier leaves it when the server took everything. */
export async function answer({ database, sent }: Bench): Promise<DeliveryRecord> {
  const last = sent.at(-1)
  if (!last) throw new Error('nothing was handed over')
  const delivery = await database.deliveries.get(last.batchId)
  if (!delivery) throw new Error('the delivery is gone')
  const answered = { status: 200, body: receiptFor(last.body), at: Date.now(), replayed: false }
  const changed: DeliveryRecord = { ...delivery, state: 'answered', answer: answered, answeredAt: Date.now() }
  await database.deliveries.put(changed)
  return changed
}

export interface HttpServer {
  url: string
  requests: { headers: IncomingMessage['headers']; body: string }[]
  close(): Promise<void>
}

type Respond = (response: ServerResponse, body: string, count: number) => void

/** A real server on a free port; by default it takes every batch. */
export async function httpServer(respond: Respond = (response, body) => response.end(receiptFor(body))): Promise<HttpServer> {
  const requests: HttpServer['requests'] = []
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      requests.push({ headers: request.headers, body })
      response.setHeader('content-type', 'application/json')
      respond(response, body, requests.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Signed in, with a token that a test may look for where it must not be. */
export class SignedIn implements TokenSource {
  refreshes = 0

  constructor(
    private readonly realm: string,
    readonly accessToken = 'secret-token',
  ) {}

  current(): Token | null {
    return { accessToken: this.accessToken, realm: this.realm }
  }

  refresh(): Promise<Refreshed> {
    this.refreshes += 1
    return Promise.resolve({ result: 'ok', realm: this.realm })
  }

  announce(announcement: Announcement): Promise<string | null> {
    return Promise.resolve(announcement.deviceId ? new Date().toISOString() : null)
  }
}

/** Everything any IndexedDB database holds, as text. */
export async function storedText(): Promise<string> {
  const texts: string[] = []
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open(name)
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error ?? new Error('not opened'))
    })
    for (const store of database.objectStoreNames) {
      const rows = await new Promise<unknown[]>((resolve, reject) => {
        const reading = database.transaction(store).objectStore(store).getAll()
        reading.onsuccess = () => resolve(reading.result)
        reading.onerror = () => reject(reading.error ?? new Error('not read'))
      })
      texts.push(JSON.stringify(rows, (_, value: unknown) => (value instanceof ArrayBuffer ? new TextDecoder().decode(value) : value)))
    }
    database.close()
  }
  return texts.join('\n')
}

/** Waits, generously bounded, until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come true in 20 seconds')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
