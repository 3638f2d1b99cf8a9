// When what a camera reads counts. It reads the same label thirty times a second, and now and then reads wrong.

import { isGtin } from '@ginti/courier/page'

/** Out of sight for so long, a label that comes back is another piece. */
const AWAY_MS = 1_200
const GTIN_LENGTHS = [8, 12, 13, 14]
const OTHER_LENGTH_MIN = 4

export class Sightings {
  private last: { code: string; at: number } | null = null
  /** Read once: without a check digit it takes two equal readings in a row. */
  private candidate: string | null = null

  /** A reading; null when nothing was in sight. Answers with a code that counts now. */
  read(text: string | null, at: number): string | null {
    const code = text?.trim() ?? ''
    if (!code) return null
    if (!this.isSure(code)) return null
    const isSame = this.last?.code === code && at - this.last.at < AWAY_MS
    this.last = { code, at }
    return isSame ? null : code
  }

  reset(): void {
    this.last = null
    this.candidate = null
  }

  private isSure(code: string): boolean {
    if (isGtin(code)) return true
    // As long as a GTIN and its check digit wrong: misread.
    if (/^\d+$/.test(code) && GTIN_LENGTHS.includes(code.length)) return false
    if (code.length < OTHER_LENGTH_MIN) return false
    const isSecond = this.candidate === code
    this.candidate = code
    return isSecond
  }
}

/** A UPC-E of eight digits as the UPC-A it stands for; null when it is none. */
export function expandUpcE(code: string): string | null {
  const [, system, digits, check] = /^([01])(\d{6})(\d)$/.exec(code) ?? []
  if (!system || !digits || !check) return null
  const last = Number(digits[5])
  const body =
    last <= 2
      ? `${digits.slice(0, 2)}${last}0000${digits.slice(2, 5)}`
      : last === 3
        ? `${digits.slice(0, 3)}00000${digits.slice(3, 5)}`
        : last === 4
          ? `${digits.slice(0, 4)}00000${digits.slice(4, 5)}`
          : `${digits.slice(0, 5)}0000${last}`
  const whole = `${system}${body}${check}`
  return isGtin(whole) ? whole : null
}
