import { describe, expect, it } from 'vitest'
import { cursorKey } from '../src/planning.js'
import { answer, bench, scan, SESSION, until } from './helpers.js'

const truths = async (database: Awaited<ReturnType<typeof bench>>['database']) =>
  Object.fromEntries((await database.items.toArray()).map(({ productId, truth }) => [productId, truth]))

describe('handing over', () => {
  it('sends the rows as they are and knows that a courier has them', async () => {
    const { counting, planning, database, sent } = await bench()
    await scan(counting, 'P1', 3)
    await scan(counting, 'P1')
    await planning.plan('manual')
    expect(sent).toHaveLength(1)
    expect(JSON.parse(sent[0]?.body ?? '')).toMatchObject({ inventoryCountImportId: SESSION, items: [{ productId: 'P1', quantity: 4 }] })
    expect((await database.deliveries.toArray()).map(({ state }) => state)).toEqual(['custody'])
    expect(await truths(database)).toEqual({ P1: 'sending' })
    planning.stop()
  })

  it('takes everything back when no courier could take it, and loses nothing', async () => {
    let isBroken = true
    const { counting, planning, database, sent } = await bench(() =>
      isBroken ? Promise.reject(new Error('storage is full')) : Promise.resolve(),
    )
    await scan(counting, 'P1')
    await planning.plan('manual')
    expect(await truths(database)).toEqual({ P1: 'saved' })
    isBroken = false
    await planning.plan('manual')
    expect(sent).toHaveLength(1)
    expect(await truths(database)).toEqual({ P1: 'sending' })
    planning.stop()
  })

  it('happens once when several causes come together', async () => {
    const { counting, planning, sent } = await bench()
    await scan(counting, 'P1')
    await Promise.all([planning.plan('resume'), planning.plan('online'), planning.plan('tick'), planning.plan('manual')])
    expect(sent).toHaveLength(1)
    planning.stop()
  })
})

describe('the cadence', () => {
  it('sends what was counted while another batch is still on its way', async () => {
    const { counting, planning, sent } = await bench(undefined, { cadenceMs: 50 })
    await scan(counting, 'P1')
    planning.noteDirty()
    await until(() => sent.length === 1)
    await scan(counting, 'P2')
    planning.noteDirty()
    await until(() => sent.length === 2)
    planning.stop()
  })

  it('sends what had no room once there is some, without a new scan', async () => {
    const device = await bench(undefined, { cadenceMs: 1, outstandingMax: 1 })
    const { counting, planning, database, sent } = device
    await scan(counting, 'P1')
    await planning.plan('manual')
    await scan(counting, 'P2')
    planning.noteDirty()
    await planning.plan('tick')
    expect(sent).toHaveLength(1)
    await answer(device)
    await planning.settle()
    await until(() => sent.length === 2)
    expect(await truths(database)).toEqual({ P1: 'confirmed', P2: 'sending' })
    planning.stop()
  })
})

describe('a device that has heard nothing of the server for long', () => {
  it('asks how it stands, once', async () => {
    const { database, planning, asked } = await bench()
    const device = await database.device()
    if (!device) throw new Error('there is no device')
    await database.putDevice({ ...device, epoch: 'e1', lastContactAt: Date.now() - 3_600_000 })
    await planning.plan('online')
    expect(asked.times).toBe(0)
    await planning.plan('tick')
    await planning.plan('tick')
    expect(asked.times).toBe(1)
    planning.stop()
  })
})

describe('settling', () => {
  it('confirms what the receipt names', async () => {
    const device = await bench()
    const { counting, planning, database } = device
    const item = await scan(counting, 'P1')
    await planning.plan('manual')
    await answer(device)
    await planning.settle()
    expect(await database.items.get([SESSION, item.importItemSeqId])).toMatchObject({ truth: 'confirmed', confirmed: item.revision })
    expect((await database.deliveries.toArray())[0]).toMatchObject({ state: 'settled', answer: null })
    planning.stop()
  })

  it('leaves a scan unsent that was made while the batch was on its way', async () => {
    const device = await bench()
    const { counting, planning, database } = device
    await scan(counting, 'P1')
    await planning.plan('manual')
    await scan(counting, 'P1')
    await answer(device)
    await planning.settle()
    planning.stop()
    const [item] = await database.items.toArray()
    expect(item?.quantity).toBe(2)
    expect(item?.truth).not.toBe('confirmed')
    expect(item?.confirmed).toBeLessThan(item?.revision ?? 0)
  })

  it('of the same answer twice changes nothing', async () => {
    const device = await bench()
    const { counting, planning, database } = device
    await scan(counting, 'P1')
    await planning.plan('manual')
    const answered = await answer(device)
    await Promise.all([planning.settle(), planning.settle()])
    await database.deliveries.put(answered)
    await planning.settle()
    expect(await truths(database)).toEqual({ P1: 'confirmed' })
    planning.stop()
  })

  it('reads the session’s rows from the start when another device’s count holds: the cursor may be past it', async () => {
    const device = await bench()
    const { counting, planning, database } = device
    await scan(counting, 'P1')
    await planning.plan('manual')
    await database.meta.put({ key: cursorKey(SESSION), value: { after: 70 } })
    const answered = await answer(device)
    const receipt = JSON.parse(answered.answer?.body ?? '') as { items: { outcome: string; revision: number; deviceId: string }[] }
    for (const item of receipt.items) Object.assign(item, { outcome: 'superseded', revision: item.revision + 1, deviceId: 'another' })
    await database.deliveries.put({ ...answered, answer: { status: 200, at: Date.now(), replayed: false, body: JSON.stringify(receipt) } })
    await planning.settle()
    expect(await database.meta.get(cursorKey(SESSION))).toBeUndefined()
    planning.stop()
  })
})
