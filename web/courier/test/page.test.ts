import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Counting } from '../src/counting.js'
import { theDeviceDatabase, type TenantDatabase } from '../src/db.js'
import type { ItemRecord } from '../src/machine.js'
import { CUSTODY_HEADER } from '../src/messages.js'
import { CourierPage } from '../src/page.js'
import { BatcherMachine, entropy } from '../src/machines.js'
import { cursorKey } from '../src/planning.js'
import { BatchQueue } from '../src/queue.js'
import type { Announcement } from '../src/tokens.js'
import { httpServer, scan, SESSION, SignedIn, until, type HttpServer } from './helpers.js'

const EPOCH = '0b9f4bd2-93c4-4c8e-9a0c-0d2d4f0c1a11'
const closing: (() => unknown)[] = []
let tenants = 0

beforeEach(() => {
  Object.assign(globalThis, { document: Object.assign(new EventTarget(), { hidden: false }), location: { href: 'http://127.0.0.1/' } })
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  vi.unstubAllGlobals()
  // Queue and courier's memory are the device's, shared by all tests.
  const queue = new BatchQueue()
  for (const { id } of await queue.all()) await queue.delete(id)
  const record = await theDeviceDatabase().courier()
  if (record) await theDeviceDatabase().putCourier({ ...record, failures: 0, notBefore: 0, retryAfterUntil: 0 })
})

async function openPage(server: HttpServer, tokens: (tenantId: string) => SignedIn = (tenantId) => new SignedIn(tenantId)) {
  const tenantId = `page-${++tenants}`
  const source = tokens(tenantId)
  const page = new CourierPage({ tenantId, userLoginId: 'counter', tokens: source, wasm: new Uint8Array(), baseUrl: server.url })
  await page.database.putDevice(new BatcherMachine().call('newDevice', { entropy: entropy() }).device)
  closing.push(() => page.stop(), () => server.close())
  return { page, tenantId, tokens: source }
}

/** One more of a product, as the counting screen does it. */
async function count(page: CourierPage, productId: string) {
  const request = { inventoryCountImportId: SESSION, productId, productIdentifier: null, count: { kind: 'add', quantity: 1 } as const }
  return (await page.count(request)).item
}

function listing(ids: string[]) {
  const items = ids.map((inventoryCountImportId) => ({ inventoryCountImportId, countImportName: inventoryCountImportId, purposeType: 'HARD_COUNT' }))
  return JSON.stringify({ items, epoch: EPOCH, ledgerSeq: 5, serverTime: new Date().toISOString() })
}

const listed = async (database: TenantDatabase) => (await database.sessions.toCollection().primaryKeys()).sort()

/** As if a worker controlled this page. */
function controlled(): void {
  vi.stubGlobal('navigator', { ...globalThis.navigator, serviceWorker: { controller: {}, getRegistration: () => Promise.resolve(undefined) } })
}

describe('someone of another company signed in in another tab', () => {
  it('does not lend this page a token for its batches', async () => {
    const server = await httpServer((response) => {
      response.setHeader(CUSTODY_HEADER, 'courier')
      response.statusCode = 202
      response.end('{}')
    })
    const { page } = await openPage(server, () => new SignedIn('rival'))
    controlled()
    await count(page, 'P1')
    await page.flush('manual')
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]?.headers.authorization).toBeUndefined()
  })

  it('does not fill this company’s database with theirs', async () => {
    const server = await httpServer((response) => response.end(listing(['RIVAL-1'])))
    const { page } = await openPage(server, () => new SignedIn('rival'))
    await expect(page.refreshSessions()).rejects.toMatchObject({ code: 'other-tenant' })
    expect(server.requests).toHaveLength(0)
    expect(await listed(page.database)).toEqual([])
  })
})

describe('the list of sessions', () => {
  it('keeps the ones that hold counts not yet confirmed, whatever the server lists now', async () => {
    let ids = [SESSION, 'M2']
    const server = await httpServer((response) => response.end(listing(ids)))
    const { page } = await openPage(server)
    await page.refreshSessions()
    const item = await count(page, 'P1')
    ids = ['M3']
    await page.refreshSessions()
    expect(await listed(page.database)).toEqual([SESSION, 'M3'])
    await page.database.items.put({ ...item, confirmed: item.revision, truth: 'confirmed' })
    await page.refreshSessions()
    expect(await listed(page.database)).toEqual(['M3'])
  })
})

