// Codes that nobody knows and no check digit speaks for: they may be pieces of a code that a scanner or a busy device cut.
// They are not counted before the person has said so; nothing waits for that.

import { shallowRef } from 'vue'

/** For so long a whole code may still explain its piece: the person has scanned again. */
const EXPLAINED_WITHIN_MS = 15_000

export interface Doubt {
  code: string
  /** How often it was scanned. */
  times: number
  askedAt: number
}

export function useDoubts(now: () => number = Date.now) {
  const open = shallowRef<Doubt[]>([])

  function ask(code: string): void {
    const before = open.value.find((doubt) => doubt.code === code)
    const others = open.value.filter((doubt) => doubt !== before)
    open.value = [{ code, times: (before?.times ?? 0) + 1, askedAt: now() }, ...others]
  }

  /** A code was counted: what was heard of it just before needs no answer any more. */
  function settle(code: string): void {
    const isPiece = (doubt: Doubt): boolean => code.endsWith(doubt.code) || code.startsWith(doubt.code) || doubt.code.endsWith(code)
    open.value = open.value.filter((doubt) => now() - doubt.askedAt > EXPLAINED_WITHIN_MS || !isPiece(doubt))
  }

  function drop(code: string): void {
    open.value = open.value.filter((doubt) => doubt.code !== code)
  }

  return { open, ask, settle, drop }
}
