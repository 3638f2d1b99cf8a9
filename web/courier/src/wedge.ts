// Collects what a keyboard-wedge scanner types, whatever has the focus: characters up to Enter or Tab.
// It keeps time and characters and nothing else; the host decides what a finished code means.

/** What a finished code was made of. */
export interface Typed {
  code: string
  /** The longest pause between two of its characters: a scanner's is a few milliseconds. */
  slowestGapMs: number
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
  private lastAt = 0
  private slowestGapMs = 0

  /** A pause this long starts a new code. */
  constructor(private readonly gapMsMax = 300) {}

  /** Takes one key; answers with what was typed when the key ends it. */
  key({ key, at, ctrlKey, altKey, metaKey }: WedgeKey): Typed | null {
    if (ctrlKey || altKey || metaKey) return null
    if (key === 'Enter' || key === 'Tab') return this.finish(at)
    if ([...key].length !== 1) return null
    if (this.text && this.isStale(at)) this.reset()
    if (this.text) this.slowestGapMs = Math.max(this.slowestGapMs, at - this.lastAt)
    this.text += key
    this.lastAt = at
    return null
  }

  reset(): void {
    this.text = ''
    this.slowestGapMs = 0
  }

  private finish(at: number): Typed | null {
    const typed = { code: this.text.trim(), slowestGapMs: this.slowestGapMs }
    const stale = this.isStale(at)
    this.reset()
    return typed.code && !stale ? typed : null
  }

  private isStale(at: number): boolean {
    return at - this.lastAt >= this.gapMsMax
  }
}
