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
  scanned: (readings) => heard.push(`scanned ${[readings].flat().join(' or ')}`),
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
    type('half a word', password)
    now += 400
    type('OLD-LABEL-77', button)
    press('Enter', button)
    expect(heard).toEqual(['scanned OLD-LABEL-77'])
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
  it('counts a code whose keys come with pauses as one, wherever the pause falls', () => {
    for (let at = 1; at <= CODE.length; at++) {
      heard.length = 0
      now += 10_000
      type(CODE.slice(0, at), button)
      now += 700
      type(CODE.slice(at), button)
      expect(press('Enter', button)).toBe(true)
      expect(heard).toEqual([`scanned ${CODE}`])
    }
  })

  it('tells two quick scans apart, however late the page hears the keys', () => {
    // All keys have waited: they are heard at once, with the time at which they were struck.
    for (let round = 0; round < 2; round++) {
      type(CODE, button)
      press('Enter', button)
    }
    // And with pauses of a busy device inside both and between them.
    for (let round = 0; round < 2; round++) {
      type(CODE.slice(0, 9), button)
      now += 1_500
      type(CODE.slice(9), button)
      now += 400
      press('Enter', button)
    }
    expect(heard).toEqual(Array(4).fill(`scanned ${CODE}`))
  })

  it('takes a code behind stray keys for itself, and one of no check digit only whole', () => {
    type('12', button, 120)
    now += 600
    type(CODE, button)
    press('Enter', button)
    type('ABC-', button)
    now += 600
    type('1234', button)
    press('Enter', button)
    expect(heard).toEqual([`scanned ${CODE}`, 'scanned ABC-1234'])
  })

  it('leaves it to the catalogue where both a code and its end have a right check digit', () => {
    type('10009', button)
    now += 600
    type('96385074', button)
    press('Enter', button)
    expect(heard).toEqual(['scanned 1000996385074 or 96385074'])
  })

  it('keeps a code whole whose end goes to the field', () => {
    type(CODE.slice(0, 9), button)
    type(CODE.slice(9), field)
    press('Enter', field)
    expect(heard).toEqual([`scanned ${CODE}`])
    expect(field.value).toBe('')
  })

  it('does not search the catalogue for a piece of a code that a scanner left in the field', () => {
    type('0213', field)
    press('Enter', field)
    type('0213', field, 130)
    press('Enter', field)
    expect(heard).toEqual(['scanned 0213', 'typed 0213'])
  })

  it('never sets a quantity from a scan that pauses', () => {
    for (const code of [CODE, '12345']) {
      const keys: string[] = []
      keypad = { press: (key) => keys.push(key), apply: () => keys.push('set') }
      heard.length = 0
      now += 10_000
      type(code.slice(0, 3), button)
      now += 500
      type(code.slice(3), button)
      press('Enter', button)
      expect(keys).not.toContain('set')
      expect(heard).toEqual([`scanned ${code}`])
    }
  })

  it('forgets what was typed into the field when something was picked there', () => {
    type(CODE, field, 120)
    field.value = ''
    scanner.forget()
    expect(press('Enter', button)).toBe(false)
    expect(heard).toEqual([])
  })
})
