// Cuts batches, hands them to the courier and settles answers. Every read, decision and write is one transaction.

import { withReopen, type TenantDatabase } from './db.js'
import type { DeliveryRecord, ItemRecord, Trigger } from './machine.js'
import { entropy, type BatcherMachine } from './machines.js'

/** Rows looked at by one plan: all that may be on their way together, and one more to know that something is left. */
const PLAN_ITEMS_MAX = 6_001
/** Finished batches kept for telemetry, of each kind. */
const FINISHED_KEPT = 200
const HANDOVER_RETRY_MS = 15_000
const CURSOR = 'cursor:'

export interface PlanningHost {
  /** Resolves when a courier has custody; its error says why none has. */
  handOver(batchId: string, body: string): Promise<void>
  /** The id this device is to take has to be told to the server before anything is cut. */
  announce(): void
  /** The server has not been heard of for long: ask how it stands. */
  ask(): void
  /** Rows that changed. */
  changed(items: ItemRecord[]): void
  /** Another device wrote one of our rows. */
  refetch(inventoryCountImportId: string): void
}

export class Planning {
  private next: Trigger | null = null
  private running: Promise<void> | null = null
  private settling: Promise<void> | null = null
  private settleAgain = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private isStopped = false
  /** Rows wait and a plan that knows of them is armed or at work. */
  private isExpected = false

  constructor(
    private readonly database: TenantDatabase,
    private readonly batcher: BatcherMachine,
    private readonly host: PlanningHost,
  ) {}

  /** Plans now; calls that come meanwhile become one more plan. */
  plan(trigger: Trigger): Promise<void> {
    if (this.isStopped) return Promise.resolve()
    const isWeak = trigger === 'tick' || trigger === 'settled'
    if (!this.next || !isWeak) this.next = trigger
    this.running ??= this.run()
    return this.running
  }

  /** Something was counted: the first count since the last plan wakes the next one, the others go with it. */
  noteDirty(): void {
    if (this.isExpected) return
    this.isExpected = true
    this.arm(Date.now())
  }

  /** Turns every answer that has arrived into confirmations, re-stamps and dead letters. */
  settle(): Promise<void> {
    this.settleAgain = true
    this.settling ??= this.settleAll()
    return this.settling
  }

  /** For good: what is at work ends, and another page may plan for the same database. */
  stop(): void {
    this.isStopped = true
    this.next = null
    clearTimeout(this.timer)
  }

  private async run(): Promise<void> {
    while (this.next) {
      const trigger = this.next
      this.next = null
      try {
        await this.once(trigger)
      } catch (error) {
        console.warn('ginti: planning failed and will be tried again', error)
        this.arm(Date.now() + HANDOVER_RETRY_MS)
      }
    }
    // In the same breath as the last look for a trigger: one that comes later starts anew.
    this.running = null
  }

  private async once(trigger: Trigger): Promise<void> {
    const { database } = this
    const { items, deliveries } = database
    // What is counted from here on may be missed by this plan.
    this.isExpected = false
    const out = await this.inTransaction(async () => {
      const device = await database.device()
      if (!device) return null
      const saved = await items.where('[truth+revision]').between(['saved', 0], ['saved', Infinity]).limit(PLAN_ITEMS_MAX).toArray()
      const open = await deliveries.where('state').anyOf('cut', 'custody', 'answered').toArray()
      const heldItems = await items.where('truth').equals('sending').toArray()
      const planned = this.batcher.call('plan', { now: Date.now(), trigger, device, saved, open, heldItems, entropy: entropy() })
      await database.putDevice(planned.device)
      await items.bulkPut(planned.items)
      await deliveries.bulkPut(planned.deliveries)
      const isWaiting = (await items.where('truth').equals('saved').count()) > 0
      return { ...planned, isWaiting }
    })
    if (!out) return
    this.arm(this.isExpected ? Date.now() : (out.wakeAt ?? Infinity))
    this.isExpected ||= out.isWaiting
    this.host.changed(out.items)
    if (out.announce) this.host.announce()
    if (out.ask) this.host.ask()
    await Promise.all(out.sends.map(({ batchId, body }) => this.handOver(batchId, body)))
  }

