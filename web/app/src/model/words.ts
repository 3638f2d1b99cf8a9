// Truths, purposes, quantities and times in plain words of the person's language.

import type { ItemRecord, SessionRecord, Truth } from '@ginti/courier/page'
import { language, numberText, t, type Key } from '../i18n'

/** From what needs a person to what needs nobody. */
const BY_URGENCY: Truth[] = ['refused', 'saved', 'sending', 'confirmed']

export function mostUrgent(rows: ItemRecord[]): Truth {
  return BY_URGENCY.find((truth) => rows.some((row) => row.truth === truth)) ?? 'confirmed'
}

export function truthText(truth: Truth): string {
  return t(`truth.${truth}`)
}

export function purposeText(purpose: SessionRecord['purposeType']): string {
  return purpose === 'HARD_COUNT' ? t('purpose.hard') : t('purpose.directed')
}

const STATUSES: Record<string, Key> = {
  SESSION_CREATED: 'status.created',
  SESSION_ASSIGNED: 'status.assigned',
  SESSION_SUBMITTED: 'status.submitted',
  SESSION_APPROVED: 'status.approved',
  SESSION_VOIDED: 'status.voided',
}

export function statusText(statusId: string): string {
  const key = STATUSES[statusId]
  return key ? t(key) : statusId
}

/** Counting goes on until a session is handed in. */
export function isOpen(statusId: string): boolean {
  return statusId === 'SESSION_CREATED' || statusId === 'SESSION_ASSIGNED'
}

export function quantityText(quantity: number): string {
  return numberText(quantity)
}

/** Sums without the dust of binary fractions; quantities have six decimals. */
export function sum(quantities: number[]): number {
  return Math.round(quantities.reduce((total, quantity) => total + quantity, 0) * 1e6) / 1e6
}

export function pendingText(count: number): string {
  return count === 0 ? t('truth.allConfirmed') : t('truth.pending', { n: count })
}

export function dueText(dueDate: string | null): string {
  const due = dueDate ? new Date(dueDate) : null
  return due && !Number.isNaN(due.getTime()) ? t('sessions.due', { when: dayText(due) }) : t('sessions.noDue')
}

export function sinceText(at: number | null, now: number): string {
  if (at === null) return t('truth.never')
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return t('truth.justNow')
  if (minutes < 60) return t('truth.minutesAgo', { n: minutes })
  return t('truth.at', { time: minutes < 12 * 60 ? timeText(at) : momentText(at) })
}

export function timeText(at: number | Date): string {
  return new Intl.DateTimeFormat(language.value, { hour: '2-digit', minute: '2-digit' }).format(at)
}

export function momentText(at: number | Date): string {
  return `${dayText(at)}, ${timeText(at)}`
}

function dayText(at: number | Date): string {
  return new Intl.DateTimeFormat(language.value, { weekday: 'short', day: 'numeric', month: 'short' }).format(at)
}
