// How long a scan takes, from the key that ended it until its count is durable and painted.

import { nextTick } from 'vue'

const NAME = 'ginti-scan'
const KEPT_MAX = 20_000
let measured = 0

export function performanceMeasure(start: number): void {
  void nextTick(() => {
    requestAnimationFrame(() => {
      if (++measured % KEPT_MAX === 0) performance.clearMeasures(NAME)
      performance.measure(NAME, { start, end: performance.now() })
    })
  })
}
