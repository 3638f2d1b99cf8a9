// The page's part: counts, plans, hands over, settles. The truth is in this device's database at every moment; the
// courier (worker, or this page where no worker controls it) only carries copies.

import { tenantDatabase, theDeviceDatabase, withReopen, type ProductRecord, type TenantDatabase, type User } from './db.js'
import { Counting, type Counted, type CountRequest } from './counting.js'
import { Drain } from './drain.js'
import { Fetching, type Progress } from './fetching.js'
import type { ItemRecord, ScanRecord, Trigger, WakeCause } from './machine.js'
import { BatcherMachine, entropy, loadMachines, type WasmSource } from './machines.js'
import { COUNT_IMPORTS, CUSTODY_HEADER, openChannel, REALM_HEADER, type Broadcast, type ToWorker } from './messages.js'
import { Planning } from './planning.js'
import { Requests } from './requests.js'
import { Standing, type Details, type Submitted } from './standing.js'
import { exportUnsent, restoreUnsent, type Restored, type UnsentFile } from './transfer.js'
import type { Token, TokenSource } from './tokens.js'

export { isGtin, looksLikeCode, codeKeys, productKeys, checkDigit } from './codes.js'
export { tenantDatabase, theDeviceDatabase, withReopen } from './db.js'
export type { AssignmentRecord, ProductRecord, SessionRecord, TenantDatabase, User } from './db.js'
export type { Progress } from './fetching.js'
export { FetchError } from './requests.js'
export { ProductSearch, type FoundProduct } from './search.js'
export { Standing, type Colleague, type Details, type SessionDevice, type Submitted } from './standing.js'
export { TransferError, type Restored, type UnsentFile } from './transfer.js'
export type { Counted, CountRequest } from './counting.js'
export type * from './machine.js'
export { SignInError, Tokens, type Token, type TokenSource, type TokenEvent } from './tokens.js'
export { Wedge, type Typed } from './wedge.js'

const POKE_EVERY_MS = 15_000
const WORKER_ANSWERS_WITHIN_MS = 10_000
const WORKER_SAYS_WITHIN_MS = 2_000
/** A session is handed in with what has arrived by then; what has not is then said. */
const SUBMIT_WAITS_MS = 20_000
/** A worker that has not stirred about a batch for so long may be broken: the page delivers beside it. */
const WORKER_SILENT_MS = 90_000

export interface CourierPageOptions {
  tenantId: string
  /** Whose counts these are. */
  userLoginId: string
  tokens: TokenSource
  wasm: WasmSource
  /** The server, when it is not this page's own. */
  baseUrl?: string
  batcherConfig?: object
  courierConfig?: object
  /** What the server is told of this installation beside how its counts stand: version, browser, storage. */
  details?: () => Promise<Details>
}

/** What listeners hear. */
export interface CourierPageEvents {
  items: ItemRecord[]
  /** Deliveries, errors or contact changed. */
  status: undefined
  progress: Progress | null
  /** A manager asks something of this device: `flush` (being done already), `sign-in`. */
  nudged: string
}

/** What the person should know about the way to the server. */
export interface Status {
  lastContactAt: number | null
  /** The newest thing that went wrong, until something goes right after it. */
  lastError: { code: string; detail: string; at: number } | null
  gateClosed: boolean
}

export class CourierPage {
  readonly database: TenantDatabase
  private readonly batcher: BatcherMachine
  private readonly counting: Counting
  private readonly planning: Planning
  private readonly fetching: Fetching
  /** What the server is told of this device, and what it says of a session's devices. */
  readonly standing: Standing
  private readonly drain: Drain
  private readonly channel = openChannel()
  private readonly listeners = new Map<keyof CourierPageEvents, Set<(value: never) => void>>()
  private readonly stopping = new AbortController()
  private announcing: Promise<void> | null = null
  private interval: ReturnType<typeof setInterval> | undefined

  constructor(private readonly options: CourierPageOptions) {
    const { tenantId, userLoginId, tokens, baseUrl = '' } = options
    const batcher = new BatcherMachine(options.batcherConfig)
    this.batcher = batcher
    const changed = (items: ItemRecord[]) => this.changed(items)
    this.database = tenantDatabase(tenantId)
    this.counting = new Counting(this.database, batcher, userLoginId)
    this.planning = new Planning(this.database, batcher, {
      handOver: (batchId, body) => this.handOver(batchId, body),
      announce: () => this.announce(),
      ask: () => void this.refreshSessions().catch(() => undefined),
      refetch: (session) => void this.refreshSession(session).catch(() => undefined),
      changed,
    })
    const requests = new Requests(tenantId, tokens, baseUrl)
    this.standing = new Standing(this.database, batcher, requests, options.details ?? (() => Promise.resolve({})), (nudge) => this.nudged(nudge))
    this.fetching = new Fetching(
      this.database,
      batcher,
      requests,
      {
        changed,
        progress: (progress) => this.emit('progress', progress),
        epochChanged: () => void this.planning.plan('online'),
      },
    )
    this.drain = new Drain({ tokens, ready: () => loadMachines(() => options.wasm), courierConfig: options.courierConfig })
  }

