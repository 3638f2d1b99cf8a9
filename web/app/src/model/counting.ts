// What the counting screen does: scans in their order, corrections, places, matching, sending, and what it tells the person.

import { isGtin, looksLikeCode, type CourierPage, type CountRequest, type FoundProduct, type ItemRecord, type ProductRecord, type Status, type Submitted } from '@ginti/courier/page'
import { actionSheetController } from '@ionic/vue'
import { computed, reactive, ref, shallowRef } from 'vue'
import type { Flash } from '../components/LastScan.vue'
import { problemText, t } from '../i18n'
import { courier } from './account'
import { useDoubts, type Doubt } from './doubts'
import { feedback, type Answer } from './feedback'
import { ScanLine } from './scans'
import { productOf, searchProducts } from './search'
import { SessionModel, type Group } from './session'

const NOTICE_MS = 6_000
const STATUS_AFTER_MS = 400
/** How others get on is asked for so often, while one looks. */
const OTHERS_EVERY_MS = 20_000

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
  /** The row whose note is being written. */
  const noting = shallowRef<ItemRecord | null>(null)
  /** Where scans go; null: no place in particular. */
  const place = ref<string | null>(null)
  /** Products that others counted too, and the person has said what that means. */
  const decided = reactive(new Set<string>())
  /** The row that buttons beside what was counted last are about. */
  const lastRow = computed(() => (last.value ? ownRow(last.value) : null))
  const asksElsewhere = computed(() => last.value !== null && last.value.elsewhere > 0 && !decided.has(last.value.key))
  const doubts = useDoubts()
  const line = new ScanLine((error) => {
    feedback('failed')
    say('error', t('count.failed', { reason: error.message }))
  })
  let stops: (() => void)[] = []
  let noticeTimer: ReturnType<typeof setTimeout> | undefined
  let statusTimer: ReturnType<typeof setTimeout> | undefined

  async function open(): Promise<void> {
    const asking = setInterval(() => document.hidden || void page.refreshSession(id).catch(() => undefined), OTHERS_EVERY_MS)
    stops = [page.on('items', (items) => void model.apply(items)), page.on('status', readStatusSoon), () => clearInterval(asking)]
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

  /** Of several readings the one that the catalogue knows. */
  function scan(readings: string[], at: number): void {
    void line.add(at, async () => {
      for (const code of readings) {
        const products = await page.productsByCode(code)
        if (products.length > 0) return countCode(code, products)
      }
      return countCode(readings[0] ?? '', [])
    })
  }

  /** From the field: an exact code, else the first product found, else a code nobody knows. */
  function typed(text: string, at: number): void {
    void line.add(at, async () => {
      const exact = await page.productsByCode(text)
      if (exact.length > 0) return countCode(text, exact)
      const isNumber = /^\d{8,}$/.test(text)
      const [found] = isNumber ? [] : await searchProducts(page, text)
      const product = found && (await productOf(page, found))
      if (product) return countProduct(product, null)
      if (looksLikeCode(text) && /\d/.test(text)) return countCode(text, [])
      feedback('failed')
      say('unknown', t('count.notFound', { text }))
      return false
    })
  }

  function pick(found: FoundProduct, at: number): void {
    void line.add(at, async () => {
      const product = await productOf(page, found)
      return product ? countProduct(product, null) : false
    })
  }

  async function countCode(code: string, products: ProductRecord[]): Promise<boolean> {
    const [only] = products
    if (!only) {
      const matched = await page.matchedProduct(id, code)
      if (matched) return countProduct(matched, code)
      const isMeant = isGtin(code) || model.unmatched.value.some((group) => group.code === code)
      if (isMeant) return countUnknown(code, 1)
      doubts.ask(code)
      feedback('failed')
      return false
    }
    if (products.length === 1) return countProduct(only, code)
    const picked = await choose(code, products)
    return picked ? countProduct(picked, code) : false
  }

  async function countProduct(product: ProductRecord, code: string | null): Promise<boolean> {
    model.introduce(product)
    if (code !== null) doubts.settle(code)
    const { item } = await page.count({
      inventoryCountImportId: id,
      productId: product.productId,
      productIdentifier: code ?? product.barcodes[0] ?? product.sku,
      locationSeqId: place.value,
      count: { kind: 'add', quantity: 1 },
    })
    notice.value = null
    show(item, 'known')
    feedback(answerTo(item))
    return true
  }

  async function countUnknown(code: string, quantity: number): Promise<boolean> {
    doubts.settle(code)
    const count = { kind: 'add', quantity } as const
    const { item } = await page.count({ inventoryCountImportId: id, productId: null, productIdentifier: code, locationSeqId: place.value, count })
    say('unknown', t('count.notInCatalogue', { code }))
    show(item, 'unknown')
    feedback('unknown')
    return true
  }

  /** The person says that it is no piece of a code. */
  function countDoubt({ code, times }: Doubt): void {
    doubts.drop(code)
    void line.add(performance.now(), () => countUnknown(code, times))
  }

  function answerTo(item: ItemRecord): Answer {
    const group = model.groupOf(item)
    if (group && group.elsewhere > 0 && !decided.has(group.key)) return 'elsewhere'
    return item.isRequested === 'N' ? 'notOnList' : 'known'
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

  /** Takes back the newest scan, or the one of the journal that is named. */
  function undo(scanId?: number): Promise<void> {
    return line.add(performance.now(), async () => {
      const undone = await page.undo(id, scanId)
      if (!undone) {
        say('info', t('count.nothingToUndo'))
        return false
      }
      const isShown = show(undone.item, 'known')
      const name = last.value?.name ?? ''
      const { quantity } = undone.item
      say('info', quantity === 0 ? t('count.undoneZero', { name }) : t('count.undone', { name, quantity }))
      return isShown
    })
  }

  /** The row that a correction goes to: the device's own at this place, else its newest. */
  function ownRow(group: Group): ItemRecord | null {
    return group.rows.find((row) => row.own && row.locationSeqId === place.value) ?? group.own
  }

  function requestFor(group: Group): Omit<CountRequest, 'count'> {
    const own = ownRow(group)
    return {
      inventoryCountImportId: id,
      productId: group.productId,
      productIdentifier: own?.productIdentifier ?? group.rows[0]?.productIdentifier ?? null,
      importItemSeqId: own?.importItemSeqId,
      locationSeqId: place.value,
    }
  }

  function edit(group: Group | null): void {
    if (!group) return
    const { productId, productIdentifier, importItemSeqId } = requestFor(group)
    const own = group.rows.find((row) => row.importItemSeqId === importItemSeqId)
    const note = group.elsewhere > 0 ? t('count.own', { quantity: group.elsewhere }) : ''
    editing.value = { productId, productIdentifier, importItemSeqId, name: group.name, current: own?.quantity ?? 0, note }
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

  /** Something without a code: what was typed names it until it is matched. */
  function editByHand(text: string): void {
    editing.value = { productId: null, productIdentifier: text, name: text, current: 0, note: '' }
  }

  function setQuantity(quantity: number): void {
    const target = editing.value
    editing.value = null
    if (!target) return
    const { productId, productIdentifier, importItemSeqId } = target
    void line.add(performance.now(), async () => {
      const count = { kind: 'set', quantity } as const
      const { item } = await page.count({
        inventoryCountImportId: id,
        productId,
        productIdentifier,
        importItemSeqId,
        locationSeqId: place.value,
        count,
      })
      return show(item, 'known')
    })
  }

  /** Null takes the note away. */
  function setNote(note: string | null): void {
    const row = noting.value
    noting.value = null
    if (!row) return
    void line.add(performance.now(), async () => {
      await page.annotate(row, note)
      say('info', note === null ? t('note.cleared') : t('note.saved'))
      return true
    })
  }

  /** Looked for, and none there. */
  function zero(productIds: string[]): Promise<void> {
    return line.add(performance.now(), async () => {
      const products = await page.database.products.bulkGet(productIds)
      for (const product of products) if (product) model.introduce(product)
      const request = (productId: string, at: number): CountRequest => ({
        inventoryCountImportId: id,
        productId,
        productIdentifier: products[at]?.barcodes[0] ?? products[at]?.sku ?? null,
        locationSeqId: place.value,
        count: { kind: 'set', quantity: 0 },
      })
      await page.countAll(productIds.map(request))
      say('info', t('list.remainingDone', { n: productIds.length }))
      return true
    })
  }

  /** Others counted it too, at another place: both stay and are added up. */
  function another(): void {
    if (last.value) decided.add(last.value.key)
  }

  /** Only what is counted here holds: the others' rows go to zero, and stay in their history. */
  function recount(): void {
    const group = last.value
    if (!group) return
    decided.add(group.key)
    void line.add(performance.now(), async () => {
      const theirs = group.rows.filter((row) => !row.own && row.quantity > 0)
      const count = { kind: 'set', quantity: 0 } as const
      await page.countAll(
        theirs.map(({ importItemSeqId, productId, productIdentifier }) => ({
          inventoryCountImportId: id,
          productId,
          productIdentifier,
          importItemSeqId,
          count,
        })),
      )
      say('info', t('count.recounted', { name: group.name }))
      return true
    })
  }

  function match(group: Group, found: FoundProduct): Promise<void> {
    return line.add(performance.now(), async () => {
      const product = await productOf(page, found)
      if (!product) return false
      model.introduce(product)
      for (const row of group.rows) await page.match(row, product.productId)
      lastKey.value = product.productId
      say('info', t('match.done', { code: group.code, name: product.productName }))
      return true
    })
  }

  function chooseGroup(group: Group): void {
    lastKey.value = group.key
    edit(group)
  }

  async function again(row: ItemRecord): Promise<void> {
    await page.retry(row)
  }

  /** What was scanned before belongs to what is handed in. */
  async function submit(reason: string | null): Promise<Submitted> {
    await line.done()
    return page.submit(id, reason)
  }

  async function send(): Promise<void> {
    isSending.value = true
    try {
      await line.done()
      await page.flush('manual')
      await page.refreshSession(id).catch((error: unknown) => say('info', problemText((error as { code?: string }).code, (error as Error).message)))
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

  return {
    page,
    model,
    last,
    flash,
    notice,
    status,
    isSending,
    editing,
    noting,
    lastRow,
    place,
    asksElsewhere,
    doubts,
    countDoubt,
    open,
    close,
    scan,
    typed,
    pick,
    step,
    undo,
    edit,
    editRow,
    editProduct,
    editByHand,
    setQuantity,
    setNote,
    zero,
    another,
    recount,
    match,
    choose: chooseGroup,
    again,
    submit,
    send,
    say,
  }
}

/** Two products with one barcode: the person knows which one is in the hand. */
async function choose(code: string, products: ProductRecord[]): Promise<ProductRecord | null> {
  const sheet = await actionSheetController.create({
    header: t('count.whichProduct', { code, n: products.length }),
    buttons: [
      ...products.map((product) => ({ text: [product.productName, product.sku].filter(Boolean).join(' · '), data: product })),
      { text: t('count.noneOfThem'), role: 'cancel' },
    ],
  })
  await sheet.present()
  const { data } = await sheet.onDidDismiss<ProductRecord>()
  return data ?? null
}
