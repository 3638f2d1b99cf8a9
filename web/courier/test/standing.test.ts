import { describe, expect, it } from 'vitest'
import { BatcherMachine } from '../src/machines.js'
import type { Requests } from '../src/requests.js'
import { Standing } from '../src/standing.js'
import { bench, scan } from './helpers.js'

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
})
