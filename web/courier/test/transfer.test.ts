import { describe, expect, it } from 'vitest'
import { exportUnsent, restoreUnsent, TransferError } from '../src/transfer.js'
import { bench, scan, SESSION } from './helpers.js'

describe('everything unsent', () => {
  it('goes to another device as the same rows, with their counter and their time', async () => {
    const first = await bench()
    const noted = await scan(first.counting, 'P1', 5)
    await first.counting.annotate(SESSION, noted.importItemSeqId, 'box torn')
    await scan(first.counting, 'P2', 2)
    const file = await exportUnsent(first.database)
    expect(file.counts).toHaveLength(2)

    const second = await bench()
    const text = JSON.stringify({ ...file, tenantId: second.realm })
    const { taken, counters } = await restoreUnsent(second.database, second.batcher, text)
    expect(counters).toEqual(['counter'])
    const before = file.counts.find(({ productId }) => productId === 'P1')
    const after = taken.find(({ importItemSeqId }) => importItemSeqId === before?.importItemSeqId)
    expect(after).toMatchObject({ productId: 'P1', quantity: 5, note: 'box torn', countedAt: before?.countedAt, own: false, countedHere: true, truth: 'saved' })
    expect(after?.revision).toBeGreaterThan(before?.revision ?? Infinity)
    expect(after?.deviceId).not.toBe(before?.deviceId)

    // What is counted here from now on is a row of this device: the first one's delivery, should it come, replaces nothing of it.
    const own = await scan(second.counting, 'P1')
    expect(own.importItemSeqId).not.toBe(before?.importItemSeqId)
  })

  it('is taken once, however often the file is opened', async () => {
    const first = await bench()
    await scan(first.counting, 'P1', 5)
    const second = await bench()
    const text = JSON.stringify({ ...(await exportUnsent(first.database)), tenantId: second.realm })
    await restoreUnsent(second.database, second.batcher, text)
    expect(await restoreUnsent(second.database, second.batcher, text)).toMatchObject({ taken: [], known: 1 })
    expect(await second.database.items.where({ inventoryCountImportId: SESSION }).count()).toBe(1)
  })

  it('is refused whole when the file is damaged, empty or of another company', async () => {
    const { database, batcher, realm } = await bench()
    const count = { inventoryCountImportId: SESSION, importItemSeqId: 'x-1', productId: 'P1', productIdentifier: null, quantity: 1, countedAt: '2026-11-22T09:00:00Z', countedByUserLoginId: 'counter', isRequested: null, locationSeqId: null, revision: 7, deviceId: 'x' }
    const file = (changes: object) => JSON.stringify({ format: 'ginti-unsent-1', tenantId: realm, exportedAt: '', counts: [count], ...changes })
    const bad: [string, string][] = [
      ['{', 'unreadable'],
      ['null', 'unreadable'],
      [file({ format: 'other' }), 'unreadable'],
      [file({ counts: [count, { ...count, quantity: -1 }] }), 'unreadable'],
      [file({ counts: [{ ...count, productId: null }] }), 'unreadable'],
      [file({ tenantId: 'other' }), 'other-company'],
      [file({ counts: [] }), 'empty'],
    ]
    for (const [text, code] of bad) {
      await expect(restoreUnsent(database, batcher, text)).rejects.toMatchObject(new TransferError(code as 'empty'))
    }
    expect(await database.items.count()).toBe(0)
  })
})