describe('counts refused because of who was signed in', () => {
  it('go out again after the next sign-in, the others wait for a person', async () => {
    const server = await httpServer()
    const { page } = await openPage(server)
    const { items } = page.database
    const refused = (item: ItemRecord, code: string): ItemRecord => ({
      ...item,
      truth: 'refused',
      problem: { code, detail: 'Refused.', at: Date.now(), revision: item.revision },
    })
    // Counted on an earlier visit: nothing is planned for them here.
    const earlier = new Counting(page.database, new BatcherMachine(), 'counter')
    await items.put(refused(await scan(earlier, 'P1'), 'session-not-allowed'))
    await items.put(refused(await scan(earlier, 'P2'), 'field-invalid'))
    await page.signedIn()
    await until(() => server.requests.length > 0)
    expect(server.requests[0]?.body).toContain('"productId":"P1"')
    const truths = (await items.toArray()).map(({ productId, truth }) => [productId, truth])
    expect(truths).toContainEqual(['P2', 'refused'])
    expect(truths).not.toContainEqual(['P1', 'refused'])
  })
})

describe('a token that was only renewed', () => {
  it('sends nothing that was refused', async () => {
    const server = await httpServer()
    const { page } = await openPage(server)
    const earlier = new Counting(page.database, new BatcherMachine(), 'counter')
    const item = await scan(earlier, 'P1')
    const problem = { code: 'attribution-not-allowed', detail: 'Refused.', at: Date.now(), revision: item.revision }
    await page.database.items.put({ ...item, truth: 'refused', problem })
    await page.goOn()
    expect(await page.database.items.toArray()).toMatchObject([{ productId: 'P1', truth: 'refused' }])
    expect(await page.database.deliveries.count()).toBe(0)
  })
})

describe('the next device id', () => {
  it('is told to the server once at a time', async () => {
    const told: Announcement[] = []
    const server = await httpServer()
    const { page, tokens } = await openPage(server)
    let answer: (serverTime: string | null) => void = () => undefined
    tokens.announce = (announcement) => {
      told.push(announcement)
      return new Promise((resolve) => (answer = resolve))
    }
    const device = await page.database.device()
    if (device) await page.database.putDevice({ ...device, nextDeviceId: 'next-id' })
    for (let n = 0; n < 5; n++) await page.flush('manual')
    await until(() => told.length > 0)
    answer(new Date().toISOString())
    await until(async () => (await page.database.device())?.deviceId === 'next-id')
    expect(told).toHaveLength(1)
  })
})

describe('reading a session’s rows', () => {
  it('begins anew when the cursor was dropped while a page of them was on its way', async () => {
    let drop: (() => Promise<void>) | null = null
    const afters: (string | null)[] = []
    const server = await httpServer((response, _body, n) => {
      if (n === 1) return response.end(listing([SESSION]))
      const reply = () => response.end(JSON.stringify({ items: [], ledgerSeq: 5, epoch: EPOCH }))
      afters.push(new URL(response.req.url ?? '', 'http://x').searchParams.get('after'))
      const dropped = drop?.()
      drop = null
      if (dropped) void dropped.then(reply)
      else reply()
    })
    const { page } = await openPage(server)
    const { database } = page
    await page.refreshSessions()
    await database.meta.put({ key: cursorKey(SESSION), value: { after: 5 } })
    drop = () => database.meta.delete(cursorKey(SESSION))
    await page.refreshSession(SESSION)
    expect(afters).toEqual(['5', '0', '5'])
  })
})

describe('a page that was stopped', () => {
  it('cuts nothing any more', async () => {
    const server = await httpServer()
    const { page } = await openPage(server)
    await count(page, 'P1')
    page.stop()
    await page.flush('manual')
    expect((await page.database.items.toArray()).map(({ truth }) => truth)).toEqual(['saved'])
    expect(await page.database.deliveries.count()).toBe(0)
  })
})

