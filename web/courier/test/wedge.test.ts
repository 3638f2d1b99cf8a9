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
  it('is heard to the end of its code', () => {
    const wedge = new Wedge()
    expect(type(wedge, '6291041500213', 1000, 4)).toEqual({ code: '6291041500213', slowestGapMs: 4 })
    expect(wedge.key({ key: 'Enter', at: 2000 })).toBeNull()
  })

  it('may end with Tab', () => {
    const wedge = new Wedge()
    wedge.key({ key: '4', at: 0 })
    expect(wedge.key({ key: 'Tab', at: 5 })?.code).toBe('4')
  })

  it('starts anew after a pause, so that half a word is not part of a code', () => {
    const wedge = new Wedge()
    for (const key of 'hel') wedge.key({ key, at: 0 })
    expect(type(wedge, '12345678', 300, 2)?.code).toBe('12345678')
  })

  it('goes on up to just under the pause', () => {
    const wedge = new Wedge()
    expect(type(wedge, '1234', 0, 299)?.code).toBe('1234')
  })

  it('is not finished by an Enter long after', () => {
    const wedge = new Wedge()
    for (const key of '12345678') wedge.key({ key, at: 0 })
    expect(wedge.key({ key: 'Enter', at: 300 })).toBeNull()
  })

  it('is not confused by shift and shortcuts', () => {
    const wedge = new Wedge()
    wedge.key({ key: 'Shift', at: 0 })
    wedge.key({ key: 'A', at: 1 })
    wedge.key({ key: 'c', at: 2, ctrlKey: true })
    wedge.key({ key: 'ArrowDown', at: 3 })
    expect(wedge.key({ key: 'Enter', at: 4 })?.code).toBe('A')
  })
})
