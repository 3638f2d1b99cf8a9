// What the app says, in one place: truths, purposes, quantities and times in plain words.

import type { ItemRecord, SessionRecord, Truth } from '@ginti/courier/page'

export const TRUTHS: Record<Truth, string> = {
  saved: 'Saved here',
  sending: 'On its way',
  confirmed: 'Confirmed',
  refused: 'Needs attention',
}

/** From what needs a person to what needs nobody. */
const BY_URGENCY: Truth[] = ['refused', 'saved', 'sending', 'confirmed']

export function mostUrgent(rows: ItemRecord[]): Truth {
  return BY_URGENCY.find((truth) => rows.some((row) => row.truth === truth)) ?? 'confirmed'
}

export const PURPOSES: Record<SessionRecord['purposeType'], string> = {
  HARD_COUNT: 'Count everything',
  DIRECTED_COUNT: 'Count the list',
}

const STATUSES: Record<string, string> = {
  SESSION_CREATED: 'New',
  SESSION_ASSIGNED: 'Open',
  SESSION_SUBMITTED: 'Submitted',
  SESSION_APPROVED: 'Approved',
  SESSION_VOIDED: 'Cancelled',
}

export function statusWord(statusId: string): string {
  return STATUSES[statusId] ?? statusId
}

/** Counting goes on until a session is handed in. */
export function isOpen(statusId: string): boolean {
  return statusId === 'SESSION_CREATED' || statusId === 'SESSION_ASSIGNED'
}

const numbers = new Intl.NumberFormat(undefined, { maximumFractionDigits: 6 })

export function quantityText(quantity: number): string {
  return numbers.format(quantity)
}

/** Sums without the dust of binary fractions; quantities have six decimals. */
export function sum(quantities: number[]): number {
  return Math.round(quantities.reduce((total, quantity) => total + quantity, 0) * 1e6) / 1e6
}

export function pendingText(count: number): string {
  return count === 0 ? 'All confirmed' : `${numbers.format(count)} not yet confirmed`
}

const days = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' })
const times = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

export function dueText(dueDate: string | null): string {
  const due = dueDate ? new Date(dueDate) : null
  return due && !Number.isNaN(due.getTime()) ? `Due ${days.format(due)}` : 'No due date'
}

export function sinceText(at: number | null, now: number): string {
  if (at === null) return 'not yet'
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  return minutes < 12 * 60 ? `at ${times.format(at)}` : `${days.format(at)}, ${times.format(at)}`
}
