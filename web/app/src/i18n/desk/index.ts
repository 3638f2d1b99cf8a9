// What the manager's side says: a table of its own, loaded with that side, so that whoever only counts does not carry it.

import { shallowRef, watch } from 'vue'
import { language, say, type Language, type Values } from '..'
import { en, type DeskKey, type DeskMessages } from './en'

export type { DeskKey }

const LOADERS: Record<Language, () => Promise<DeskMessages>> = {
  en: () => Promise.resolve(en),
  hi: () => import('./hi').then(({ hi }) => hi),
  de: () => import('./de').then(({ de }) => de),
  es: () => import('./es').then(({ es }) => es),
}

const messages = shallowRef<DeskMessages>(en)

watch(
  language,
  async (wanted) => {
    // English stays when loading fails.
    const loaded = await LOADERS[wanted]().catch(() => en)
    if (wanted === language.value) messages.value = loaded
  },
  { immediate: true },
)

/** Whether there is such a text: for keys that are put together from what the server says. */
export function hasDesk(key: string): key is DeskKey {
  return key in en
}

/** The text of that key. A value `n` chooses between its forms. */
export function d(key: DeskKey, values: Values = {}): string {
  return say(messages.value[key], values)
}
