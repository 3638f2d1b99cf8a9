import { describe, expect, it } from 'vitest'
import { productKeys } from '../src/codes.js'
import { bench, scan, SESSION } from './helpers.js'

describe('a scan', () => {
  it('writes journal, row and clock together', async () => {
    const { counting, database } = await bench()
    const before = await database.device()
    const item = await scan(counting, 'P1')
    const scans = await database.scans.toArray()
    expect(scans).toHaveLength(1)
    expect(scans[0]).toMatchObject({ importItemSeqId: item.importItemSeqId, kind: 'add', before: 0, after: 1, revision: item.revision })
    expect(await database.items.get([SESSION, item.importItemSeqId])).toMatchObject({ quantity: 1, truth: 'saved', own: true })
    expect((await database.device())?.clock).not.toBe(before?.clock)
  })

  it('writes nothing when a part of it cannot be written', async () => {
    const { counting, database } = await bench()
    await scan(counting, 'P1')
    const clock = (await database.device())?.clock
    const refuse = () => {
      throw new Error('disk full')
    }
    database.items.hook('updating', refuse)
    await expect(scan(counting, 'P1')).rejects.toThrow('disk full')
    database.items.hook('updating').unsubscribe(refuse)
    expect(await database.scans.count()).toBe(1)
    expect((await database.device())?.clock).toBe(clock)
    expect((await scan(counting, 'P1')).quantity).toBe(2)
  })

  it('counts once when the connection breaks after the commit and something else is written before the second try', async () => {
    const { counting, database } = await bench()
    const transaction = database.transaction.bind(database) as (...given: unknown[]) => Promise<unknown>
    let breaks = true
    const breaking = async (...given: unknown[]): Promise<unknown> => {
      const done = await transaction(...given)
      if (!breaks) return done
      breaks = false
      const device = await database.device()
      if (device) await database.putDevice({ ...device, clock: (device.clock ?? 0) + 1 })
      throw new DOMException('The database connection is closing.', 'InvalidStateError')
    }
    database.transaction = breaking as unknown as typeof database.transaction
    expect((await scan(counting, 'P1')).quantity).toBe(1)
    expect(breaks).toBe(false)
    expect(await database.scans.count()).toBe(1)
    expect((await scan(counting, 'P1')).quantity).toBe(2)
  })

  it('is not lost in a burst', async () => {
    const { counting, database } = await bench()
    await Promise.all(Array.from({ length: 60 }, (_, index) => scan(counting, `P${index % 3}`)))
    const items = await database.items.toArray()
    expect(items.map(({ quantity }) => quantity)).toEqual([20, 20, 20])
    expect(await database.scans.count()).toBe(60)
    const revisions = (await database.scans.toArray()).map(({ revision }) => revision)
    expect([...revisions].sort((a, b) => a - b)).toEqual(revisions)
    expect(new Set(revisions).size).toBe(60)
  })

  it('keeps decimals, and a zero that was counted', async () => {
    const { counting } = await bench()
    const set = (quantity: number) =>
      counting.count({ inventoryCountImportId: SESSION, productId: 'P1', productIdentifier: null, count: { kind: 'set', quantity } })
    expect((await set(2.5)).item.quantity).toBe(2.5)
    expect((await set(0)).item.quantity).toBe(0)
  })

  it('of an unknown code is a row of its own that later scans find again', async () => {
    const { counting, database } = await bench()
    const unknown = { inventoryCountImportId: SESSION, productId: null, productIdentifier: '4006381333931', count: { kind: 'add', quantity: 1 } as const }
    const first = await counting.count(unknown)
    const second = await counting.count(unknown)
    expect(second.item).toMatchObject({ importItemSeqId: first.item.importItemSeqId, productId: null, quantity: 2 })
    expect(await database.items.count()).toBe(1)
  })

  it('of a listed product says that it was asked for', async () => {
    const { counting, database } = await bench()
    await database.sessions.put({
      inventoryCountImportId: SESSION,
      countImportName: 'Aisle 3',
      facilityId: 'F',
      facilityName: 'Store',
      purposeType: 'DIRECTED_COUNT',
      statusId: 'SESSION_ASSIGNED',
      dueDate: null,
      createdDate: '2026-11-22T08:00:00Z',
      itemsCounted: 0,
      assignedUserLoginId: null,
      assignedUserName: null,
      submittedDate: null,
      itemsRequested: 1,
    })
    await database.assignments.put({ inventoryCountImportId: SESSION, importItemSeqId: 'A1', productId: 'P1' })
    expect((await scan(counting, 'P1')).isRequested).toBe('Y')
    expect((await scan(counting, 'P2')).isRequested).toBe('N')
  })
})

describe('undo', () => {
  it('goes back scan by scan, and a new scan starts over', async () => {
    const { counting } = await bench()
    await scan(counting, 'P1')
    await scan(counting, 'P2', 5)
    await scan(counting, 'P2')
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P2', quantity: 5 })
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P2', quantity: 0 })
    await scan(counting, 'P3')
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P3', quantity: 0 })
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P1', quantity: 0 })
    expect(await counting.undo(SESSION)).toBeNull()
  })

  it('takes back the scan that is named, and the rest in its order', async () => {
    const { counting, database } = await bench()
    await scan(counting, 'P1', 2)
    await scan(counting, 'P2', 3)
    const [, first] = await counting.journal(SESSION, 10)
    expect((await counting.undo(SESSION, first?.scanId))?.item).toMatchObject({ productId: 'P1', quantity: 0 })
    expect(await counting.undo(SESSION, first?.scanId), 'once').toBeNull()
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P2', quantity: 0 })
    expect(await counting.undo(SESSION)).toBeNull()
    expect(await database.scans.count(), 'nothing is erased').toBe(4)
  })
})

