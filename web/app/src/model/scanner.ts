// The keyboard while counting: what a wedge scanner types goes to the count whatever has the focus, what a person types
// into the field goes there, and neither is taken twice.

import { isGtin, Wedge, type Typed } from '@ginti/courier/page'
import { settings } from './settings'

/** Nobody types with pauses this short; every scanner does. */
const SCANNER_GAP_MS_MAX = 40

export interface ScannerHost {
  field(): HTMLInputElement | undefined
  takeField(): string
  /** The keypad, while it is open. */
  keypad(): { press(key: string): void; apply(): void } | null
  closeKeypad(): void
  /** One code. It has more than one reading where it began with a pause and both it and its end have a right check digit. */
  scanned(readings: string[], at: number): void
  typed(text: string, at: number): void
}

export function useScanner(host: ScannerHost): { start(): void; forget(): void; stop(): void } {
  const wedge = new Wedge()

  // In the capturing phase and before any button: the Enter of a scanner must not press what has the focus.
  function hear(event: KeyboardEvent): void {
    if (event.isComposing) return
    const { key, ctrlKey, altKey, metaKey, timeStamp: at } = event
    const isInField = event.target !== null && event.target === host.field()
    // What is typed into another field is that field's, and leads no code.
    if (!isInField && isEditable(event.target)) return wedge.reset()
    const typed = wedge.key({ key, at, ctrlKey, altKey, metaKey })
    const keypad = host.keypad()
    if (keypad) {
      hearKeypad(event, typed, keypad)
    } else if (isInField && key === 'Enter') {
      swallow(event)
      hearField(host.takeField(), typed, at)
    } else if (isInField && typed && gtinsOf(typed).length > 0) {
      swallow(event)
      host.takeField()
      host.scanned(gtinsOf(typed), at)
    } else if (typed && codesOf(typed).length > 0 && !isInField) {
      swallow(event)
      host.scanned(codesOf(typed), at)
    }
  }

  function hearField(text: string, typed: Typed | null, at: number): void {
    if (!text) return
    // What a scanner typed behind a half-typed word is the code alone; of one that began elsewhere only the end is here.
    const gtins = typed ? gtinsOf(typed).filter((code) => text.endsWith(code) || code.endsWith(text)) : []
    // A scanner's number is never looked for among parts of other numbers.
    const isScannedNumber = typed !== null && typed.usualGapMs <= SCANNER_GAP_MS_MAX && /^\d{4,}$/.test(text)
    if (gtins.length > 0) host.scanned(gtins, at)
    else if (isScannedNumber) host.scanned([text], at)
    else host.typed(text, at)
  }

  function hearKeypad(event: KeyboardEvent, typed: Typed | null, keypad: { press(key: string): void; apply(): void }): void {
    if (isEditable(event.target)) return
    if (typed && isScan(typed)) {
      swallow(event)
      host.closeKeypad()
      host.scanned(codesOf(typed), event.timeStamp)
    } else if (event.key === 'Enter' && typed) {
      swallow(event)
      keypad.apply()
    } else if (/^[\d.,]$|^Backspace$/.test(event.key)) {
      keypad.press(event.key)
    }
  }

  return {
    start: () => document.addEventListener('keydown', hear, true),
    /** What was typed until now has been used otherwise. */
    forget: () => wedge.reset(),
    stop: () => {
      document.removeEventListener('keydown', hear, true)
      wedge.reset()
    },
  }
}

/** A code and not a quantity: a scanned label must never become a number of pieces. */
function isScan(typed: Typed): boolean {
  const [code = ''] = codesOf(typed)
  const isNumber = /^[\d.,]+$/.test(code)
  return code !== '' && (!isNumber || isGtin(code) || typed.usualGapMs <= SCANNER_GAP_MS_MAX)
}

/** Readings with a right check digit, the longest first. */
function gtinsOf({ readings }: Typed): string[] {
  return readings.filter(isGtin)
}

/** What this device's settings take for a code. Without a check digit only all of it can be one: a part is never taken for it. */
function codesOf(typed: Typed): string[] {
  const gtins = gtinsOf(typed)
  if (gtins.length > 0) return gtins
  const isCode = (text: string): boolean => !settings.onlyGtin && text.length >= settings.codeLengthMin
  return typed.readings.slice(0, 1).filter(isCode)
}

function swallow(event: Event): void {
  event.preventDefault()
  event.stopPropagation()
}

function isEditable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