  /** Listens to the browser and takes up what the last visit left. */
  start(): void {
    const { signal } = this.stopping
    this.channel.onmessage = ({ data }: MessageEvent<Broadcast>) => void this.hear(data)
    document.addEventListener('visibilitychange', () => this.wake(document.hidden ? 'hidden' : 'resume', 'visible'), { signal })
    globalThis.addEventListener('pagehide', () => this.wake('hidden', 'visible'), { signal })
    globalThis.addEventListener('online', () => this.wake('online', 'online'), { signal })
    this.interval = setInterval(() => void this.look().catch(() => undefined), POKE_EVERY_MS)
    this.wake('start', 'start')
  }

  stop(): void {
    this.stopping.abort()
    clearInterval(this.interval)
    this.channel.close()
    this.planning.stop()
    this.drain.stop()
    this.standing.stop()
  }

  async count(request: CountRequest): Promise<Counted> {
    const counted = await this.counting.count(request)
    this.dirtied([counted.item])
    return counted
  }

  /** Several counts that belong together: all of them or none. */
  async countAll(requests: CountRequest[]): Promise<Counted[]> {
    const counted = await this.counting.countAll(requests)
    this.dirtied(counted.map(({ item }) => item))
    return counted
  }

  /** Says which product an unknown code is. */
  async match(item: Pick<ItemRecord, 'inventoryCountImportId' | 'importItemSeqId'>, productId: string): Promise<Counted> {
    const counted = await this.counting.match(item.inventoryCountImportId, item.importItemSeqId, productId)
    this.dirtied([counted.item])
    return counted
  }

  /** Writes a note beside a row's count; null takes it away. */
  async annotate(item: Pick<ItemRecord, 'inventoryCountImportId' | 'importItemSeqId'>, note: string | null): Promise<Counted> {
    const noted = await this.counting.annotate(item.inventoryCountImportId, item.importItemSeqId, note)
    this.dirtied([noted.item])
    return noted
  }

  matchedProduct(inventoryCountImportId: string, code: string): Promise<ProductRecord | null> {
    return this.counting.matchedProduct(inventoryCountImportId, code)
  }

  /** What was done in a session, newest first. */
  journal(inventoryCountImportId: string, limit: number): Promise<ScanRecord[]> {
    return this.counting.journal(inventoryCountImportId, limit)
  }

  /** Takes back the newest scan, or the one that is named. */
  async undo(inventoryCountImportId: string, scanId?: number): Promise<Counted | null> {
    const counted = await this.counting.undo(inventoryCountImportId, scanId)
    if (counted) this.dirtied([counted.item])
    return counted
  }

  /** Sends a refused row again as it is. */
  async retry(item: Pick<ItemRecord, 'inventoryCountImportId' | 'importItemSeqId'>): Promise<void> {
    const changed = await this.counting.retry(item.inventoryCountImportId, item.importItemSeqId)
    if (changed) this.dirtied([changed])
    await this.flush('manual')
  }

  productsByCode(code: string): Promise<ProductRecord[]> {
    return this.counting.productsByCode(code)
  }

  private nudged(nudge: string): void {
    if (nudge === 'flush') void this.flush('manual').catch(() => undefined)
    this.emit('nudged', nudge)
  }

  /** Cuts what is unsent and wakes the courier. */
  async flush(trigger: Trigger = 'manual'): Promise<void> {
    await this.planning.plan(trigger)
    await this.poke('manual')
  }

  /** Somebody signed in: what waited at the gate goes on, and so do rows that were refused because of who was signed in before. */
  async signedIn(): Promise<void> {
    this.changed(await this.counting.retryAfterSignIn())
    await this.goOn()
  }

  /** A token was obtained: what waited at the gate goes on. */
  async goOn(): Promise<void> {
    const token = this.options.tokens.current()
    const worker = await activeWorker()
    if (token && worker) worker.postMessage({ type: 'ginti:token', token, cause: 'signedIn' } satisfies ToWorker)
    if (!isControlled()) void this.drain.wake('signedIn')
    await this.planning.plan('online')
  }

