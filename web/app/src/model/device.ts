// What this device holds and how it stands: for its own page, and for whoever helps from afar.

import type { CourierPage, DeliveryRecord, Details } from '@ginti/courier/page'
import { version } from '../../package.json'
import { isInstalled, isPersisted, storageUsed } from './install'

const BATCHES_SHOWN = 50

export const APP_VERSION = version

export interface DeviceView {
  deviceId: string
  counts: Record<'saved' | 'sending' | 'confirmed' | 'refused', number>
  batches: DeliveryRecord[]
  lastContactAt: number | null
  error: { code: string; detail: string; at: number } | null
  persisted: boolean | null
  used: number | null
  worker: string | null
}

export async function lookAtDevice(page: CourierPage): Promise<DeviceView> {
  const { database } = page
  const count = (truth: string) => database.items.where('truth').equals(truth).count()
  const [device, status, batches, persisted, used, worker] = await Promise.all([
    database.device(),
    page.status(),
    database.deliveries.orderBy('createdAt').reverse().limit(BATCHES_SHOWN).toArray(),
    isPersisted(),
    storageUsed(),
    page.workerVersion(),
  ])
  return {
    deviceId: device?.deviceId ?? '',
    counts: { saved: await count('saved'), sending: await count('sending'), confirmed: await count('confirmed'), refused: await count('refused') },
    batches,
    lastContactAt: status.lastContactAt,
    error: status.lastError,
    persisted,
    used,
    worker,
  }
}

/** What the server is told of this installation. */
export async function installation(page: CourierPage | null): Promise<Details> {
  return {
    appVersion: APP_VERSION,
    workerVersion: (await page?.workerVersion()) ?? null,
    browser: navigator.userAgent.slice(0, 200),
    language: navigator.language,
    installed: isInstalled(),
    storagePersisted: await isPersisted(),
    storageUsed: await storageUsed(),
  }
}

/** Everything that helps, and nothing that is secret: no names of products, no quantities, no tokens. */
export function supportText(view: DeviceView, user: string): string {
  const batches = view.batches.map(({ batchId, state, items, attempts, createdAt, lastError }) => ({
    batchId,
    state,
    items: items.length,
    attempts,
    createdAt: new Date(createdAt).toISOString(),
    lastError: lastError?.code ?? null,
  }))
  const { deviceId, counts, lastContactAt, error, persisted, used, worker } = view
  const about = { app: APP_VERSION, worker, user, deviceId, counts, persisted, used, browser: navigator.userAgent }
  const contact = { lastContactAt: lastContactAt && new Date(lastContactAt).toISOString(), lastError: error?.code ?? null }
  return JSON.stringify({ ...about, ...contact, at: new Date().toISOString(), batches }, null, 2)
}
