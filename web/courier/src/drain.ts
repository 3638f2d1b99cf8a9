// Carries out what the courier machine decides: look, send with a timeout, write the outcome durably, then delete.
// The same code runs in the worker and, where no worker controls the page, in the page.

import { tenantDatabase, theDeviceDatabase, withReopen } from './db.js'
import { withLock } from './lock.js'
import type { Answer, CourierEffect, CourierEvent, DeliveryRecord, ErrorNote, QueuedEntry, WakeCause } from './machine.js'
import { CourierMachine } from './machines.js'
import { COURIER_LOCK, DELIVERY_HEADER, openChannel, type Broadcast } from './messages.js'
import { BatchQueue, type QueuedBatch } from './queue.js'
import type { TokenSource } from './tokens.js'

const LOCK_WAIT_MS_MAX = 20_000
/** A wait this short is slept through while the browser keeps the worker awake for the event at hand. */
const NEAR_MS_MAX = 5_000
const TIMER_MS_MAX = 60 * 60_000
/** After trouble with this device's own storage. */
const TROUBLE_MS = 10_000
const ANSWER_CHARACTERS_MAX = 2 * 1024 * 1024

export interface DrainOptions {
  tokens: TokenSource
  /** Loads WebAssembly, once. */
  ready: () => Promise<void>
  queue?: BatchQueue
  courierConfig?: object
  /** Entries remain: ask the browser for a sync event. Never waited for. */
  onRemaining?: () => void
}

/** Nothing is left to learn by sending: taken back by the page, or a worker was killed after it wrote the answer. */
const DONE: (DeliveryRecord['state'] | undefined)[] = ['withdrawn', 'answered', 'settled']

/** These change what the gate knows, so they are heard even by an empty queue. */
const ALWAYS_HEARD: WakeCause[] = ['signedIn', 'manual']
/** These tell of a change; a mere look that comes behind must not make them forgotten. */
const NEWS: WakeCause[] = ['online', 'visible', 'sync', 'activate']

export class Drain {
  readonly queue: BatchQueue
  private running: Promise<void> | null = null
  private waiting: WakeCause | null = null
  private hurry: (() => void) | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly channel = openChannel()
  private isStopped = false

  constructor(private readonly options: DrainOptions) {
    this.queue = options.queue ?? new BatchQueue()
  }

  /** Ends when the queue is empty or has to wait. Wakes that come meanwhile become one more round. */
  wake(cause: WakeCause): Promise<void> {
    if (this.isStopped) return Promise.resolve()
    if (!this.waiting || weight(cause) >= weight(this.waiting)) this.waiting = cause
    this.hurry?.()
    this.running ??= this.rounds()
    return this.running
  }

