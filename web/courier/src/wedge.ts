// Collects what a keyboard-wedge scanner types, whatever has the focus: characters up to Enter or Tab.
// It keeps time and characters and nothing else; the host decides what a finished code means. A pause never throws
// characters away: a busy device or a weak radio pauses in the middle of a code as a person does before one.

/** What ended with an Enter or a Tab. */
export interface Typed {
  /** What it may be, the longest first: all of it, and what came after each pause. Never empty. */
  readings: string[]
  /** The usual pause between two of its characters: a scanner's is a few milliseconds, though one of them may be long. */
  usualGapMs: number
}

export interface WedgeKey {
  key: string
  at: number
  ctrlKey?: boolean
  altKey?: boolean
  metaKey?: boolean
}

export class Wedge {
  private text = ''
  /** Where in the text a new code may begin. */
  private begins: number[] = []
  private gaps: number[] = []
  private lastAt = 0

  constructor(
    /** After a pause this long a new code may begin. */
    private readonly pauseMs = 300,
    /** After a pause this long nothing before it belongs to what follows. */
    private readonly forgetMs = 5_000,
  ) {}

  /** Takes one key; answers with what was typed when the key ends it. */
  key({ key, at, ctrlKey, altKey, metaKey }: WedgeKey): Typed | null {
    if (ctrlKey || altKey || metaKey) return null
    if (this.text && at - this.lastAt >= this.forgetMs) this.reset()
    if (key === 'Enter' || key === 'Tab') return this.finish()
    if ([...key].length !== 1) return null
    if (this.text) this.gaps.push(at - this.lastAt)
    if (this.text && at - this.lastAt >= this.pauseMs) this.begins.push(this.text.length)
    this.text += key
    this.lastAt = at
    return null
  }

  reset(): void {
    this.text = ''
    this.begins = []
    this.gaps = []
  }

  private finish(): Typed | null {
    const readings = [0, ...this.begins].map((begin) => this.text.slice(begin).trim()).filter(Boolean)
    const usualGapMs = this.gaps.sort((one, other) => one - other)[this.gaps.length >> 1] ?? 0
    this.reset()
    return readings.length > 0 ? { readings: [...new Set(readings)], usualGapMs } : null
  }
}
