// What could not be fetched is fetched again unasked: when the network is back, when the page is seen again, and after waits that double.

const FIRST_MS = 15_000
const LAST_MS = 5 * 60_000

/** Hears of occasions on which it may be worth another try. */
export type Occasions = (occasion: () => void) => void

export const inABrowser: Occasions = (occasion) => {
  addEventListener('online', occasion)
  document.addEventListener('visibilitychange', () => document.hidden || occasion())
}

export class Again {
  private timer: ReturnType<typeof setTimeout> | undefined
  private waitMs = FIRST_MS
  private isMissing = false
  private hears = false

  constructor(
    private readonly fetchAgain: () => void,
    private readonly occasions: Occasions,
  ) {}

  /** It did not arrive: there will be another try. */
  failed(): void {
    this.isMissing = true
    if (!this.hears) this.occasions(() => this.now())
    this.hears = true
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.now(), this.waitMs)
    this.waitMs = Math.min(this.waitMs * 2, LAST_MS)
  }

  /** It is there, or nobody wants it any more. */
  settled(): void {
    this.isMissing = false
    clearTimeout(this.timer)
    this.waitMs = FIRST_MS
  }

  private now(): void {
    if (!this.isMissing) return
    clearTimeout(this.timer)
    this.isMissing = false
    this.fetchAgain()
  }
}