  /** Sends what is unsent, waits until all of the session is confirmed (or that takes too long), and hands it in. */
  async submit(inventoryCountImportId: string, reason: string | null = null): Promise<Submitted> {
    await this.planning.plan('submit')
    await this.poke('manual')
    const until = Date.now() + SUBMIT_WAITS_MS
    const open = () =>
      this.database.items.where('[inventoryCountImportId+truth]').anyOf([inventoryCountImportId, 'saved'], [inventoryCountImportId, 'sending']).count()
    while ((await withReopen(this.database, open)) > 0 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 250))
      await this.planning.settle()
    }
    return this.standing.submit(inventoryCountImportId, reason)
  }

  /** Everything that the server has not confirmed, for a file. */
  exportUnsent(): Promise<UnsentFile> {
    return exportUnsent(this.database)
  }

  /** Takes counts from such a file, of this device or another. */
  async restoreUnsent(text: string): Promise<Restored> {
    const restored = await restoreUnsent(this.database, this.batcher, text)
    this.dirtied(restored.taken)
    return restored
  }

  refreshSessions(): Promise<void> {
    return this.fetching.sessions()
  }

  refreshSession(inventoryCountImportId: string): Promise<void> {
    return this.fetching.items(inventoryCountImportId)
  }

  /** Sessions, lists, rows and catalogue, for a shift without network. */
  prefetch(): Promise<void> {
    return this.fetching.everything()
  }

  async status(): Promise<Status> {
    const device = await withReopen(this.database, () => this.database.device())
    const courier = await theDeviceDatabase().courier()
    const lastContactAt = Math.max(device?.lastContactAt ?? 0, courier?.lastContactAt ?? 0) || null
    const errors = [device?.lastError, courier?.lastError].filter((error) => error != null)
    const lastError = errors.sort((a, b) => b.at - a.at)[0] ?? null
    const isPast = lastError && lastContactAt && lastError.at < lastContactAt
    return { lastContactAt, lastError: isPast ? null : lastError, gateClosed: courier?.gate === 'closed' }
  }

  /** The version of the worker in charge; null when there is none, or it does not answer. */
  workerVersion(): Promise<string | null> {
    const worker = globalThis.navigator?.serviceWorker?.controller
    if (!worker) return Promise.resolve(null)
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = ({ data }: MessageEvent<{ version: string }>) => resolve(data.version || '?')
      setTimeout(() => resolve(null), WORKER_SAYS_WITHIN_MS)
      worker.postMessage({ type: 'ginti:ping' } satisfies ToWorker, [port2])
    })
  }

  on<Name extends keyof CourierPageEvents>(name: Name, listener: (value: CourierPageEvents[Name]) => void): () => void {
    const listeners = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  private wake(trigger: Trigger, cause: WakeCause): void {
    void this.planning.plan(trigger)
    if (trigger === 'hidden') return
    void this.planning.settle()
    void this.poke(cause)
  }

  /** The slow interval: nothing depends on a message having arrived. */
  private async look(): Promise<void> {
    await this.planning.settle()
    await this.planning.plan('tick')
    const open = await this.database.deliveries.where('state').anyOf('cut', 'custody').toArray()
    if (open.length === 0) return
    await this.poke('interval')
    const silentSince = Date.now() - WORKER_SILENT_MS
    const isSilent = open.some(({ heardAt, custodyAt, createdAt }) => Math.max(heardAt ?? 0, custodyAt ?? 0, createdAt) < silentSince)
    if (isSilent) void this.drain.wake('interval')
  }

  private async poke(cause: WakeCause): Promise<void> {
    const worker = await activeWorker()
    const token = this.options.tokens.current()
    if (worker && token) worker.postMessage({ type: 'ginti:token', token, cause: null } satisfies ToWorker)
    worker?.postMessage({ type: 'ginti:poke', cause } satisfies ToWorker)
    if (!isControlled()) void this.drain.wake(cause)
  }

  private async handOver(batchId: string, body: string): Promise<void> {
    if (isControlled() && (await this.askWorker(body))) return
    const url = new URL((this.options.baseUrl ?? '') + COUNT_IMPORTS, location.href).href
    await this.drain.queue.push({ url, body, batchId, realm: this.options.tenantId })
    void this.drain.wake('queued')
  }

  /** The worker answers as soon as the batch is in its queue. */
  private async askWorker(body: string): Promise<boolean> {
    const token = this.ownToken()
    const headers: Record<string, string> = { 'Content-Type': 'application/json', [REALM_HEADER]: this.options.tenantId }
    if (token) headers['Authorization'] = `Bearer ${token.accessToken}`
    try {
      const signal = AbortSignal.timeout(WORKER_ANSWERS_WITHIN_MS)
      const response = await fetch((this.options.baseUrl ?? '') + COUNT_IMPORTS, { method: 'POST', headers, body, signal })
      return response.status === 202 && response.headers.get(CUSTODY_HEADER) === 'courier'
    } catch {
      return false
    }
  }

  /** The token of the moment, unless someone of another company signed in meanwhile, in another tab. */
  private ownToken(): Token | null {
    const token = this.options.tokens.current()
    return token?.realm === this.options.tenantId ? token : null
  }

  /** Once at a time: every plan asks for it until it is done. */
  private announce(): void {
    this.announcing ??= this.announceOnce()
      .catch((error: unknown) => console.warn('ginti: the new id could not be told and will be tried again', error))
      .finally(() => (this.announcing = null))
  }

  /** Tells the server the id this device is to take; nothing is cut before. */
  private async announceOnce(): Promise<void> {
    if (this.options.tokens.current() && !this.ownToken()) return
    const device = await withReopen(this.database, () => this.database.device())
    if (!device?.nextDeviceId) return
    const { nextDeviceId, deviceId, retire } = device
    const announcement = { deviceId: nextDeviceId, formerDeviceId: deviceId, retireFormer: retire }
    const serverTime = await this.options.tokens.announce(announcement, POKE_EVERY_MS)
    // The cookie may be another company's: then its server has heard it, and ours has not.
    if (serverTime === null || !this.ownToken()) return
    await withReopen(this.database, () =>
      this.database.transaction('rw', this.database.meta, async () => {
        const now = await this.database.device()
        if (now?.nextDeviceId !== nextDeviceId) return
        await this.database.putDevice(this.batcher.call('announced', { device: now, serverTime }).device)
      }),
    )
    void this.planning.plan('online')
  }

  private async hear(word: Broadcast): Promise<void> {
    if (!('realm' in word) || word.realm !== this.options.tenantId) return
    if (word.type === 'items') {
      const items = (await this.database.items.bulkGet(word.keys)).filter((item) => item !== undefined)
      this.emit('items', items)
    } else if (word.type === 'answered') {
      await this.planning.settle()
      this.standing.reportSoon()
    }
    this.emit('status', undefined)
  }

  private dirtied(items: ItemRecord[]): void {
    this.changed(items)
    this.planning.noteDirty()
  }

  private changed(items: ItemRecord[]): void {
    if (items.length > 0) {
      this.emit('items', items)
      const keys = items.map(({ inventoryCountImportId, importItemSeqId }): [string, string] => [inventoryCountImportId, importItemSeqId])
      // A closed channel throws, and what was counted would be told to be lost.
      if (!this.stopping.signal.aborted) this.channel.postMessage({ type: 'items', realm: this.options.tenantId, keys } satisfies Broadcast)
    }
    this.emit('status', undefined)
  }

  private emit<Name extends keyof CourierPageEvents>(name: Name, value: CourierPageEvents[Name]): void {
    for (const listener of this.listeners.get(name) ?? []) (listener as (value: CourierPageEvents[Name]) => void)(value)
  }
}

