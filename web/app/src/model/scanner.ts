// The keyboard while counting: what a wedge scanner types goes to the count whatever has the focus, what a person types
// into the field goes there, and neither is taken twice.

import { isGtin, Wedge, type Typed } from '@ginti/courier/page'
import { settings } from './settings'

/** Nobody types four digits with pauses this short; every scanner does. */
const SCANNER_GAP_MS_MAX = 40

export interface ScannerHost {
  field(): HTMLInputElement | undefined
  takeField(): string
  /** The keypad, while it is open. */
  keypad(): { press(key: string): void; apply(): void } | null
  closeKeypad(): void
  scanned(code: string, at: number): void
  typed(text: string, at: number): void
}

export function useScanner(host: ScannerHost): { start(): void; stop(): void } {
  const wedge = new Wedge()

  // In the capturing phase and before any button: the Enter of a scanner must not press what has the focus.
  function hear(event: KeyboardEvent): void {
    if (event.isComposing) return
    const { key, ctrlKey, altKey, metaKey, timeStamp: at } = event
    const typed = wedge.key({ key, at, ctrlKey, altKey, metaKey })
    const isInField = event.target !== null && event.target === host.field()
    const keypad = host.keypad()
    if (keypad) {
      hearKeypad(event, typed, keypad)
    } else if (isInField && key === 'Enter') {
      swallow(event)
      const text = host.takeField()
      // What a scanner typed behind a half-typed word is the code alone.
      const scanned = typed && isGtin(typed.code) && text.endsWith(typed.code)
      if (scanned) host.scanned(typed.code, at)
      else if (text) host.typed(text, at)
    } else if (isInField && typed && isGtin(typed.code)) {
      swallow(event)
      host.takeField()
      host.scanned(typed.code, at)
    } else if (typed && isCode(typed.code) && !isEditable(event.target)) {
      swallow(event)
      host.scanned(typed.code, at)
    }
  }

  function hearKeypad(event: KeyboardEvent, typed: Typed | null, keypad: { press(key: string): void; apply(): void }): void {
    if (isEditable(event.target)) return
    if (typed && isScan(typed)) {
      swallow(event)
      host.closeKeypad()
      host.scanned(typed.code, event.timeStamp)
    } else if (event.key === 'Enter' && typed) {
      swallow(event)
      keypad.apply()
    } else if (/^[\d.,]$|^Backspace$/.test(event.key)) {
      keypad.press(event.key)
    }
  }

  return {
    start: () => document.addEventListener('keydown', hear, true),
    stop: () => {
      document.removeEventListener('keydown', hear, true)
      wedge.reset()
    },
  }
}

/** A code and not a quantity: a scanned label must never become a number of pieces. */
function isScan({ code, slowestGapMs }: Typed): boolean {
  if (isGtin(code)) return true
  const isNumber = /^[\d.,]+$/.test(code)
  return isCode(code) && (!isNumber || slowestGapMs <= SCANNER_GAP_MS_MAX)
}

/** What this device's settings take for a code. */
function isCode(code: string): boolean {
  return isGtin(code) || (!settings.onlyGtin && code.length >= settings.codeLengthMin)
}

function swallow(event: Event): void {
  event.preventDefault()
  event.stopPropagation()
}

function isEditable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
