// The device's databases. `ginti-<tenant>` holds the truth: journal, rows, batches, catalogue. `ginti-device` holds what
// belongs to no tenant: who signed in last (never a token) and the courier's memory.

import Dexie, { type EntityTable, type Table } from 'dexie'
import type { CourierRecord, DeliveryRecord, DeviceRecord, ItemRecord, ScanRecord } from './machine.js'

/** A product of the catalogue: what is found by scanning or typing. */
export interface ProductRecord {
  productId: string
  productName: string
  sku: string | null
  barcodes: string[]
  /** Every key it is found by; see codes.ts. */
  codes: string[]
  /** Name and codes in lower case, for searching. */
  text: string
}

/** A counting session as the server last listed it. */
export interface SessionRecord {
  inventoryCountImportId: string
  countImportName: string
  facilityId: string
  facilityName: string
  purposeType: 'HARD_COUNT' | 'DIRECTED_COUNT'
  statusId: string
  dueDate: string | null
  createdDate: string
  itemsCounted: number
  itemsRequested: number | null
  /** Whose work it is; null: anybody's of the store. */
  assignedUserLoginId: string | null
  assignedUserName: string | null
  submittedDate: string | null
  /** Where in the store. Left out by older servers, as what follows. */
  areaName?: string | null
  /** Whoever counts is not shown what is expected. */
  isBlind?: boolean
}

/** One product a directed count asks for. */
export interface AssignmentRecord {
  inventoryCountImportId: string
  importItemSeqId: string
  productId: string
  /** What should lie there; left out of blind counts, and where nobody said. */
  expectedQuantity?: number
}

/** Who is signed in; the token lives in memory only. */
export interface User {
  userLoginId: string
  tenantId: string
  name: string
  role: string
  /** Null: all of the tenant's. */
  facilityIds: string[] | null
}

interface MetaRecord {
  key: string
  value: unknown
}

const TRUTHS = '[inventoryCountImportId+truth], truth, [truth+revision]'

export class TenantDatabase extends Dexie {
  declare scans: EntityTable<ScanRecord & { scanId: number }, 'scanId'>
  declare items: Table<ItemRecord, [string, string]>
  declare deliveries: EntityTable<DeliveryRecord, 'batchId'>
  declare products: EntityTable<ProductRecord, 'productId'>
  declare assignments: Table<AssignmentRecord, [string, string]>
  declare sessions: EntityTable<SessionRecord, 'inventoryCountImportId'>
  declare meta: EntityTable<MetaRecord, 'key'>

  constructor(readonly tenantId: string) {
    // Strict: a scan that was shown as saved survives a dead battery.
    super(`ginti-${tenantId}`, { chromeTransactionDurability: 'strict', cache: 'disabled' })
    this.version(1).stores({
      scans: '++scanId, [inventoryCountImportId+importItemSeqId], inventoryCountImportId',
      items: `[inventoryCountImportId+importItemSeqId], inventoryCountImportId, ${TRUTHS}, [inventoryCountImportId+productId], [inventoryCountImportId+productIdentifier]`,
      deliveries: 'batchId, state, createdAt, [state+createdAt]',
      products: 'productId, *codes, productName',
      assignments: '[inventoryCountImportId+importItemSeqId], [inventoryCountImportId+productId], inventoryCountImportId',
      sessions: 'inventoryCountImportId',
      meta: 'key',
    })
  }

  /** The device record, or null on a device that has never counted for this tenant. */
  async device(): Promise<DeviceRecord | null> {
    return ((await this.meta.get('device'))?.value as DeviceRecord | undefined) ?? null
  }

  async putDevice(device: DeviceRecord): Promise<void> {
    await this.meta.put({ key: 'device', value: device })
  }
}

export class DeviceDatabase extends Dexie {
  private declare kept: EntityTable<MetaRecord, 'key'>

  constructor() {
    super('ginti-device', { chromeTransactionDurability: 'strict', cache: 'disabled' })
    this.version(1).stores({ kept: 'key' })
  }

  profile(): Promise<User | null> {
    return this.read('profile')
  }

  putProfile(user: User | null): Promise<void> {
    return this.write('profile', user)
  }

  courier(): Promise<CourierRecord | null> {
    return this.read('courier')
  }

  putCourier(record: CourierRecord): Promise<void> {
    return this.write('courier', record)
  }

  /** For who could not get the lock: takes the courier's place, unless an attempt no older than `ms` says that somebody is at it.
   *  Of several that ask at once only one gets it. An attempt in the future was made before the clock was set back. */
  takeCourierOver(now: number, ms: number): Promise<boolean> {
    return withReopen(this, () =>
      this.transaction('rw', this.kept, async () => {
        const record = (await this.kept.get('courier'))?.value as CourierRecord | undefined
        if (!record) return true
        if (Math.abs(now - (record.lastAttemptAt ?? 0)) < ms) return false
        await this.kept.put({ key: 'courier', value: { ...record, lastAttemptAt: now } })
        return true
      }),
    )
  }

  /** The identity made for the first sign-in, before it is known which tenant it belongs to. */
  newcomer(): Promise<DeviceRecord | null> {
    return this.read('newcomer')
  }

  putNewcomer(device: DeviceRecord | null): Promise<void> {
    return this.write('newcomer', device)
  }

  private async read<T>(key: string): Promise<T | null> {
    return withReopen(this, async () => ((await this.kept.get(key))?.value as T | undefined) ?? null)
  }

  private async write(key: string, value: unknown): Promise<void> {
    await withReopen<unknown>(this, () => (value === null ? this.kept.delete(key) : this.kept.put({ key, value })))
  }
}

const tenants = new Map<string, TenantDatabase>()
let deviceDatabase: DeviceDatabase | null = null

/** This context's connection to a tenant's database. */
export function tenantDatabase(tenantId: string): TenantDatabase {
  let database = tenants.get(tenantId)
  if (!database) {
    database = new TenantDatabase(tenantId)
    tenants.set(tenantId, database)
  }
  return database
}

export function theDeviceDatabase(): DeviceDatabase {
  return (deviceDatabase ??= new DeviceDatabase())
}

/** Runs `work`; when the connection was lost (iOS drops it while suspended), reopens and tries once more. */
export async function withReopen<T>(database: Dexie, work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isConnectionLost(error)) throw error
    database.close({ disableAutoOpen: false })
    await database.open()
    return await work()
  }
}

const LOST = ['DatabaseClosedError', 'InvalidStateError', 'DatabaseClosed', 'InvalidState']

function isConnectionLost(error: unknown): boolean {
  const { name, message, inner } = error as { name?: string; message?: string; inner?: { name?: string; message?: string } }
  const text = `${message ?? ''} ${inner?.message ?? ''}`
  return LOST.includes(name ?? '') || LOST.includes(inner?.name ?? '') || /connection .*(lost|closing|closed)/i.test(text)
}
