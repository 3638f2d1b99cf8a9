// The rows of one session in memory, grouped by product, kept up to date by what the courier page says has changed.
// A scan touches one group; nothing is read again.

import type { AssignmentRecord, CourierPage, ItemRecord, ProductRecord, SessionRecord } from '@ginti/courier/page'
import { computed, shallowRef } from 'vue'
import { t } from '../i18n'
import { mostUrgent, sum } from './words'

/** Everything counted of one product, or of one unknown code. */
export interface Group {
  key: string
  productId: string | null
  name: string
  code: string
  rows: ItemRecord[]
  own: ItemRecord | null
  total: number
  elsewhere: number
  /** Counted in a session with a list that does not ask for it. */
  isNotOnList: boolean
  truth: ItemRecord['truth']
  newest: number
}

export interface ToCount {
  productId: string
  name: string
  code: string
  /** What should lie there, if one may know. */
  expected?: number | undefined
}

export class SessionModel {
  readonly record = shallowRef<SessionRecord | null>(null)
  readonly isLoaded = shallowRef(false)
  private readonly groups = new Map<string, Group>()
  /** The group each row is in: a code that is matched to a product later moves its row. */
  private readonly keys = new Map<string, string>()
  /** What changed while the rows were being read: it may be newer than what was read. */
  private meanwhile: ItemRecord[] | null = null
  private readonly order = shallowRef<Group[]>([])
  private readonly assigned = shallowRef<AssignmentRecord[]>([])
  private readonly products = new Map<string, ProductRecord>()

  /** Newest first. */
  readonly counted = computed(() => this.order.value)
  private readonly rows = computed(() => this.order.value.flatMap((group) => group.rows))
  readonly pending = computed(() => this.rows.value.filter((row) => row.truth !== 'confirmed').length)
  readonly refused = computed(() => this.rows.value.filter((row) => row.truth === 'refused'))
  readonly toCount = computed(() => {
    void this.order.value
    return this.assigned.value.filter(({ productId }) => !this.groups.has(productId)).map((row) => ({ ...this.describe(row.productId), expected: row.expectedQuantity }))
  })
  readonly requested = computed(() => this.assigned.value.length)
  readonly unmatched = computed(() => this.order.value.filter(({ productId }) => productId === null))
  readonly notOnList = computed(() => this.order.value.filter(({ isNotOnList }) => isNotOnList))
  /** Places that something was counted at. */
  readonly places = computed(() => [...new Set(this.rows.value.map(({ locationSeqId }) => locationSeqId).filter((place) => place !== null))].sort())

  constructor(
    private readonly page: CourierPage,
    readonly id: string,
  ) {}

  async load(): Promise<void> {
    this.meanwhile = []
    try {
      await this.read()
    } finally {
      const changed = this.meanwhile
      this.meanwhile = null
      await this.apply(changed)
    }
    this.isLoaded.value = true
  }

  private async read(): Promise<void> {
    const { database } = this.page
    const [record, items, assigned] = await Promise.all([
      database.sessions.get(this.id),
      database.items.where('inventoryCountImportId').equals(this.id).toArray(),
      database.assignments.where('inventoryCountImportId').equals(this.id).toArray(),
    ])
    this.record.value = record ?? null
    await this.learn([...items.map(({ productId }) => productId), ...assigned.map(({ productId }) => productId)])
    this.assigned.value = assigned
    this.groups.clear()
    this.keys.clear()
    const rows = new Map<string, ItemRecord[]>()
    for (const item of items) rows.set(keyOf(item), [...(rows.get(keyOf(item)) ?? []), item])
    for (const [key, grouped] of rows) this.groups.set(key, this.group(key, grouped))
    this.order.value = [...this.groups.values()].sort((a, b) => b.newest - a.newest)
  }

  /** The session itself may have been handed over or in. */
  async readRecord(): Promise<void> {
    this.record.value = (await this.page.database.sessions.get(this.id)) ?? this.record.value
  }

  /** A product the app is about to count: its name is known before its first row is. */
  introduce(product: ProductRecord): void {
    this.products.set(product.productId, product)
  }

