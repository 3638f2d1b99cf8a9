// What the server knows and the device keeps for offline: sessions, lists to count, other devices' rows, the catalogue.
// Server rows are merged by the machine and never overwrite an unsent count.

import { productKeys } from './codes.js'
import { withReopen, type AssignmentRecord, type ProductRecord, type SessionRecord, type TenantDatabase } from './db.js'
import type { ItemRecord, RemoteItem } from './machine.js'
import type { BatcherMachine } from './machines.js'
import { COUNT_IMPORTS } from './messages.js'
import { cursorKey, unconfirmCounted } from './planning.js'
import { FetchError, type Requests } from './requests.js'
import { SearchBuilder } from './search.js'

const PAGE = 500
/** The catalogue's run under way: a `meta` key. */
const RUN = 'catalogueRun'
const RUN_GOOD_MS = 60 * 60_000
/** A list that is this many pages long is not a list. */
const PAGES_MAX = 2_000

interface Seen {
  epoch: string
  ledgerSeq: number
  serverTime: string
}

interface ItemsPage {
  items: RemoteItem[]
  ledgerSeq: number
  epoch: string
}

interface Position {
  after: number
  epoch: string | null
}

export interface Progress {
  what: 'catalogue' | 'session'
  done: number
  total: number
}

export interface FetchingHost {
  changed(items: ItemRecord[]): void
  progress(progress: Progress | null): void
  /** The server's history is another one: plan anew. */
  epochChanged(): void
}

export class Fetching {
  constructor(
    private readonly database: TenantDatabase,
    private readonly batcher: BatcherMachine,
    private readonly requests: Requests,
    private readonly host: FetchingHost,
  ) {}

  /** The sessions one may see. */
  async sessions(): Promise<void> {
    const answer = await this.requests.get<Seen & { items: SessionRecord[] }>(COUNT_IMPORTS)
    await this.seen(answer)
    const { sessions, items } = this.database
    await withReopen(this.database, () =>
      this.database.transaction('rw', [sessions, items], async () => {
        // A session that left the list stays while counts of it are unsent or refused: nobody would ever see them again.
        const unsettled = await items.where('truth').anyOf('saved', 'sending', 'refused').toArray()
        const kept = new Set(unsettled.map(({ inventoryCountImportId }) => inventoryCountImportId))
        await sessions.filter(({ inventoryCountImportId }) => !kept.has(inventoryCountImportId)).delete()
        await sessions.bulkPut(answer.items)
      }),
    )
  }

  /** Rows of a session that changed since the last look. A page may be short, even empty, and the cursor still move. */
  async items(inventoryCountImportId: string): Promise<void> {
    let isEpochSettled = false
    for (let page = 0; page < PAGES_MAX; page++) {
      const from = await this.position(inventoryCountImportId)
      const { after } = from
      const path = `${COUNT_IMPORTS}/${encodeURIComponent(inventoryCountImportId)}/items?after=${after}&limit=${PAGE}`
      const answer = await this.requests.get<ItemsPage>(path)
      if (!isEpochSettled && from.epoch !== answer.epoch) {
        // This cursor is not the end of the ledger: only the list of sessions says where that is.
        isEpochSettled = true
        await this.sessions()
        continue
      }
      const isTaken = await this.absorb(inventoryCountImportId, answer, from)
      if (isTaken && answer.ledgerSeq === after) return
    }
  }

  /** Where the reading of a session's rows has come to, and in which history of the server. */
  private async position(inventoryCountImportId: string): Promise<Position> {
    const cursor = (await this.database.meta.get(cursorKey(inventoryCountImportId)))?.value as { after: number } | undefined
    return { after: cursor?.after ?? 0, epoch: (await this.database.device())?.epoch ?? null }
  }

  /** The list of a directed count. */
  async assignments(inventoryCountImportId: string): Promise<void> {
    const listed: AssignmentRecord[] = []
    for (let page = 0; page < PAGES_MAX; page++) {
      const after = encodeURIComponent(listed.at(-1)?.importItemSeqId ?? '')
      const path = `${COUNT_IMPORTS}/${encodeURIComponent(inventoryCountImportId)}/assignments?after=${after}&limit=${PAGE}`
      const { items } = await this.requests.get<{ items: Omit<AssignmentRecord, 'inventoryCountImportId'>[] }>(path)
      if (items.length === 0) break
      listed.push(...items.map((line) => ({ ...line, inventoryCountImportId })))
    }
    const { assignments } = this.database
    await withReopen(this.database, () =>
      this.database.transaction('rw', assignments, async () => {
        await assignments.where({ inventoryCountImportId }).delete()
        await assignments.bulkPut(listed)
      }),
    )
  }