  private async handOver(batchId: string, body: string): Promise<void> {
    let reason: string | null = null
    try {
      await this.host.handOver(batchId, body)
    } catch (error) {
      reason = (error as Error).message
    }
    const { database } = this
    const items = await this.inTransaction(async () => {
      const device = await database.device()
      const delivery = await database.deliveries.get(batchId)
      if (!device || !delivery) return []
      const now = Date.now()
      if (reason === null) {
        const out = this.batcher.call('handed', { now, device, delivery })
        await database.putDevice(out.device)
        await database.deliveries.put(out.delivery)
        return []
      }
      const named = await this.namedBy(delivery)
      const out = this.batcher.call('handoverFailed', { now, device, delivery, items: named, reason, entropy: entropy() })
      await database.putDevice(out.device)
      await database.items.bulkPut(out.items)
      await database.deliveries.put(out.delivery)
      return out.items
    })
    this.host.changed(items)
    if (reason !== null) this.arm(Date.now() + 1_000)
  }

  private async settleAll(): Promise<void> {
    const { database } = this
    let hasSettled = false
    try {
      while (this.settleAgain) {
        this.settleAgain = false
        const answered = await withReopen(database, () => database.deliveries.where('state').equals('answered').primaryKeys())
        for (const batchId of answered) await this.settleOne(batchId)
        hasSettled ||= answered.length > 0
      }
    } finally {
      this.settling = null
    }
    if (!hasSettled) return
    // There is room for what waited.
    if (this.isExpected) void this.plan('tick')
    await this.prune()
  }

  private async settleOne(batchId: string): Promise<void> {
    const { database } = this
    const out = await this.inTransaction(async () => {
      const device = await database.device()
      const delivery = await database.deliveries.get(batchId)
      if (!device || delivery?.state !== 'answered') return null
      const items = await this.namedBy(delivery)
      const settled = this.batcher.call('settle', { now: Date.now(), device, delivery, items, entropy: entropy() })
      await database.putDevice(settled.device)
      await database.items.bulkPut(settled.items)
      await database.deliveries.put(settled.delivery)
      // The count that holds may have been passed over while ours was unsent; the cursor is past it.
      if (settled.refetch) await database.meta.delete(cursorKey(delivery.inventoryCountImportId))
      const changed = settled.epochChanged ? await unconfirmCounted(database, this.batcher) : settled.items
      return { ...settled, changed }
    })
    if (!out) return
    this.host.changed(out.changed)
    if (out.planNow) void this.plan('settled')
    if (out.refetch) this.host.refetch(out.delivery.inventoryCountImportId)
  }

  private async namedBy(delivery: DeliveryRecord): Promise<ItemRecord[]> {
    const keys = delivery.items.map(({ importItemSeqId }): [string, string] => [delivery.inventoryCountImportId, importItemSeqId])
    return (await this.database.items.bulkGet(keys)).filter((item) => item !== undefined)
  }

  private async prune(): Promise<void> {
    const { deliveries } = this.database
    for (const state of ['settled', 'withdrawn']) {
      const finished = deliveries.where('[state+createdAt]').between([state, 0], [state, Infinity])
      const tooMany = (await finished.count()) - FINISHED_KEPT
      if (tooMany > 0) await deliveries.bulkDelete(await finished.limit(tooMany).primaryKeys())
    }
  }

  private inTransaction<T>(work: () => Promise<T>): Promise<T> {
    const { database } = this
    return withReopen(database, () => database.transaction('rw', [database.items, database.deliveries, database.meta], work))
  }

  private arm(at: number): void {
    clearTimeout(this.timer)
    if (at !== Infinity && !this.isStopped) this.timer = setTimeout(() => void this.plan('tick'), Math.max(0, at - Date.now()))
  }
}

/** Where the reading of a session's rows has come to: a `meta` key. */
export function cursorKey(inventoryCountImportId: string): string {
  return `${CURSOR}${inventoryCountImportId}`
}

/** The server's history is another one: every row counted here is sent again, everything there is read again. Inside the caller's transaction. */
export async function unconfirmCounted(database: TenantDatabase, batcher: BatcherMachine): Promise<ItemRecord[]> {
  const counted = await database.items.filter((item) => item.countedHere).toArray()
  const { items } = batcher.call('unconfirm', { items: counted })
  await database.items.bulkPut(items)
  await database.meta.where('key').startsWith(CURSOR).delete()
  return items
}
