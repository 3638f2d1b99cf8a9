// Everything unsent in a file, and back from it on another device: for a phone that is about to be wiped, lent or given up.

import { withReopen, type TenantDatabase } from './db.js'
import type { ItemRecord } from './machine.js'
import type { BatcherMachine } from './machines.js'

const FORMAT = 'ginti-unsent-1'

/** A count as the file holds it. The row's id goes with it: should the first device deliver it after all, it is the same row. */
export type UnsentCount = Pick<
  ItemRecord,
  | 'inventoryCountImportId'
  | 'importItemSeqId'
  | 'productId'
  | 'productIdentifier'
  | 'quantity'
  | 'countedAt'
  | 'countedByUserLoginId'
  | 'isRequested'
  | 'locationSeqId'
  | 'note'
  | 'revision'
  | 'deviceId'
>

export interface UnsentFile {
  format: typeof FORMAT
  tenantId: string
  exportedAt: string
  counts: UnsentCount[]
}

/** What became of a file. */
export interface Restored {
  taken: ItemRecord[]
  /** Already here, as new or newer. */
  known: number
  /** Whose counts they are: each goes out once its counter has signed in on this device. */
  counters: string[]
}

/** Why a file was not taken; nothing of it was. */
export class TransferError extends Error {
  constructor(readonly code: 'unreadable' | 'other-company' | 'empty') {
    super(code)
  }
}

export async function exportUnsent(database: TenantDatabase): Promise<UnsentFile> {
  const unsent = await withReopen(database, () => database.items.where('truth').anyOf('saved', 'sending', 'refused').toArray())
  return { format: FORMAT, tenantId: database.tenantId, exportedAt: new Date().toISOString(), counts: unsent.map(asCount) }
}

/** All or nothing. A count that is here already, as new or newer, stays as it is. */
export async function restoreUnsent(database: TenantDatabase, batcher: BatcherMachine, text: string): Promise<Restored> {
  const { counts } = parse(text, database.tenantId)
  return withReopen(database, () =>
    database.transaction('rw', [database.items, database.scans, database.meta], async () => {
      const taken: ItemRecord[] = []
      for (const count of counts) {
        const device = await database.device()
        if (!device) throw new TransferError('unreadable')
        const here = await database.items.get([count.inventoryCountImportId, count.importItemSeqId])
        if (here && here.revision >= count.revision) continue
        const out = batcher.call('count', {
          now: Date.now(),
          device,
          item: here ? { ...here, note: count.note ?? null } : foreign(count),
          row: null,
          count: { kind: 'set', quantity: count.quantity },
          countedByUserLoginId: count.countedByUserLoginId,
          productIdentifier: count.productIdentifier,
        })
        // Attribution is of the counting, not of the carrying.
        out.item.countedAt = count.countedAt
        out.scan.countedAt = count.countedAt
        await database.scans.add(out.scan as typeof out.scan & { scanId: number })
        await database.items.put(out.item)
        await database.putDevice(out.device)
        taken.push(out.item)
      }
      const counters = [...new Set(taken.map(({ countedByUserLoginId }) => countedByUserLoginId))]
      return { taken, known: counts.length - taken.length, counters }
    }),
  )
}

function asCount(item: ItemRecord): UnsentCount {
  const { inventoryCountImportId, importItemSeqId, productId, productIdentifier, quantity, countedAt } = item
  const { countedByUserLoginId, isRequested, locationSeqId, note, revision, deviceId } = item
  return { inventoryCountImportId, importItemSeqId, productId, productIdentifier, quantity, countedAt, countedByUserLoginId, isRequested, locationSeqId, note, revision, deviceId }
}

/** As a row of another device that this one has seen. */
function foreign(count: UnsentCount): ItemRecord {
  return { ...count, own: false, countedHere: false, confirmed: null, custody: null, problem: null, late: false, restamps: 0, truth: 'saved' }
}

function parse(text: string, tenantId: string): UnsentFile {
  let file: Partial<UnsentFile> | null
  try {
    file = JSON.parse(text) as Partial<UnsentFile> | null
  } catch {
    throw new TransferError('unreadable')
  }
  if (file?.format !== FORMAT || !Array.isArray(file.counts) || !file.counts.every(isCount)) throw new TransferError('unreadable')
  if (file.tenantId !== tenantId) throw new TransferError('other-company')
  if (file.counts.length === 0) throw new TransferError('empty')
  return file as UnsentFile
}

function isCount(value: unknown): value is UnsentCount {
  const count = value as Partial<Record<keyof UnsentCount, unknown>> | null
  const texts: (keyof UnsentCount)[] = ['inventoryCountImportId', 'importItemSeqId', 'countedAt', 'countedByUserLoginId', 'deviceId']
  const numbers: (keyof UnsentCount)[] = ['quantity', 'revision']
  return (
    typeof count === 'object' &&
    count !== null &&
    texts.every((name) => typeof count[name] === 'string' && count[name] !== '') &&
    numbers.every((name) => typeof count[name] === 'number' && (count[name] as number) >= 0) &&
    (typeof count.productId === 'string' || typeof count.productIdentifier === 'string')
  )
}