  /** The catalogue, page by page; what is there stays usable while the rest arrives. */
  async catalogue(): Promise<void> {
    const { products, meta } = this.database
    const search = new SearchBuilder()
    let after = await this.unfinished()
    // What an interrupted run has brought is not asked for again.
    const kept = new Set<string>()
    await products.where('productId').belowOrEqual(after).each((product) => {
      kept.add(product.productId)
      search.add(product)
    })
    for (let page = 0; page < PAGES_MAX; page++) {
      const path = `/maarg/poorti/Products?after=${encodeURIComponent(after)}&limit=${PAGE}`
      const answer = await this.requests.get<{ items: Omit<ProductRecord, 'codes' | 'text'>[]; total: number; next: string | null }>(path)
      const arrived = answer.items.map(searchable)
      await withReopen(this.database, () => products.bulkPut(arrived))
      for (const product of arrived) {
        kept.add(product.productId)
        search.add(product)
      }
      this.host.progress({ what: 'catalogue', done: kept.size, total: answer.total })
      if (!answer.next || answer.items.length === 0) break
      after = answer.next
      await meta.put({ key: RUN, value: { after, at: Date.now() } })
    }
    const gone = (await products.toCollection().primaryKeys()).filter((productId) => !kept.has(productId))
    await products.bulkDelete(gone)
    await search.write(this.database)
    await meta.delete(RUN)
    await meta.put({ key: 'catalogueAt', value: Date.now() })
  }

  /** Where a run that was interrupted not long ago has come to. */
  private async unfinished(): Promise<string> {
    const run = (await withReopen(this.database, () => this.database.meta.get(RUN)))?.value as { after: string; at: number } | undefined
    return run && Math.abs(Date.now() - run.at) < RUN_GOOD_MS ? run.after : ''
  }

  /** Everything a shift without network needs. */
  async everything(): Promise<void> {
    try {
      await this.sessions()
      const sessions = await this.database.sessions.toArray()
      for (const [index, { inventoryCountImportId, purposeType }] of sessions.entries()) {
        this.host.progress({ what: 'session', done: index, total: sessions.length })
        if (purposeType === 'DIRECTED_COUNT') await this.assignments(inventoryCountImportId)
        await this.items(inventoryCountImportId)
      }
      await this.catalogue()
    } finally {
      this.host.progress(null)
    }
  }

  /** Rows and cursor in one transaction. False when the reading was begun anew meanwhile: then these rows may be of a former history. */
  private async absorb(inventoryCountImportId: string, { items: remote, ledgerSeq }: ItemsPage, from: Position): Promise<boolean> {
    const { database } = this
    const keys = remote.map(({ importItemSeqId }): [string, string] => [inventoryCountImportId, importItemSeqId])
    const changed = await withReopen(database, () =>
      database.transaction('rw', [database.items, database.meta], async () => {
        const device = await database.device()
        if (!device) throw new FetchError('no-identity', 'This device has no identity yet. Sign in once while connected.')
        const now = await this.position(inventoryCountImportId)
        if (now.after !== from.after || now.epoch !== from.epoch) return null
        const local = (await database.items.bulkGet(keys)).filter((item) => item !== undefined)
        const out = this.batcher.call('absorb', { now: Date.now(), device, inventoryCountImportId, remote, local })
        await database.putDevice(out.device)
        await database.items.bulkPut(out.items)
        await database.meta.put({ key: cursorKey(inventoryCountImportId), value: { after: ledgerSeq } })
        return out.items
      }),
    )
    this.host.changed(changed ?? [])
    return changed !== null
  }

  private async seen({ epoch, ledgerSeq, serverTime }: Seen): Promise<void> {
    const { database } = this
    const changed = await withReopen(database, () =>
      database.transaction('rw', [database.items, database.meta], async () => {
        const device = await database.device()
        if (!device) return null
        const out = this.batcher.call('seen', { now: Date.now(), device, epoch, ledgerSeq, serverTime })
        await database.putDevice(out.device)
        return out.epochChanged ? unconfirmCounted(database, this.batcher) : null
      }),
    )
    if (!changed) return
    this.host.changed(changed)
    this.host.epochChanged()
  }
}

function searchable(product: Omit<ProductRecord, 'codes' | 'text'>): ProductRecord {
  const codes = productKeys(product)
  const text = [product.productName, product.sku ?? '', ...product.barcodes].join(' ').toLowerCase()
  return { ...product, codes, text }
}
