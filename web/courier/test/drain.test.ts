import { afterEach, describe, expect, it, vi } from 'vitest'
import { theDeviceDatabase } from '../src/db.js'
import { Drain } from '../src/drain.js'
import { withLock } from '../src/lock.js'
import { COUNT_IMPORTS, COURIER_LOCK } from '../src/messages.js'
import { BatchQueue } from '../src/queue.js'
import { bench, httpServer, receiptFor, scan, SignedIn, storedText, until, type HttpServer } from './helpers.js'

const ready = () => Promise.resolve()
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  const queue = new BatchQueue()
  for (const { id } of await queue.all()) await queue.delete(id)
})

/** A batch in the queue, its delivery in the courier's custody. */
async function queued(server: HttpServer, queue = new BatchQueue(), courierConfig = {}) {
  const device = await bench()
  await scan(device.counting, 'P1')
  await device.planning.plan('manual')
  device.planning.stop()
  const { batchId, body } = device.sent[0] ?? { batchId: '', body: '' }
  await queue.push({ url: server.url + COUNT_IMPORTS, body, batchId, realm: device.realm })
  const tokens = new SignedIn(device.realm)
  const drain = new Drain({ tokens, ready, queue, courierConfig })
  closing.push(() => drain.stop(), () => server.close(), () => forgetTrouble())
  return { ...device, batchId, queue, drain, tokens }
}

/** The courier's memory is the device's, shared by all tests: begin with a good mood. */
async function forgetTrouble(): Promise<void> {
  const record = await theDeviceDatabase().courier()
  if (record) await theDeviceDatabase().putCourier({ ...record, failures: 0, notBefore: 0, retryAfterUntil: 0, gate: 'open', gateFailures: 0 })
}