  groupOf(item: ItemRecord): Group | null {
    return this.groups.get(keyOf(item)) ?? null
  }

  find(key: string): Group | null {
    return this.groups.get(key) ?? null
  }

  /** Takes in rows that changed; a product counted anew moves to the top. */
  async apply(items: ItemRecord[]): Promise<void> {
    const ours = items.filter((item) => item.inventoryCountImportId === this.id)
    if (ours.length === 0) return
    if (this.meanwhile) {
      this.meanwhile.push(...ours)
      return
    }
    const unknown = ours.map(({ productId }) => productId).filter((productId) => productId !== null && !this.products.has(productId))
    if (unknown.length > 0) await this.learn(unknown)
    const order = [...this.order.value]
    for (const item of ours) this.place(item, order)
    if (ours.length > 1) order.sort((a, b) => b.newest - a.newest)
    // A new list: what is computed from it compares by identity.
    this.order.value = order
  }

  private place(item: ItemRecord, order: Group[]): void {
    const key = keyOf(item)
    const before = this.groups.get(key)
    const known = before?.rows.find(({ importItemSeqId }) => importItemSeqId === item.importItemSeqId)
    // Two tabs may report the same row out of order. (Under a new device id a row may be stamped lower than before.)
    if (known && known.deviceId === item.deviceId && known.revision > item.revision) return
    const others = before?.rows.filter((row) => row !== known) ?? []
    this.leaveFormerGroup(item, key, order)
    const after = this.group(key, [...others, item])
    this.groups.set(key, after)
    const at = before ? order.indexOf(before) : -1
    if (at >= 0 && before?.newest === after.newest) {
      order[at] = after
      return
    }
    if (at >= 0) order.splice(at, 1)
    order.unshift(after)
  }

  private leaveFormerGroup(item: ItemRecord, key: string, order: Group[]): void {
    const former = this.groups.get(this.keys.get(item.importItemSeqId) ?? key)
    if (!former || former.key === key) return
    const rows = former.rows.filter(({ importItemSeqId }) => importItemSeqId !== item.importItemSeqId)
    const at = order.indexOf(former)
    if (rows.length === 0) {
      this.groups.delete(former.key)
      if (at >= 0) order.splice(at, 1)
      return
    }
    const left = this.group(former.key, rows)
    this.groups.set(former.key, left)
    if (at >= 0) order[at] = left
  }

  private group(key: string, rows: ItemRecord[]): Group {
    const { productId, productIdentifier } = rows[0] as ItemRecord
    const { name, code } = productId ? this.describe(productId) : { name: t('count.unknown'), code: productIdentifier ?? '' }
    for (const { importItemSeqId } of rows) this.keys.set(importItemSeqId, key)
    const own = rows.filter((row) => row.own).sort((a, b) => b.revision - a.revision)[0] ?? null
    return {
      key,
      productId,
      name,
      code,
      rows,
      own,
      total: sum(rows.map(({ quantity }) => quantity)),
      elsewhere: sum(rows.filter((row) => !row.own).map(({ quantity }) => quantity)),
      isNotOnList: this.record.value?.purposeType === 'DIRECTED_COUNT' && !rows.some(({ isRequested }) => isRequested === 'Y'),
      truth: mostUrgent(rows),
      newest: Math.max(...rows.map(({ revision }) => revision)),
    }
  }

  private describe(productId: string): ToCount {
    const product = this.products.get(productId)
    return { productId, name: product?.productName ?? t('count.product', { id: productId }), code: product?.barcodes[0] ?? product?.sku ?? productId }
  }

  private async learn(productIds: (string | null)[]): Promise<void> {
    const wanted = [...new Set(productIds.filter((productId) => productId !== null))]
    for (const product of await this.page.database.products.bulkGet(wanted)) {
      if (product) this.products.set(product.productId, product)
    }
  }
}

function keyOf(item: ItemRecord): string {
  return item.productId ?? `code:${item.productIdentifier ?? ''}`
}
