// What this device says of itself to the server: per session how many rows it counted and their digest, what is unsent,
// and how the courier is doing. With it a submit can wait for the truth. One small request beside a flush, no heartbeat.

import { theDeviceDatabase, withReopen, type SessionRecord, type TenantDatabase } from './db.js'
import type { BatcherMachine } from './machines.js'
import { COUNT_IMPORTS } from './messages.js'
import { FetchError, type Requests } from './requests.js'

const COURIER_STATUS = '/maarg/poorti/CourierStatus'
/** Between two reports that nobody asked for. */
const EVERY_MS = 30_000
const SESSIONS_MAX = 200
/** `meta` key: sessions that the server may have been told to have something unsent. */
const TOLD_UNSENT = 'told-unsent'
/** How far back retries are told; the server knows those before. */
const RETRIES_MS = 24 * 3_600_000
const HOUR_MS = 3_600_000

/** What the app knows of itself. */
export type Details = Record<string, string | number | boolean | null>

export interface Manifest {
  deviceId: string
  itemCount: number
  digest: string
}

/** A device that took part in a session, as the server sees it. */
export interface SessionDevice {
  deviceId: string
  countedByUserLoginId: string | null
  countedByName: string | null
  /** Rows the server has of it. */
  itemCount: number
  /** Rows that it last said were not confirmed. */
  unsentCount: number | null
  oldestUnsentAt: string | null
  statedAt: string | null
  lastSeenAt: string | null
  standing: 'complete' | 'missing' | 'unknown'
}

/** What became of handing a session in. */
export type Submitted = { result: 'submitted'; session: SessionRecord } | { result: 'incomplete'; devices: SessionDevice[]; detail: string }

export interface Colleague {
  userLoginId: string
  name: string
  role: string
}

