// What the app says, in the person's language. Other languages than English are loaded when chosen, and are kept offline
// like everything else.

import { computed, ref, shallowRef } from 'vue'
import { en, type Key, type Messages } from './en'

export type { Key }

export const LANGUAGES = { en: 'English', hi: 'हिन्दी', de: 'Deutsch', es: 'Español' } as const
export type Language = keyof typeof LANGUAGES
export type Values = Record<string, string | number>

const KEPT = 'ginti-language'
const RIGHT_TO_LEFT = ['ar', 'fa', 'he', 'ur']
const LOADERS: Record<Language, () => Promise<Messages>> = {
  en: () => Promise.resolve(en),
  hi: () => import('./hi').then(({ hi }) => hi),
  de: () => import('./de').then(({ de }) => de),
  es: () => import('./es').then(({ es }) => es),
}

export const language = ref<Language>('en')
const messages = shallowRef<Messages>(en)
const plurals = computed(() => new Intl.PluralRules(language.value))
const numbers = computed(() => new Intl.NumberFormat(language.value, { maximumFractionDigits: 6 }))

/** The text of that key. A value `n` chooses between its forms. */
export function t(key: Key, values: Values = {}): string {
  return say(messages.value[key], values)
}

/** A message of any table, in the form that `n` asks for, filled in. */
export function say(message: string, values: Values): string {
  return fill(chosen(message, values, plurals.value), values)
}

/** What a stable code of server or courier means to a person; else what came with it. */
export function problemText(code: string | undefined, detail: string | undefined): string {
  const key = `error.${code ?? ''}`
  return key in messages.value ? t(key as Key) : (detail ?? t('letters.why'))
}

export function numberText(value: number): string {
  return numbers.value.format(value)
}

export async function useLanguage(wanted: Language): Promise<void> {
  messages.value = await LOADERS[wanted]()
  language.value = wanted
  document.documentElement.lang = wanted
  document.documentElement.dir = RIGHT_TO_LEFT.includes(wanted) ? 'rtl' : 'ltr'
  localStorage.setItem(KEPT, wanted)
}

/** The one chosen before, else the first of the browser's that there is. English stays when loading fails. */
export async function useOwnLanguage(): Promise<void> {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages].map((tag) => tag?.split('-')[0])
  const known = wanted.find((tag): tag is Language => tag !== undefined && tag in LANGUAGES)
  if (known && known !== 'en') await useLanguage(known).catch(() => undefined)
}

export function chosen(message: string, values: Values, rules: Intl.PluralRules): string {
  const [one, many] = message.split(' | ')
  if (many === undefined) return message
  return (typeof values['n'] === 'number' && rules.select(values['n']) === 'one' ? one : many) ?? message
}

function fill(message: string, values: Values): string {
  return message.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name]
    return value === undefined ? whole : typeof value === 'number' ? numberText(value) : value
  })
}