describe('a code', () => {
  it('finds its product with and without the leading zero, and both products when two share it', async () => {
    const { counting, database } = await bench()
    const product = (productId: string, barcodes: string[]) => {
      const plain = { productId, productName: productId, sku: `SKU-${productId}`, barcodes }
      return { ...plain, codes: productKeys(plain), text: '' }
    }
    await database.products.bulkPut([product('1', ['0012345678905']), product('2', ['6291041500213']), product('3', ['6291041500213'])])
    const found = async (code: string) => (await counting.productsByCode(code)).map(({ productId }) => productId).sort()
    expect(await found('012345678905')).toEqual(['1'])
    expect(await found('sku-2')).toEqual(['2'])
    expect(await found('6291041500213')).toEqual(['2', '3'])
    expect(await found('99999999')).toEqual([])
  })
})

describe('a place', () => {
  it('has a row of its own, and scans go where one counts', async () => {
    const { counting, database } = await bench()
    const at = (locationSeqId: string | null) =>
      counting.count({ inventoryCountImportId: SESSION, productId: 'P1', productIdentifier: null, locationSeqId, count: { kind: 'add', quantity: 1 } })
    const shelf = await at('Shelf 4')
    await at(null)
    const again = await at('Shelf 4')
    expect(again.item).toMatchObject({ importItemSeqId: shelf.item.importItemSeqId, locationSeqId: 'Shelf 4', quantity: 2 })
    expect(await database.items.count()).toBe(2)
  })
})

describe('an unknown code', () => {
  it('moves to the product it is matched to, and its next scan counts there too', async () => {
    const { counting, database } = await bench()
    await database.products.put({ productId: 'P1', productName: 'Lamp', sku: null, barcodes: [], codes: [], text: 'lamp' })
    const own = await scan(counting, 'P1', 4)
    const unknown = { inventoryCountImportId: SESSION, productId: null, productIdentifier: 'OLD-LABEL', count: { kind: 'add', quantity: 3 } as const }
    const { item } = await counting.count(unknown)
    expect(await counting.matchedProduct(SESSION, 'OLD-LABEL')).toBeNull()
    const matched = await counting.match(SESSION, item.importItemSeqId, 'P1')
    expect(matched.item).toMatchObject({ productId: 'P1', quantity: 3, truth: 'saved' })
    const rows = await database.items.where({ inventoryCountImportId: SESSION }).toArray()
    expect(rows.reduce((total, { quantity }) => total + quantity, 0), 'moved, not doubled').toBe(7)
    expect((await counting.matchedProduct(SESSION, 'OLD-LABEL'))?.productId).toBe('P1')
    expect((await counting.undo(SESSION))?.item.importItemSeqId, 'a match is no scan').toBe(item.importItemSeqId)
    expect((await counting.undo(SESSION))?.item.importItemSeqId).toBe(own.importItemSeqId)
  })
})

describe('a note', () => {
  it('stays with the row while counting goes on, and undo passes over it', async () => {
    const { counting, database } = await bench()
    const first = await scan(counting, 'P1', 2)
    await scan(counting, 'P1', 3)
    const noted = await counting.annotate(SESSION, first.importItemSeqId, ' box torn\t \r\nopen ')
    expect(noted.item).toMatchObject({ note: 'box torn  \nopen', quantity: 5, countedByUserLoginId: 'counter', truth: 'saved' })
    expect(noted.item.revision).toBeGreaterThan(first.revision)
    expect(noted.scan).toMatchObject({ kind: 'note', before: 5, after: 5 })
    expect((await counting.undo(SESSION))?.item, 'a note is no scan').toMatchObject({ quantity: 2, note: 'box torn  \nopen' })
    await scan(counting, 'P2')
    await counting.annotate(SESSION, first.importItemSeqId, null)
    expect(await database.items.get([SESSION, first.importItemSeqId])).toMatchObject({ quantity: 2, note: null })
    expect((await counting.undo(SESSION))?.item).toMatchObject({ productId: 'P2', quantity: 0 })
  })

  it('is refused when it is too long, or the count was made elsewhere; nothing changes', async () => {
    const { counting, database } = await bench()
    const { importItemSeqId } = await scan(counting, 'P1')
    await expect(counting.annotate(SESSION, importItemSeqId, 'x'.repeat(501))).rejects.toThrow('at most 500')
    await database.items.update([SESSION, importItemSeqId], { countedHere: false })
    await expect(counting.annotate(SESSION, importItemSeqId, 'x')).rejects.toThrow('another device')
    expect(await database.scans.count()).toBe(1)
  })
})

describe('counts that belong together', () => {
  it('are written all or none', async () => {
    const { counting, database } = await bench()
    const zero = (productId: string) => ({ inventoryCountImportId: SESSION, productId, productIdentifier: null, count: { kind: 'set', quantity: 0 } as const })
    const counted = await counting.countAll([zero('P1'), zero('P2')])
    expect(counted.map(({ item }) => [item.productId, item.quantity])).toEqual([['P1', 0], ['P2', 0]])
    const below = { ...zero('P3'), count: { kind: 'subtract', quantity: 1 } as const }
    await expect(counting.countAll([zero('P4'), below])).rejects.toThrow()
    expect(await database.items.count()).toBe(2)
  })
})
