// What the counting screen does: scans in their order, corrections, sending, and what it tells the person.

import { looksLikeCode, type CourierPage, type ItemRecord, type ProductRecord, type Status } from '@ginti/courier/page'
import { actionSheetController } from '@ionic/vue'
import { computed, ref, shallowRef } from 'vue'
import type { Flash } from '../components/LastScan.vue'
import { courier } from './account'
import { ScanLine } from './scans'
import { searchProducts } from './search'
import { SessionModel, type Group } from './session'
import { quantityText } from './words'

const NOTICE_MS = 6_000
const STATUS_AFTER_MS = 400

interface Notice {
  kind: 'unknown' | 'error' | 'info'
  text: string
}

/** What the keypad sets. */
interface Editing {
  productId: string | null
  productIdentifier: string | null
  importItemSeqId?: string
  name: string
  current: number
  note: string
}

export function useCounting(id: string) {
  const page = courier.value as CourierPage
  const model = new SessionModel(page, id)
  const lastKey = ref<string | null>(null)
  const last = computed(() => {
    void model.counted.value
    return lastKey.value === null ? null : model.find(lastKey.value)
  })
  const flash = ref<Flash | null>(null)
  const notice = ref<Notice | null>(null)
  const status = shallowRef<Status | null>(null)
  const isSending = ref(false)
  const editing = ref<Editing | null>(null)
  const line = new ScanLine((error) => say('error', `Not counted: ${error.message}`))
  let stops: (() => void)[] = []
  let noticeTimer: ReturnType<typeof setTimeout> | undefined
  let statusTimer: ReturnType<typeof setTimeout> | undefined

  async function open(): Promise<void> {
    stops = [page.on('items', (items) => void model.apply(items)), page.on('status', readStatusSoon)]
    const loading = model.load()
    // Scans wait until the rows are there: a row read before a scan must not replace the scan's.
    void line.add(performance.now(), () => loading.then(() => false))
    await loading
    await readStatus()
    // Other people's rows; without a network what is here stays.
    await page.refreshSession(id).catch(() => undefined)
    await readStatus()
  }

  function close(): void {
    clearTimeout(noticeTimer)
    clearTimeout(statusTimer)
    for (const stop of stops) stop()
  }

  /** Not at every scan: a burst must not wait behind status lines. */
  function readStatusSoon(): void {
    statusTimer ??= setTimeout(() => {
      statusTimer = undefined
      void readStatus()
    }, STATUS_AFTER_MS)
  }

  async function readStatus(): Promise<void> {
    status.value = await page.status()
  }

  function scan(code: string, at: number): void {
    void line.add(at, async () => countCode(code, await page.productsByCode(code)))
  }

  /** From the field: an exact code, else the first product found, else a code nobody knows. */
  function typed(text: string, at: number): void {
    void line.add(at, async () => {
      const exact = await page.productsByCode(text)
      if (exact.length > 0) return countCode(text, exact)
      const isNumber = /^\d{8,}$/.test(text)
      const [found] = isNumber ? [] : await searchProducts(page, text)
      if (found) return countProduct(found, null)
      if (looksLikeCode(text) && /\d/.test(text)) return countCode(text, [])
      say('unknown', `Nothing found for “${text}”.`)
      return false
    })
  }

  function pick(product: ProductRecord, at: number): void {
    void line.add(at, () => countProduct(product, null))
  }

  async function countCode(code: string, products: ProductRecord[]): Promise<boolean> {
    const [only] = products
    if (!only) return countUnknown(code)
    if (products.length === 1) return countProduct(only, code)
    const chosen = await choose(code, products)
    return chosen ? countProduct(chosen, code) : false
  }

  async function countProduct(product: ProductRecord, code: string | null): Promise<boolean> {
    model.introduce(product)
    const { item } = await page.count({
      inventoryCountImportId: id,
      productId: product.productId,
      productIdentifier: code ?? product.barcodes[0] ?? product.sku,
      count: { kind: 'add', quantity: 1 },
    })
    notice.value = null
    return show(item, 'known')
  }

  async function countUnknown(code: string): Promise<boolean> {
    const request = { inventoryCountImportId: id, productId: null, productIdentifier: code, count: { kind: 'add', quantity: 1 } as const }
    const { item } = await page.count(request)
    say('unknown', `${code} is not in the catalogue. Counted as an unknown code; a manager can match it later.`)
    return show(item, 'unknown')
  }

  function show(item: ItemRecord, kind: Flash['kind']): boolean {
    lastKey.value = model.groupOf(item)?.key ?? null
    flash.value = { kind, at: performance.now() }
    return true
  }

  function step(kind: 'add' | 'subtract', at: number): void {
    const group = last.value
    if (!group) return
    void line.add(at, async () => {
      const { item } = await page.count({ ...requestFor(group), count: { kind, quantity: 1 } })
      return show(item, 'known')
    })
  }

  function undo(): void {
    void line.add(performance.now(), async () => {
      const undone = await page.undo(id)
      if (!undone) {
        say('info', 'There is nothing to undo in this count.')
        return false
      }
      const isShown = show(undone.item, 'known')
      say('info', `Undone: ${last.value?.name ?? 'the last scan'} is ${quantityText(undone.item.quantity)} again.`)
      return isShown
    })
  }

  function requestFor(group: Group) {
    return {
      inventoryCountImportId: id,
      productId: group.productId,
      productIdentifier: group.own?.productIdentifier ?? group.rows[0]?.productIdentifier ?? null,
      importItemSeqId: group.own?.importItemSeqId,
    }
  }

  function edit(group: Group | null): void {
    if (!group) return
    const { productId, productIdentifier, importItemSeqId } = requestFor(group)
    const note = group.elsewhere > 0 ? `Your own count. ${quantityText(group.elsewhere)} more were counted elsewhere.` : ''
    editing.value = { productId, productIdentifier, importItemSeqId, name: group.name, current: group.own?.quantity ?? 0, note }
  }

  function editRow(row: ItemRecord): void {
    const { productId, productIdentifier, importItemSeqId, quantity } = row
    const name = model.groupOf(row)?.name ?? productIdentifier ?? importItemSeqId
    editing.value = { productId, productIdentifier, importItemSeqId, name, current: quantity, note: row.problem?.detail ?? '' }
  }

  async function editProduct(productId: string): Promise<void> {
    const product = await page.database.products.get(productId)
    if (product) model.introduce(product)
    const productIdentifier = product?.barcodes[0] ?? product?.sku ?? null
    editing.value = { productId, productIdentifier, name: product?.productName ?? productId, current: 0, note: '' }
  }

  function setQuantity(quantity: number): void {
    const target = editing.value
    editing.value = null
    if (!target) return
    const { productId, productIdentifier, importItemSeqId } = target
    void line.add(performance.now(), async () => {
      const count = { kind: 'set', quantity } as const
      const { item } = await page.count({ inventoryCountImportId: id, productId, productIdentifier, importItemSeqId, count })
      return show(item, 'known')
    })
  }

  function chooseGroup(group: Group): void {
    lastKey.value = group.key
    edit(group)
  }

  async function again(row: ItemRecord): Promise<void> {
    await page.retry(row)
  }

  async function send(): Promise<void> {
    isSending.value = true
    try {
      await page.flush('manual')
      await page.refreshSession(id).catch((error: unknown) => say('info', (error as Error).message))
      await readStatus()
    } finally {
      isSending.value = false
    }
  }

  function say(kind: Notice['kind'], text: string): void {
    clearTimeout(noticeTimer)
    notice.value = { kind, text }
    noticeTimer = setTimeout(() => (notice.value = null), NOTICE_MS)
  }

  return { page, model, last, flash, notice, status, isSending, editing, open, close, scan, typed, pick, step, undo, edit, editRow, editProduct, setQuantity, choose: chooseGroup, again, send }
}

/** Two products with one barcode: the person knows which one is in the hand. */
async function choose(code: string, products: ProductRecord[]): Promise<ProductRecord | null> {
  const sheet = await actionSheetController.create({
    header: `${code} is the code of ${products.length} products. Which one is it?`,
    buttons: [
      ...products.map((product) => ({ text: [product.productName, product.sku].filter(Boolean).join(' · '), data: product })),
      { text: 'None of them', role: 'cancel' },
    ],
  })
  await sheet.present()
  const { data } = await sheet.onDidDismiss<ProductRecord>()
  return data ?? null
}