export class Standing {
  private reporting: Promise<void> | null = null
  private reportedAt = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly database: TenantDatabase,
    private readonly batcher: BatcherMachine,
    private readonly requests: Requests,
    private readonly details: () => Promise<Details>,
    /** What a manager asks of this device: `flush`, `sign-in`. */
    private readonly nudged: (nudge: string) => void,
  ) {}

  /** Something was delivered: the server may know how this device stands now. Never waited for, never shown when it fails. */
  reportSoon(): void {
    const wait = Math.max(2_000, this.reportedAt + EVERY_MS - Date.now())
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.report().catch(() => undefined)
    }, wait)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  report(): Promise<void> {
    this.reporting ??= this.reportOnce().finally(() => (this.reporting = null))
    return this.reporting
  }

  async manifest(inventoryCountImportId: string): Promise<Manifest | null> {
    const stated = await this.state(inventoryCountImportId)
    return stated && { deviceId: stated.deviceId, itemCount: stated.itemCount, digest: stated.digest }
  }

  /** Hands a session in. Everything of this device should have been sent before; the server looks at all devices. */
  async submit(inventoryCountImportId: string, reason: string | null): Promise<Submitted> {
    const manifest = await this.manifest(inventoryCountImportId)
    const body = { statusId: 'SESSION_SUBMITTED', ...(manifest ? { manifest } : {}), ...(reason ? { override: { reason } } : {}) }
    try {
      return { result: 'submitted', session: await this.update(inventoryCountImportId, body) }
    } catch (error) {
      if (!(error instanceof FetchError) || error.code !== 'session-incomplete') throw error
      return { result: 'incomplete', devices: (error.problem?.['devices'] ?? []) as SessionDevice[], detail: error.message }
    }
  }

  /** Gives a session to somebody, or to nobody in particular. */
  assign(inventoryCountImportId: string, assignedUserLoginId: string | null): Promise<SessionRecord> {
    return this.update(inventoryCountImportId, { assignedUserLoginId })
  }

  /** Lets a session that was handed in take counts again. */
  reopen(inventoryCountImportId: string): Promise<SessionRecord> {
    return this.update(inventoryCountImportId, { statusId: 'SESSION_ASSIGNED' })
  }

  async devices(inventoryCountImportId: string): Promise<SessionDevice[]> {
    return (await this.requests.get<{ items: SessionDevice[] }>(`${sessionPath(inventoryCountImportId)}/devices`)).items
  }

  async colleagues(inventoryCountImportId: string): Promise<Colleague[]> {
    return (await this.requests.get<{ items: Colleague[] }>(`${sessionPath(inventoryCountImportId)}/colleagues`)).items
  }

  private async update(inventoryCountImportId: string, body: object): Promise<SessionRecord> {
    const session = await this.requests.send<SessionRecord>('PUT', sessionPath(inventoryCountImportId), body)
    await withReopen(this.database, () => this.database.sessions.put(session))
    return session
  }

  private async reportOnce(): Promise<void> {
    this.reportedAt = Date.now()
    const { database } = this
    const device = await withReopen(database, () => database.device())
    if (!device) return
    const told = await this.toldUnsent()
    const listed = (await withReopen(database, () => database.sessions.toArray())).map(({ inventoryCountImportId }) => inventoryCountImportId)
    const sessions = []
    // First what was told to be unsent, though the session or its rows are nobody's here any more: it would stand for ever.
    for (const inventoryCountImportId of new Set([...told, ...listed])) {
      const stated = await this.state(inventoryCountImportId)
      if (!stated || (stated.itemCount === 0 && !told.includes(inventoryCountImportId))) continue
      const { itemCount, digest, unsent, oldestUnsentAt } = stated
      sessions.push({ inventoryCountImportId, itemCount, digest, unsentCount: unsent, oldestUnsentAt: asText(oldestUnsentAt) })
    }
    const telling = sessions.slice(0, SESSIONS_MAX)
    const courier = await theDeviceDatabase().courier()
    const queued = await withReopen(database, () => database.deliveries.where('state').anyOf('cut', 'custody').count())
    const details = {
      ...(await this.details()),
      queueLength: queued,
      attempts: courier?.failures ?? 0,
      lastErrorCode: courier?.lastError?.code ?? null,
      lastErrorDetail: courier?.lastError?.detail ?? null,
      lastErrorAt: asText(courier?.lastError?.at ?? null),
    }
    const retries = await this.retries()
    const body = { deviceId: device.deviceId, details, sessions: telling, ...(retries.length > 0 ? { retries } : {}) }
    // Before it is sent: the server may take it, and the answer be lost.
    await this.keepToldUnsent(telling.filter(({ unsentCount }) => unsentCount > 0), [])
    const answer = await this.requests.send<{ nudges?: string[] }>('POST', COURIER_STATUS, body)
    await this.keepToldUnsent([], telling.filter(({ unsentCount }) => unsentCount === 0))
    for (const nudge of answer.nudges ?? []) this.nudged(nudge)
  }

  /** How often deliveries were tried again, by the hour they were made in, as far as they are kept. */
  private async retries(): Promise<{ at: string; count: number }[]> {
    const since = Math.floor((Date.now() - RETRIES_MS) / HOUR_MS) * HOUR_MS
    const recent = await withReopen(this.database, () => this.database.deliveries.where('createdAt').above(since).toArray())
    const hours = new Map<number, number>()
    for (const { createdAt, attempts } of recent) {
      const hour = Math.floor(createdAt / HOUR_MS) * HOUR_MS
      if (attempts > 1) hours.set(hour, (hours.get(hour) ?? 0) + attempts - 1)
    }
    return [...hours].map(([hour, count]) => ({ at: new Date(hour).toISOString(), count }))
  }

  private async toldUnsent(): Promise<string[]> {
    const { meta } = this.database
    return ((await withReopen(this.database, () => meta.get(TOLD_UNSENT)))?.value as string[] | undefined) ?? []
  }

  private async keepToldUnsent(unsent: { inventoryCountImportId: string }[], settled: { inventoryCountImportId: string }[]): Promise<void> {
    const { database } = this
    await withReopen(database, () =>
      database.transaction('rw', database.meta, async () => {
        const told = new Set(await this.toldUnsent())
        for (const { inventoryCountImportId } of unsent) told.add(inventoryCountImportId)
        for (const { inventoryCountImportId } of settled) told.delete(inventoryCountImportId)
        await database.meta.put({ key: TOLD_UNSENT, value: [...told] })
      }),
    )
  }

  private async state(inventoryCountImportId: string) {
    const { database } = this
    const [device, items] = await withReopen(database, () =>
      database.transaction('r', [database.meta, database.items], async () => [
        await database.device(),
        await database.items.where({ inventoryCountImportId }).toArray(),
      ] as const),
    )
    return device && { deviceId: device.deviceId, ...this.batcher.call('manifest', { device, items }) }
  }
}

function sessionPath(inventoryCountImportId: string): string {
  return `${COUNT_IMPORTS}/${encodeURIComponent(inventoryCountImportId)}`
}

function asText(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
