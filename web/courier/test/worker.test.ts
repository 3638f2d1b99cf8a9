import { afterEach, describe, expect, it } from 'vitest'
import { theDeviceDatabase } from '../src/db.js'
import { COUNT_IMPORTS, CUSTODY_HEADER, DELIVERY_HEADER, REALM_HEADER } from '../src/messages.js'
import { BatchQueue } from '../src/queue.js'
import { installCourier, type CourierScope } from '../src/worker.js'
import { bench, httpServer, scan, storedText, until, type HttpServer } from './helpers.js'

type Listener = (event: never) => void
let server: HttpServer | undefined

afterEach(async () => {
  await server?.close()
  const queue = new BatchQueue()
  for (const { id } of await queue.all()) await queue.delete(id)
})

/** A worker's scope that keeps what it is told and counts registrations for sync. */
function workerScope(href: string) {
  const listeners = new Map<string, Listener>()
  const tags: string[] = []
  const scope: CourierScope = {
    addEventListener: (type: string, listener: Listener) => void listeners.set(type, listener),
    location: { href },
    registration: {
      active: null,
      sync: {
        register: (tag) => {
          tags.push(tag)
          return Promise.reject(new Error('permission denied'))
        },
      },
    },
  }
  const works: Promise<unknown>[] = []
  const waitUntil = (work: Promise<unknown>) => void works.push(work)
  const dispatch = (type: string, event: object) => listeners.get(type)?.({ ...event, waitUntil } as never)
  return { scope, dispatch, works, tags }
}

async function post(dispatch: (type: string, event: object) => void, request: Request): Promise<Response | null> {
  let answer: Promise<Response> | null = null
  dispatch('fetch', { request, respondWith: (response: Promise<Response>) => (answer = response) })
  return answer
}

function batch(url: string, body: string, headers: Record<string, string> = {}): Request {
  return new Request(url + COUNT_IMPORTS, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer secret-of-the-page', ...headers },
  })
}

async function counted() {
  const device = await bench()
  await scan(device.counting, 'P1')
  await device.planning.plan('manual')
  device.planning.stop()
  return { ...device, ...(device.sent[0] ?? { batchId: '', body: '' }) }
}

const wasm = () => new Uint8Array()

describe('the worker', () => {
  it('has the batch in its queue, without the token, before it answers 202, and delivers it', async () => {
    server = await httpServer()
    const { realm, body, batchId, database } = await counted()
    const queue = new BatchQueue()
    const order: string[] = []
    const pushing = queue.push.bind(queue)
    queue.push = async (entry) => {
      await pushing(entry)
      order.push('queued')
      expect(await storedText()).not.toMatch(/secret-of-the-page|bearer/i)
    }
    const { scope, dispatch, works, tags } = workerScope(server.url)
    installCourier(scope, { wasm, queue })
    const response = await post(dispatch, batch(server.url, body, { [REALM_HEADER]: realm }))
    order.push('answered')
    expect(order).toEqual(['queued', 'answered'])
    expect(response?.status).toBe(202)
    expect(response?.headers.get(CUSTODY_HEADER)).toBe('courier')
    await Promise.all(works)
    await until(async () => (await database.deliveries.get(batchId))?.state === 'answered')
    expect(server.requests[0]?.headers.authorization).toBe('Bearer secret-of-the-page')
    expect(await queue.all()).toEqual([])
    expect(tags).toContain('ginti-courier')
  })

  it('refuses custody when it cannot store', async () => {
    server = await httpServer()
    const queue = new BatchQueue()
    queue.push = () => Promise.reject(new Error('quota exceeded'))
    const { scope, dispatch } = workerScope(server.url)
    installCourier(scope, { wasm, queue })
    const response = await post(dispatch, batch(server.url, '{"batchId":"b"}'))
    expect(response?.status).toBe(503)
    expect(response?.headers.get(CUSTODY_HEADER)).toBeNull()
    expect(await response?.json()).toMatchObject({ code: 'courier-storage' })
    expect(server.requests).toEqual([])
  })

  it('leaves alone what is not a batch from a page', async () => {
    server = await httpServer((response) => {
      response.statusCode = 400
      response.end('{"code":"malformed-json"}')
    })
    const { scope, dispatch } = workerScope(server.url)
    installCourier(scope, { wasm })
    expect(await post(dispatch, new Request(server.url + COUNT_IMPORTS))).toBeNull()
    expect(await post(dispatch, batch(server.url, '{}', { [DELIVERY_HEADER]: 'courier' }))).toBeNull()
    expect((await post(dispatch, batch(server.url, 'not json')))?.status).toBe(400)
    expect(await new BatchQueue().all()).toEqual([])
  })

  it('leaves the next try to the browser while batches remain, and asks anew after the last', async () => {
    server = await httpServer((response) => {
      response.statusCode = 503
      response.setHeader('Retry-After', '600')
      response.end('{"code":"busy"}')
    })
    const { realm, body, batchId } = await counted()
    await new BatchQueue().push({ url: server.url + COUNT_IMPORTS, body, batchId, realm })
    const { scope, dispatch, works, tags } = workerScope(server.url)
    installCourier(scope, { wasm })
    dispatch('message', { data: { type: 'ginti:token', token: { accessToken: 't', realm }, cause: null }, ports: [] })
    dispatch('sync', { tag: 'ginti-courier', lastChance: false })
    await expect(works.at(-1)).rejects.toThrow('remain')
    expect(tags).toEqual([])
    dispatch('sync', { tag: 'ginti-courier', lastChance: true })
    // Before anything that could end with the worker: one that is killed now still comes back.
    expect(tags).toEqual(['ginti-courier'])
    await works.at(-1)
    expect(tags).toEqual(['ginti-courier'])
    const record = await theDeviceDatabase().courier()
    if (record) await theDeviceDatabase().putCourier({ ...record, failures: 0, notBefore: 0, retryAfterUntil: 0 })
  })

  it('delivers what a killed one left, when a page pokes it', async () => {
    server = await httpServer()
    const { realm, body, batchId, database } = await counted()
    await new BatchQueue().push({ url: server.url + COUNT_IMPORTS, body, batchId, realm })
    const { scope, dispatch, works } = workerScope(server.url)
    installCourier(scope, { wasm })
    dispatch('message', { data: { type: 'ginti:token', token: { accessToken: 't', realm }, cause: null }, ports: [] })
    dispatch('message', { data: { type: 'ginti:poke', cause: 'poke' }, ports: [] })
    await Promise.all(works)
    await until(async () => (await database.deliveries.get(batchId))?.state === 'answered')
    expect(server.requests).toHaveLength(1)
  })
})
