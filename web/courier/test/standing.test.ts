import { describe, expect, it } from 'vitest'
import type { SessionRecord } from '../src/db.js'
import { BatcherMachine } from '../src/machines.js'
import type { Requests } from '../src/requests.js'
import { Standing } from '../src/standing.js'
import { bench, scan, SESSION } from './helpers.js'

const HOUR_MS = 3_600_000

describe('what a device says of itself', () => {
  it('tells how often deliveries were tried again, hour by hour, and nothing where none was', async () => {
    const { counting, planning, database } = await bench()
    const told: { retries?: unknown }[] = []
    const requests = { send: (_: string, __: string, body: object) => (told.push(body), Promise.resolve({})) } as unknown as Requests
    const standing = new Standing(database, new BatcherMachine({}), requests, () => Promise.resolve({}), () => undefined)
    await scan(counting, 'P1')
    await planning.plan('manual')
    planning.stop()
    await standing.report()
    expect(told[0]).not.toHaveProperty('retries')

    const [delivery] = await database.deliveries.toArray()
    if (!delivery) throw new Error('nothing was handed over')
    const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    const made = (batchId: string, createdAt: number, attempts: number) => ({ ...delivery, batchId, createdAt, attempts })
    await database.deliveries.bulkPut([
      made('a', hour, 4),
      made('b', hour + 1, 2),
      made('c', hour - HOUR_MS, 3),
      made('d', hour - 2 * HOUR_MS, 1),
      made('e', hour - 30 * HOUR_MS, 9),
    ])
    await standing.report()
    const text = (at: number) => new Date(at).toISOString()
    expect(told[1]?.retries).toEqual([
      { at: text(hour - HOUR_MS), count: 2 },
      { at: text(hour), count: 4 },
    ])
  })
  it('takes back what it told to be unsent, though the rows or the session are no longer its own', async () => {
    const { counting, database } = await bench()
    interface Told { sessions: { inventoryCountImportId: string; itemCount: number; unsentCount: number; oldestUnsentAt: string | null }[] }
    const told: Told[] = []
    let isLost = true
    const send = (_: string, __: string, body: object) => {
      told.push(body as Told)
      return isLost ? Promise.reject(new Error('the answer was lost')) : Promise.resolve({})
    }
    const standing = new Standing(database, new BatcherMachine({}), { send } as unknown as Requests, () => Promise.resolve({}), () => undefined)
    await database.sessions.put({ inventoryCountImportId: SESSION } as SessionRecord)
    await standing.report().catch(() => undefined)
    expect(told.at(-1)?.sessions).toEqual([])
    const item = await scan(counting, 'P1')
    await standing.report().catch(() => undefined)
    expect(told.at(-1)?.sessions).toMatchObject([{ inventoryCountImportId: SESSION, itemCount: 1, unsentCount: 1 }])

    // A colleague corrected the row, and the session left the list.
    isLost = false
    await database.items.put({ ...item, countedHere: false, deviceId: 'another', truth: 'confirmed' })
    await database.sessions.clear()
    await standing.report()
    expect(told.at(-1)?.sessions).toMatchObject([{ inventoryCountImportId: SESSION, itemCount: 0, unsentCount: 0, oldestUnsentAt: null }])
    // Said once.
    await standing.report()
    expect(told.at(-1)?.sessions).toEqual([])
  })
})
