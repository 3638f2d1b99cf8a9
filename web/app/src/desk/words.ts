// Numbers, times and standings of the manager's side in plain words.

import { FetchError } from '@ginti/courier/page'
import { language, numberText, problemText } from '../i18n'
import { d, hasDesk, type DeskKey } from '../i18n/desk'
import { momentText } from '../model/words'
import type { Alert } from './types'

/** What went wrong, for a person. */
export function troubleText(error: unknown): string {
  if (error instanceof FetchError) return error.code === 'offline' ? d('offline') : error.message || problemText(error.code, undefined)
  return (error as Error).message
}

/** With its sign. */
export function signed(value: number): string {
  return value > 0 ? `+${numberText(value)}` : numberText(value)
}

/** Money, without a currency: the tenant's own. */
export function money(value: number): string {
  return new Intl.NumberFormat(language.value, { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: 'exceptZero' }).format(value)
}

export function duration(ms: number | null): string {
  if (ms === null) return '–'
  if (ms < 1_000) return d('duration.ms', { n: ms })
  if (ms < 60_000) return d('duration.s', { n: Math.round(ms / 100) / 10 })
  if (ms < 3_600_000) return d('duration.min', { n: Math.round(ms / 60_000) })
  return d('duration.h', { n: Math.round(ms / 360_000) / 10 })
}

export function when(at: string | null): string {
  return at ? momentText(new Date(at)) : d('never')
}

/** Why counts were refused, as far as a manager can act on it; what only a programmer can act on goes by its code. */
export function refusalText(code: string): string {
  const key = `why.${code}`
  return hasDesk(key) ? d(key) : d('why.other', { code })
}

/** What an alert is about, in a sentence. */
export function alertText({ kind, subject, details }: Alert, people: Record<string, string>): string {
  const text = (member: string) => (typeof details[member] === 'string' ? details[member] : null)
  const number = (member: string) => (typeof details[member] === 'number' ? details[member] : 0)
  const person = text('userLoginId')
  const name = person ? (people[person] ?? person) : subject
  const key: DeskKey = `alert.${kind}`
  switch (kind) {
    case 'unsent-for-long':
      return d(key, { name, n: number('unsentCount'), when: when(text('oldestUnsentAt')) })
    case 'silent-with-unsent':
      return d(key, { name, n: number('unsentCount'), when: when(text('lastSeenAt')) })
    case 'counts-refused':
      return d(key, { name, why: refusalText(text('code') ?? '') })
    case 'delivery-dead':
      return d(key, { name: subject, n: number('messages') })
  }
}

export function runStatus(statusId: string): string {
  switch (statusId) {
    case 'CYCLE_CNT_CREATED':
      return d('run.created')
    case 'CYCLE_CNT_IN_PRGS':
      return d('run.progress')
    case 'CYCLE_CNT_CMPLTD':
      return d('run.completed')
    default:
      return d('run.closed')
  }
}