/** Loads the machines, gives the device an identity if it has none, and starts. */
export async function createCourierPage(options: CourierPageOptions): Promise<CourierPage> {
  await loadMachines(() => options.wasm)
  const page = new CourierPage(options)
  await adoptIdentity(page.database, options.batcherConfig)
  page.start()
  return page
}

/** The id a sign-in gives: the tenant's own once known, else one made for the first sign-in. */
export async function deviceIdForSignIn(wasm: WasmSource): Promise<string> {
  const devices = theDeviceDatabase()
  const profile = await devices.profile()
  const known = profile && (await tenantDatabase(profile.tenantId).device())
  if (known) return known.deviceId
  const waiting = await devices.newcomer()
  if (waiting) return waiting.deviceId
  await loadMachines(() => wasm)
  const { device } = new BatcherMachine().call('newDevice', { entropy: entropy() })
  await devices.putNewcomer(device)
  return device.deviceId
}

/** Remembers who signed in. False when the tenant knows this device by another id than was told: refresh before sending. */
export async function rememberSignIn(user: User, deviceId: string): Promise<boolean> {
  const devices = theDeviceDatabase()
  const database = tenantDatabase(user.tenantId)
  const newcomer = await devices.newcomer()
  const known = await withReopen(database, () =>
    database.transaction('rw', database.meta, async () => {
      const device = await database.device()
      if (!device && newcomer) await database.putDevice(newcomer)
      return device ?? newcomer
    }),
  )
  if (newcomer) await devices.putNewcomer(null)
  await devices.putProfile(user)
  return known?.deviceId === deviceId
}

async function adoptIdentity(database: TenantDatabase, batcherConfig?: object): Promise<void> {
  await withReopen(database, () =>
    database.transaction('rw', database.meta, async () => {
      if (await database.device()) return
      const { device } = new BatcherMachine(batcherConfig).call('newDevice', { entropy: entropy() })
      await database.putDevice(device)
    }),
  )
}

function isControlled(): boolean {
  return Boolean(globalThis.navigator?.serviceWorker?.controller)
}

async function activeWorker(): Promise<ServiceWorker | null> {
  try {
    return (await globalThis.navigator?.serviceWorker?.getRegistration())?.active ?? null
  } catch {
    return null
  }
}