describe('draining', () => {
  it('delivers with the token of the moment and keeps no credential', async () => {
    const server = await httpServer()
    const { drain, queue, database, batchId } = await queued(server)
    expect(await storedText()).not.toMatch(/secret-token|bearer|authorization/i)
    await drain.wake('queued')
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]?.headers).toMatchObject({ authorization: 'Bearer secret-token', 'idempotency-key': batchId })
    expect(await queue.all()).toEqual([])
    expect(await database.deliveries.get(batchId)).toMatchObject({ state: 'answered', attempts: 1, answer: { status: 200 } })
    expect(await storedText()).not.toMatch(/secret-token|bearer|authorization/i)
  })

  it('writes the outcome before it deletes, so that being cut between neither loses nor repeats', async () => {
    const server = await httpServer()
    const queue = new BatchQueue()
    const deleting = queue.delete.bind(queue)
    queue.delete = () => Promise.reject(new Error('killed'))
    const { drain, database, batchId } = await queued(server, queue)
    await drain.wake('queued')
    expect(await database.deliveries.get(batchId)).toMatchObject({ state: 'answered', answer: { status: 200 } })
    expect(await queue.all()).toHaveLength(1)
    queue.delete = deleting
    await drain.wake('start')
    await until(async () => (await queue.all()).length === 0)
    expect(await database.deliveries.get(batchId)).toMatchObject({ state: 'answered', answer: { status: 200 } })
    expect(server.requests).toHaveLength(1)
  })

  it('keeps the entry when the outcome cannot be written', async () => {
    const server = await httpServer()
    const { drain, queue, database, batchId } = await queued(server)
    const refuse = (changes: object) => {
      if ('answer' in changes) throw new Error('disk full')
    }
    database.deliveries.hook('updating', refuse)
    await drain.wake('queued')
    expect(await queue.all()).toHaveLength(1)
    expect(await database.deliveries.get(batchId)).toMatchObject({ state: 'custody', answer: null })
    database.deliveries.hook('updating').unsubscribe(refuse)
    await drain.wake('start')
    expect(await queue.all()).toEqual([])
    expect(server.requests).toHaveLength(2)
  })

  it('sends once for two wakes at the same time', async () => {
    const server = await httpServer((response, body) => setTimeout(() => response.end(receiptFor(body)), 50))
    const { drain, queue } = await queued(server)
    await Promise.all([drain.wake('poke'), drain.wake('sync'), drain.wake('visible')])
    expect(server.requests).toHaveLength(1)
    expect(await queue.all()).toEqual([])
  })

  it('keeps what the server could not take, and delivers it without a new scan', async () => {
    const server = await httpServer((response, body, count) => {
      if (count > 1) return response.end(receiptFor(body))
      response.statusCode = 503
      response.end('{"code":"busy","status":503,"title":"Busy","detail":"Come back.","type":"about:blank"}')
    })
    const { drain, queue, database, batchId } = await queued(server)
    await drain.wake('queued')
    await until(async () => (await database.deliveries.get(batchId))?.state === 'answered')
    await until(async () => (await queue.all()).length === 0)
    expect(server.requests.length).toBeGreaterThanOrEqual(2)
  })

  it('refreshes at 401 and goes on', async () => {
    const server = await httpServer((response, body, count) => {
      if (count > 1) return response.end(receiptFor(body))
      response.statusCode = 401
      response.end('{"code":"token-expired","status":401,"title":"Expired","detail":"Expired.","type":"about:blank"}')
    })
    const { drain, tokens, database, batchId } = await queued(server)
    await drain.wake('queued')
    await until(async () => (await database.deliveries.get(batchId))?.state === 'answered')
    expect(tokens.refreshes).toBe(1)
  })

  it('remembers that somebody looks although a mere look came after it', async () => {
    let wakeUp: () => void = () => undefined
    const server = await httpServer((response, body, count) => {
      if (count > 1) return response.end(receiptFor(body))
      wakeUp = () => {
        response.statusCode = 503
        response.end('<html>gateway</html>')
      }
    })
    const hour = 3_600_000
    const { drain, queue } = await queued(server, new BatchQueue(), { backoff: { baseMs: hour, capMs: hour }, attemptGapMsMin: 1 })
    const draining = drain.wake('queued')
    await until(() => server.requests.length === 1)
    void drain.wake('visible')
    void drain.wake('interval')
    wakeUp()
    await draining
    await until(async () => (await queue.all()).length === 0)
    expect(server.requests).toHaveLength(2)
  })

  it('goes on without a lock that nobody gives back, also when the clock was set back since the last attempt', async () => {
    const server = await httpServer()
    const { drain } = await queued(server)
    const database = theDeviceDatabase()
    const record = await database.courier()
    if (!record) throw new Error('the courier has no memory')
    await database.putCourier({ ...record, lastAttemptAt: Date.now() + 30 * 24 * 3_600_000 })
    let giveBack: () => void = () => undefined
    const leaked = withLock(COURIER_LOCK, 1_000, () => new Promise<void>((resolve) => (giveBack = resolve)))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    try {
      const waking = drain.wake('queued')
      await vi.advanceTimersByTimeAsync(25_000)
      vi.useRealTimers()
      await waking
      await until(() => server.requests.length === 1)
    } finally {
      vi.useRealTimers()
      giveBack()
      await leaked
      await database.putCourier(record)
    }
  })

  it('is done by one of several that cannot get the lock', async () => {
    let answer: () => void = () => undefined
    const held = new Promise<void>((resolve) => (answer = resolve))
    const server = await httpServer(async (response, body) => {
      await held
      response.end(receiptFor(body))
    })
    const { drain, queue, tokens } = await queued(server)
    const another = new Drain({ tokens, ready, queue, courierConfig: {} })
    closing.push(() => another.stop())
    const database = theDeviceDatabase()
    const record = await database.courier()
    if (!record) throw new Error('the courier has no memory')
    await database.putCourier({ ...record, lastAttemptAt: 0 })
    let giveBack: () => void = () => undefined
    const leaked = withLock(COURIER_LOCK, 1_000, () => new Promise<void>((resolve) => (giveBack = resolve)))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    try {
      const waking = [drain.wake('queued'), another.wake('queued')]
      await vi.advanceTimersByTimeAsync(25_000)
      vi.useRealTimers()
      // One of them sends and waits for the answer; the other has seen that and leaves.
      await Promise.race(waking)
      await until(() => server.requests.length > 0)
      expect(server.requests).toHaveLength(1)
      answer()
      await Promise.all(waking)
      expect(await queue.all()).toEqual([])
    } finally {
      vi.useRealTimers()
      answer()
      giveBack()
      await leaked
      await database.putCourier(record)
    }
  })

  it('never sends under the token of another company that signed in since the queue was looked at', async () => {
    const server = await httpServer()
    const { drain, queue, tokens, realm } = await queued(server)
    let looks = 0
    tokens.current = () => ({ accessToken: 'a-token', realm: ++looks === 1 ? realm : 'rival' })
    await drain.wake('queued')
    expect(server.requests).toHaveLength(0)
    expect(await queue.all()).toHaveLength(1)
  })
})
