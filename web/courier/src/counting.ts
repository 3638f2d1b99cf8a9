// A scan or a correction: one transaction over one row, the journal and the device record. Nothing here grows with the
// length of the session.

import { codeKeys } from './codes.js'
import { withReopen, type ProductRecord, type TenantDatabase } from './db.js'
import type { BatcherCalls, Count, ItemRecord, ScanRecord } from './machine.js'
import type { BatcherMachine } from './machines.js'

/** What to count. `importItemSeqId` names a row; without it the device's own row of the product is found or made. */
export interface CountRequest {
  inventoryCountImportId: string
  productId: string | null
  /** What was scanned or typed; required for a product that is not known. */
  productIdentifier: string | null
  importItemSeqId?: string
  count: Count
}

export interface Counted {
  item: ItemRecord
  scan: ScanRecord
}

type CountOut = BatcherCalls['count']['out']

export class Counting {
  constructor(
    private readonly database: TenantDatabase,
    private readonly batcher: BatcherMachine,
    private readonly userLoginId: string,
  ) {}

  count(request: CountRequest): Promise<Counted> {
    return this.once(() => this.decide(request))
  }

  /** Takes back the newest scan of the session that has not been taken back; null when there is none. */
  undo(inventoryCountImportId: string): Promise<Counted | null> {
    return this.once(async () => {
      const scan = await this.lastStanding(inventoryCountImportId)
      if (!scan) return null
      const { importItemSeqId, before, after, productIdentifier } = scan
      const count: Count = { kind: 'undo', before, after }
      return this.decide({ inventoryCountImportId, importItemSeqId, productId: null, productIdentifier, count })
    })
  }

  /** Sends a refused row again as it is. */
  async retry(inventoryCountImportId: string, importItemSeqId: string): Promise<ItemRecord | null> {
    return this.inTransaction(async () => {
      const device = await this.database.device()
      const item = await this.database.items.get([inventoryCountImportId, importItemSeqId])
      if (!device || !item) return null
      const out = this.batcher.call('retry', { now: Date.now(), device, item })
      await this.database.putDevice(out.device)
      await this.database.items.put(out.item)
      return out.item
    })
  }

  /** Makes rows dirty again that were refused because of who was signed in: with somebody else it may go well. */
  async retryAfterSignIn(): Promise<ItemRecord[]> {
    return this.inTransaction(async () => {
      const { items } = this.database
      const device = await this.database.device()
      const refused = await items.where('truth').equals('refused').toArray()
      if (!device || refused.length === 0) return []
      const out = this.batcher.call('signedIn', { now: Date.now(), device, items: refused })
      await this.database.putDevice(out.device)
      await items.bulkPut(out.items)
      return out.items
    })
  }

  /** The products a code stands for; more than one when the catalogue gave a barcode twice. */
  async productsByCode(code: string): Promise<ProductRecord[]> {
    const { products } = this.database
    const keys = codeKeys(code)
    const found = await withReopen(this.database, () => products.where('codes').anyOf(keys).distinct().toArray())
    if (found.length > 0 || keys.length === 0) return found
    const byId = await products.get(code.trim())
    return byId ? [byId] : []
  }

  private async decide(request: CountRequest): Promise<CountOut> {
    const { database } = this
    const [device, item] = await Promise.all([database.device(), this.rowFor(request)])
    if (!device) throw new Error('This device has no identity yet. Sign in once while connected.')
    const row = item ? null : await this.newRow(request)
    const out = this.batcher.call('count', {
      now: Date.now(),
      device,
      item,
      row,
      count: request.count,
      countedByUserLoginId: this.userLoginId,
      productIdentifier: request.productIdentifier,
    })
    await Promise.all([database.scans.add(out.scan as ScanRecord & { scanId: number }), database.items.put(out.item), database.putDevice(out.device)])
    return out
  }

  private async rowFor(request: CountRequest): Promise<ItemRecord | null> {
    const { inventoryCountImportId: session, importItemSeqId, productId, productIdentifier } = request
    const { items } = this.database
    if (importItemSeqId) return (await items.get([session, importItemSeqId])) ?? null
    const rows = productId
      ? items.where('[inventoryCountImportId+productId]').equals([session, productId])
      : items.where('[inventoryCountImportId+productIdentifier]').equals([session, productIdentifier ?? ''])
    const isOurs = (row: ItemRecord) => row.own && row.locationSeqId === null && (productId !== null || row.productId === null)
    return (await rows.filter(isOurs).first()) ?? null
  }

  private async newRow(request: CountRequest): Promise<NonNullable<BatcherCalls['count']['in']['row']>> {
    const { inventoryCountImportId, productId, productIdentifier } = request
    const session = await this.database.sessions.get(inventoryCountImportId)
    let isRequested: 'Y' | 'N' | null = null
    if (session?.purposeType === 'DIRECTED_COUNT') {
      const asked = productId && (await this.database.assignments.where({ inventoryCountImportId, productId }).count())
      isRequested = asked ? 'Y' : 'N'
    }
    return { inventoryCountImportId, productId, productIdentifier, isRequested, locationSeqId: null }
  }

  /** Undo is last in, first out: each undo cancels the newest scan below it. */
  private async lastStanding(inventoryCountImportId: string): Promise<ScanRecord | null> {
    let undone = 0
    let standing: ScanRecord | null = null
    const journal = this.database.scans.where('inventoryCountImportId').equals(inventoryCountImportId).reverse()
    await journal
      .until((scan) => {
        if (scan.kind === 'undo') undone += 1
        else if (undone > 0) undone -= 1
        else standing = scan
        return standing !== null
      })
      .each(() => undefined)
    return standing
  }

  /** Runs once in effect: when the connection broke after the commit, the second run finds the scan in the journal. */
  private async once<T extends Counted | null>(work: () => Promise<T>): Promise<T> {
    let tried: T | undefined
    return this.inTransaction(async () => {
      if (tried && (await this.isInJournal(tried.scan))) return tried
      tried = await work()
      return tried
    })
  }

  private async isInJournal(scan: ScanRecord): Promise<boolean> {
    const kept = scan.scanId === undefined ? undefined : await this.database.scans.get(scan.scanId)
    return kept?.revision === scan.revision && kept.importItemSeqId === scan.importItemSeqId
  }

  private async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    const { database } = this
    const { scans, items, meta, sessions, assignments } = database
    return withReopen(database, () => database.transaction('rw', [scans, items, meta, sessions, assignments], work))
  }
}
