// A scan or a correction: one transaction over one row, the journal and the device record. Nothing here grows with the
// length of the session.

import { codeKeys } from './codes.js'
import { withReopen, type ProductRecord, type TenantDatabase } from './db.js'
import type { BatcherCalls, Count, DeviceRecord, ItemRecord, ScanRecord } from './machine.js'
import type { BatcherMachine } from './machines.js'

/** What to count. `importItemSeqId` names a row; without it the device's own row of the product is found or made. */
export interface CountRequest {
  inventoryCountImportId: string
  productId: string | null
  /** What was scanned or typed; required for a product that is not known. */
  productIdentifier: string | null
  importItemSeqId?: string
  /** Where it lies: a product has a row for each place. */
  locationSeqId?: string | null
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

  /** Several counts that belong together: all of them or none. */
  countAll(requests: CountRequest[]): Promise<Counted[]> {
    return this.inTransaction(async () => {
      const counted: Counted[] = []
      for (const request of requests) counted.push(await this.decide(request))
      return counted
    })
  }

  /** Takes back the newest scan of the session that has not been taken back, or the one that is named; null when there is none. */
  undo(inventoryCountImportId: string, scanId?: number): Promise<Counted | null> {
    return this.once(async () => {
      const scan = await this.standing(inventoryCountImportId, scanId)
      if (!scan) return null
      const { importItemSeqId, before, after, productIdentifier } = scan
      const count: Count = { kind: 'undo', before, after }
      return this.decide({ inventoryCountImportId, importItemSeqId, productId: null, productIdentifier, count }, scan.scanId)
    })
  }

  /** Says which product an unknown code is. Its row moves there as it is: nothing is added up, nothing doubled. */
  match(inventoryCountImportId: string, importItemSeqId: string, productId: string): Promise<Counted> {
    return this.once(async () => {
      const { database } = this
      const device = await this.identity()
      const item = await database.items.get([inventoryCountImportId, importItemSeqId])
      if (!item) throw new Error('This row is not on this device any more.')
      const isRequested = await this.isRequested(inventoryCountImportId, productId)
      const input = { now: Date.now(), device, item, productId, isRequested, matchedByUserLoginId: this.userLoginId }
      return this.put(this.batcher.call('matchProduct', input))
    })
  }

  /** Writes a note beside a row's count, or takes it away. The count stays as it is, and its counter's. */
  annotate(inventoryCountImportId: string, importItemSeqId: string, note: string | null): Promise<Counted> {
    return this.once(async () => {
      const device = await this.identity()
      const item = await this.database.items.get([inventoryCountImportId, importItemSeqId])
      if (!item) throw new Error('This row is not on this device any more.')
      const input = { now: Date.now(), device, item, note, notedByUserLoginId: this.userLoginId }
      return this.put(this.batcher.call('annotate', input))
    })
  }

  /** The product that a code was matched to in this session, though the catalogue does not know the code. */
  async matchedProduct(inventoryCountImportId: string, code: string): Promise<ProductRecord | null> {
    const { items, products } = this.database
    const rows = items.where('[inventoryCountImportId+productIdentifier]').equals([inventoryCountImportId, code])
    const row = await withReopen(this.database, () => rows.filter(({ productId }) => productId !== null).first())
    return row?.productId ? ((await products.get(row.productId)) ?? null) : null
  }

  /** What was done in a session, newest first. */
  journal(inventoryCountImportId: string, limit: number): Promise<ScanRecord[]> {
    const { scans } = this.database
    return withReopen(this.database, () => scans.where('inventoryCountImportId').equals(inventoryCountImportId).reverse().limit(limit).toArray())
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

  private async decide(request: CountRequest, undoes?: number): Promise<CountOut> {
    const [device, item] = await Promise.all([this.identity(), this.rowFor(request)])
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
    if (undoes !== undefined) out.scan.undoes = undoes
    return this.put(out)
  }

  private async put(out: CountOut): Promise<CountOut> {
    const { database } = this
    await Promise.all([database.scans.add(out.scan as ScanRecord & { scanId: number }), database.items.put(out.item), database.putDevice(out.device)])
    return out
  }

  private async identity(): Promise<DeviceRecord> {
    const device = await this.database.device()
    if (!device) throw new Error('This device has no identity yet. Sign in once while connected.')
    return device
  }

  private async rowFor(request: CountRequest): Promise<ItemRecord | null> {
    const { inventoryCountImportId: session, importItemSeqId, productId, productIdentifier } = request
    const { items } = this.database
    if (importItemSeqId) return (await items.get([session, importItemSeqId])) ?? null
    const rows = productId
      ? items.where('[inventoryCountImportId+productId]').equals([session, productId])
      : items.where('[inventoryCountImportId+productIdentifier]').equals([session, productIdentifier ?? ''])
    const place = request.locationSeqId ?? null
    const isOurs = (row: ItemRecord) => row.own && row.locationSeqId === place && (productId !== null || row.productId === null)
    return (await rows.filter(isOurs).first()) ?? null
  }

  private async newRow(request: CountRequest): Promise<NonNullable<BatcherCalls['count']['in']['row']>> {
    const { inventoryCountImportId, productId, productIdentifier, locationSeqId = null } = request
    const isRequested = await this.isRequested(inventoryCountImportId, productId)
    return { inventoryCountImportId, productId, productIdentifier, isRequested, locationSeqId }
  }

  /** Whether the list asks for it; null where there is no list. */
  private async isRequested(inventoryCountImportId: string, productId: string | null): Promise<'Y' | 'N' | null> {
    const { sessions, assignments } = this.database
    const session = await sessions.get(inventoryCountImportId)
    if (session?.purposeType !== 'DIRECTED_COUNT') return null
    const asked = productId && (await assignments.where({ inventoryCountImportId, productId }).count())
    return asked ? 'Y' : 'N'
  }

  /** A scan that has not been taken back: the newest, or the one that is named. An undo that names nothing cancels the newest below it. */
  private async standing(inventoryCountImportId: string, scanId?: number): Promise<ScanRecord | null> {
    const takenBack = new Set<number>()
    let undone = 0
    let standing: ScanRecord | null = null
    const journal = this.database.scans.where('inventoryCountImportId').equals(inventoryCountImportId).reverse()
    await journal
      .until((scan) => {
        if (scan.kind === 'undo' && scan.undoes !== undefined) takenBack.add(scan.undoes)
        else if (scan.kind === 'undo') undone += 1
        else if (scan.kind === 'match' || scan.kind === 'note' || takenBack.has(scan.scanId)) return false
        else if (undone > 0) undone -= 1
        else if (scanId === undefined || scan.scanId === scanId) standing = scan
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