  /** For good; a send on its way is still written down. */
  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
    this.channel.close()
  }

  private async rounds(): Promise<void> {
    try {
      while (this.waiting) await this.exclusively()
    } catch (error) {
      console.warn('ginti: delivering stopped and will be tried again', error)
      this.waiting = null
      this.arm(TROUBLE_MS, 'timer')
    } finally {
      // In the same breath as the last look for a wake: one that comes later starts anew.
      this.running = null
    }
  }

  private async exclusively(): Promise<void> {
    const work = () => this.round()
    if (await withLock(COURIER_LOCK, LOCK_WAIT_MS_MAX, work)) return
    if (!(await theDeviceDatabase().takeCourierOver(Date.now(), 3 * LOCK_WAIT_MS_MAX))) {
      // Another context is at it and alive.
      const cause = this.takeCause()
      this.arm(TROUBLE_MS, cause)
      return
    }
    // The holder is gone and the lock leaked. Sending twice is harmless, never sending is not.
    await work()
  }

  private async round(): Promise<void> {
    const cause = this.takeCause()
    let batches = await this.queue.all()
    if (batches.length === 0 && !ALWAYS_HEARD.includes(cause)) return
    await this.options.ready()
    const courier = new CourierMachine(this.options.courierConfig ?? {}, await theDeviceDatabase().courier())
    try {
      let event: CourierEvent | null = await this.wakeEvent(cause, batches)
      while (event) {
        const effects = courier.handle(event)
        event = null
        for (const effect of effects) {
          event = await this.carryOut(effect, batches)
        }
        if (event && 'wake' in event) {
          batches = await this.queue.all()
          event = await this.wakeEvent(event.wake.cause, batches)
        }
      }
    } finally {
      courier.free()
    }
  }

  private takeCause(): WakeCause {
    const cause = this.waiting ?? 'timer'
    this.waiting = null
    return cause
  }

  private async wakeEvent(cause: WakeCause, batches: QueuedBatch[]): Promise<CourierEvent> {
    const entries: QueuedEntry[] = []
    for (const { id, batchId, realm } of batches) {
      const delivery = await inTenant(realm, (database) => database.deliveries.get(batchId))
      entries.push({ id, batchId, realm, withdrawn: DONE.includes(delivery?.state) })
    }
    return { wake: { cause, entries, realm: this.options.tokens.current()?.realm ?? null } }
  }

  /** Answers with the next event, for the effects that end a list. */
  private async carryOut(effect: CourierEffect, batches: QueuedBatch[]): Promise<CourierEvent | null> {
    if (effect === 'idle') return null
    if ('persist' in effect) {
      await theDeviceDatabase().putCourier(effect.persist.record)
    } else if ('note' in effect) {
      const { batchId, realm, attempted, error } = effect.note
      await writeNote(realm, batchId, attempted, error)
      this.say({ type: 'noted', realm })
    } else if ('settle' in effect) {
      const { entry, batchId, realm, answer } = effect.settle
      if (answer) await writeAnswer(realm, batchId, answer)
      await this.queue.delete(entry)
      this.say({ type: 'answered', realm })
    } else if ('send' in effect) {
      return this.send(effect.send.entry, effect.send.timeoutMs, batches)
    } else if ('refresh' in effect) {
      return { refreshed: await this.options.tokens.refresh(effect.refresh.timeoutMs) }
    } else {
      return this.wait(effect.wait.until)
    }
    return null
  }

  private async send(entry: number, timeoutMs: number, batches: QueuedBatch[]): Promise<CourierEvent> {
    const batch = batches.find(({ id }) => id === entry)
    if (!batch) return { failed: { entry, failure: 'network' } }
    const token = this.options.tokens.current()
    // Somebody of another company signed in since the queue was looked at: look again.
    if (token && token.realm !== batch.realm) return { wake: { cause: 'poke', entries: [], realm: null } }
    const stored = batch.request.toRequest()
    const headers = new Headers(stored.headers)
    headers.set('Idempotency-Key', batch.batchId)
    headers.set(DELIVERY_HEADER, 'courier')
    if (token) headers.set('Authorization', `Bearer ${token.accessToken}`)
    try {
      const response = await fetch(new Request(stored, { headers, cache: 'no-store', signal: AbortSignal.timeout(timeoutMs) }))
      const body = (await response.text()).slice(0, ANSWER_CHARACTERS_MAX)
      const retryAfter = response.headers.get('Retry-After')
      const replayed = response.headers.get('Idempotency-Replayed') === 'true'
      return { answered: { entry, status: response.status, retryAfter, replayed, body } }
    } catch (error) {
      const timedOut = ['TimeoutError', 'AbortError'].includes((error as Error).name)
      return { failed: { entry, failure: timedOut ? 'timeout' : 'network' } }
    }
  }

  private async wait(until: number): Promise<CourierEvent | null> {
    this.options.onRemaining?.()
    const left = Math.max(0, until - Date.now())
    if (left > NEAR_MS_MAX) {
      this.arm(left, 'timer')
      return null
    }
    if (!this.waiting) {
      await new Promise<void>((resolve) => {
        this.hurry = resolve
        setTimeout(resolve, left)
      })
      this.hurry = null
    }
    return { wake: { cause: this.takeCause(), entries: [], realm: null } }
  }

  private arm(ms: number, cause: WakeCause): void {
    clearTimeout(this.timer)
    if (this.isStopped) return
    this.timer = setTimeout(() => void this.wake(cause), Math.min(ms, TIMER_MS_MAX))
  }

  private say(word: Broadcast): void {
    if (!this.isStopped) this.channel.postMessage(word)
  }
}

function weight(cause: WakeCause): number {
  if (ALWAYS_HEARD.includes(cause)) return 2
  return NEWS.includes(cause) ? 1 : 0
}

type TenantWork<T> = (database: ReturnType<typeof tenantDatabase>) => PromiseLike<T>

function inTenant<T>(realm: string, work: TenantWork<T>): Promise<T> {
  const database = tenantDatabase(realm)
  return withReopen(database, () => work(database))
}

async function writeNote(realm: string, batchId: string, attempted: boolean, error: ErrorNote | null): Promise<void> {
  const now = Date.now()
  await inTenant(realm, (database) =>
    database.deliveries.where('batchId').equals(batchId).modify((delivery: DeliveryRecord) => {
      delivery.heardAt = now
      if (attempted) {
        delivery.attempts += 1
        delivery.lastAttemptAt = now
      }
      delivery.lastError = error
    }),
  )
}

async function writeAnswer(realm: string, batchId: string, answer: Answer): Promise<void> {
  const now = Date.now()
  await inTenant(realm, (database) =>
    database.deliveries.where('batchId').equals(batchId).modify((delivery: DeliveryRecord) => {
      if (delivery.state === 'settled') return
      delivery.state = 'answered'
      delivery.answer = answer
      delivery.answeredAt = now
      delivery.heardAt = now
    }),
  )
}
