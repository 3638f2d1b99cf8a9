import { describe, expect, it } from 'vitest'
import { checkDigit, codeKeys, isGtin, looksLikeCode, productKeys } from '../src/codes.js'

describe('check digits', () => {
  it('are those of the standard', () => {
    expect(checkDigit('629104150021')).toBe(3)
    expect(isGtin('6291041500213')).toBe(true)
    expect(isGtin('030955168517')).toBe(checkDigit('03095516851') === 7)
  })

  it('tell a misread or truncated code from a whole one', () => {
    expect(isGtin('6291041500214')).toBe(false)
    expect(isGtin('629104150021')).toBe(false)
    expect(isGtin('62910415002131')).toBe(false)
    expect(isGtin('629104150021X')).toBe(false)
    expect(isGtin('')).toBe(false)
  })

  it('hold for every length that scanners read', () => {
    for (const body of ['1234567', '12345678901', '123456789012', '1234567890123']) {
      expect(isGtin(body + String(checkDigit(body)))).toBe(true)
    }
  })
})

describe('keys of a code', () => {
  const share = (a: string, b: string) => codeKeys(a).some((key) => codeKeys(b).includes(key))

  it('find a 13-digit listing by a 12-digit scan and the other way round', () => {
    expect(share('012345678905', '0012345678905')).toBe(true)
    expect(share('00012345678905', '012345678905')).toBe(true)
    expect(share('12345678905', '012345678905')).toBe(true)
  })

  it('keep different codes apart', () => {
    expect(share('012345678905', '112345678905')).toBe(false)
    expect(share('SKU-1', 'SKU-10')).toBe(false)
    expect(share('10440', '00000000010440')).toBe(false)
  })

  it('do not mind the case of a SKU', () => {
    expect(share('sku-0012', 'SKU-0012')).toBe(true)
    expect(productKeys({ sku: 'a1', barcodes: ['012345678905', ''] })).toEqual(['012345678905', 'gtin:00012345678905', 'A1'])
  })

  it('know what looks like a code', () => {
    expect(looksLikeCode('ABC-1234')).toBe(true)
    expect(looksLikeCode('abc')).toBe(false)
    expect(looksLikeCode('red helmet')).toBe(false)
    expect(looksLikeCode('9'.repeat(41))).toBe(false)
  })
})
