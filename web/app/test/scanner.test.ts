import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useScanner } from '../src/model/scanner'

/** The little of a page that the scanner listens to. */
class Element extends EventTarget {
  isContentEditable = false
  constructor(
    readonly tagName: string,
    public value = '',
  ) {
    super()
  }
}

const heard: string[] = []
const field = new Element('INPUT')
let keypad: { press(key: string): void; apply(): void } | null = null
const scanner = useScanner({
  field: () => field as unknown as HTMLInputElement,
  takeField: () => {
    const { value } = field
    field.value = ''
    return value
  },
  keypad: () => keypad,
  closeKeypad: () => (keypad = null),
  scanned: (code) => heard.push(`scanned ${code}`),
  typed: (text) => heard.push(`typed ${text}`),
})

let now = 0
beforeEach(() => {
  heard.length = 0
  keypad = null
  now += 10_000
  Object.assign(globalThis, { document: new EventTarget(), HTMLElement: Element })
  scanner.start()
})
afterEach(() => scanner.stop())

/** One key at the page; answers whether it was kept from what has the focus. */
function press(key: string, target: Element, gapMs = 5): boolean {
  const event = new Event('keydown', { cancelable: true })
  now += gapMs
  for (const [name, value] of Object.entries({ key, target, timeStamp: now })) Object.defineProperty(event, name, { value })
  document.dispatchEvent(event)
  if (!event.defaultPrevented && target === field && key.length === 1) field.value += key
  return event.defaultPrevented
}

function type(text: string, target: Element, gapMs?: number): void {
  for (const key of text) press(key, target, gapMs)
}

const button = new Element('BUTTON')
const CODE = '6291041500213'

describe('the keyboard while counting', () => {
  it('takes a scan whatever has the focus, and its Enter presses no button', () => {
    type(CODE, button)
    expect(press('Enter', button)).toBe(true)
    expect(heard).toEqual([`scanned ${CODE}`])
  })

  it('leaves a lone Enter to the button', () => {
    expect(press('Enter', button)).toBe(false)
    type('123', button)
    expect(press('Enter', button)).toBe(false)
    expect(heard).toEqual([])
  })

  it('counts once what is scanned into the field, also behind half a word', () => {
    type('hel', field, 120)
    now += 400
    type(CODE, field)
    press('Enter', field)
    expect(heard).toEqual([`scanned ${CODE}`])
    expect(field.value).toBe('')
  })

  it('gives the field what was typed by hand', () => {
    type('red helmet', field, 150)
    press('Enter', field)
    expect(heard).toEqual(['typed red helmet'])
  })

  it('leaves other fields alone', () => {
    const password = new Element('INPUT')
    type('secret-9', password)
    expect(press('Enter', password)).toBe(false)
    expect(heard).toEqual([])
  })

  it('knows a scan from a quantity while the keypad is open', () => {
    const keys: string[] = []
    keypad = { press: (key) => keys.push(key), apply: () => keys.push('set') }
    type('12', button, 150)
    press('Enter', button)
    expect(keys).toEqual(['1', '2', 'set'])
    type(CODE, button)
    press('Enter', button)
    expect(keypad).toBeNull()
    expect(heard).toEqual([`scanned ${CODE}`])
  })

  it('never sets a quantity from a scanned code that is no GTIN', () => {
    for (const code of ['ABC-1234', '12345', '2-77']) {
      const keys: string[] = []
      keypad = { press: (key) => keys.push(key), apply: () => keys.push('set') }
      heard.length = 0
      now += 1_000
      type(code, button)
      press('Enter', button)
      expect(keys).not.toContain('set')
      expect(heard).toEqual([`scanned ${code}`])
      expect(keypad).toBeNull()
    }
  })

  it('sets a long quantity that a person types', () => {
    const keys: string[] = []
    keypad = { press: (key) => keys.push(key), apply: () => keys.push('set') }
    type('1250', button, 120)
    press('Enter', button)
    expect(keys).toEqual(['1', '2', '5', '0', 'set'])
    expect(heard).toEqual([])
  })
})
