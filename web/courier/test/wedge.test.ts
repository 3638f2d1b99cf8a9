import { describe, expect, it } from 'vitest'
import { Wedge, type Typed } from '../src/wedge.js'

function type(wedge: Wedge, text: string, from: number, gapMs: number): Typed | null {
  let at = from
  for (const key of text) {
    expect(wedge.key({ key, at })).toBeNull()
    at += gapMs
  }
  return wedge.key({ key: 'Enter', at })
}

describe('a wedge scanner', () => {
  it('gives the code at Enter, and starts anew', () => {
    const wedge = new Wedge()
    expect(type(wedge, '6291041500213', 1000, 4)).toEqual({ readings: ['6291041500213'], usualGapMs: 4 })
    expect(wedge.key({ key: 'Enter', at: 2000 })).toBeNull()
  })

  it('takes Tab for an end', () => {
    const wedge = new Wedge()
    wedge.key({ key: '4', at: 0 })
    expect(wedge.key({ key: 'Tab', at: 5 })?.readings).toEqual(['4'])
  })

  it('says where a code may begin, and throws nothing away', () => {
    const wedge = new Wedge()
    for (const key of 'hel') wedge.key({ key, at: 0 })
    expect(type(wedge, '12345678', 300, 2)?.readings).toEqual(['hel12345678', '12345678'])
  })

  it('is one code while the pauses are short', () => {
    expect(type(new Wedge(), '1234', 0, 299)?.readings).toEqual(['1234'])
  })

  it('keeps a code whole whose keys a busy device delays', () => {
    const wedge = new Wedge()
    for (const key of '629104150') wedge.key({ key, at: 0 })
    const typed = type(wedge, '0213', 900, 4)
    expect(typed?.readings).toEqual(['6291041500213', '0213'])
    expect(typed?.usualGapMs).toBeLessThanOrEqual(4)
  })

  it('ends a code whose Enter is late', () => {
    const wedge = new Wedge()
    for (const key of '12345678') wedge.key({ key, at: 0 })
    expect(wedge.key({ key: 'Enter', at: 4_999 })?.readings).toEqual(['12345678'])
  })

  it('forgets after five seconds', () => {
    const wedge = new Wedge()
    for (const key of '12345678') wedge.key({ key, at: 0 })
    expect(wedge.key({ key: 'Enter', at: 5_000 })).toBeNull()
    for (const key of '99') wedge.key({ key, at: 6_000 })
    expect(type(wedge, '1234', 11_000, 2)?.readings).toEqual(['1234'])
  })

  it('hears characters and no other keys', () => {
    const wedge = new Wedge()
    wedge.key({ key: 'Shift', at: 0 })
    wedge.key({ key: 'A', at: 1 })
    wedge.key({ key: 'c', at: 2, ctrlKey: true })
    wedge.key({ key: 'ArrowDown', at: 3 })
    expect(wedge.key({ key: 'Enter', at: 4 })?.readings).toEqual(['A'])
  })
})
