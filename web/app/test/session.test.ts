import { tenantDatabase, type CourierPage, type ItemRecord } from '@ginti/courier/page'
import { describe, expect, it } from 'vitest'
import { SessionModel } from '../src/model/session'

const SESSION = 'M100001'
let tenants = 0

/** A row of a code nobody knows. */
function row(changes: Partial<ItemRecord> = {}): ItemRecord {
  return {
    inventoryCountImportId: SESSION,
    importItemSeqId: 'device-1',
    productId: null,
    productIdentifier: 'SHELF-7',
    quantity: 3,
    countedAt: '2026-11-22T09:14:03.120Z',
    countedByUserLoginId: 'counter',
    isRequested: null,
    locationSeqId: null,
    note: null,
    revision: 1_000,
    deviceId: 'device',
    own: true,
    countedHere: true,
    confirmed: null,
    custody: { batchId: 'b', revision: 1_000 },
    problem: null,
    late: false,
    restamps: 0,
    truth: 'sending',
    ...changes,
  }
}

function model(): { session: SessionModel; database: CourierPage['database'] } {
  const database = tenantDatabase(`session-${++tenants}`)
  return { session: new SessionModel({ database } as CourierPage, SESSION), database }
}

describe('the rows of a session', () => {
  it('show what changed while they were being read', async () => {
    const { session, database } = model()
    await database.items.put(row())
    const loading = session.load()
    await session.apply([row({ truth: 'confirmed', confirmed: 1_000, custody: null })])
    await loading
    expect(session.counted.value.map(({ truth }) => truth)).toEqual(['confirmed'])
    expect(session.pending.value).toBe(0)
  })

  it('come with the note that was written last, as part of their group', async () => {
    const { session, database } = model()
    await database.items.put(row())
    await session.load()
    await session.apply([row({ note: 'box torn', revision: 1_001, custody: null, truth: 'saved' })])
    expect(session.counted.value.map(({ own, total }) => [own?.note, total])).toEqual([['box torn', 3]])
  })

  it('count once when a manager matches the code to a product', async () => {
    const { session, database } = model()
    await database.items.put(row())
    await session.load()
    await session.apply([row({ productId: 'P1', revision: 1_001, confirmed: 1_001, custody: null, truth: 'confirmed' })])
    expect(session.counted.value.map(({ key, total }) => [key, total])).toEqual([['P1', 3]])
  })
})
