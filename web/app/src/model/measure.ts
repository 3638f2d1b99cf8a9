// How long things take, from the key that began them until they are painted (a scan: also durable).

import { nextTick } from 'vue'

const KEPT_MAX = 20_000
let measured = 0

export function performanceMeasure(start: number, name: 'ginti-scan' | 'ginti-search' = 'ginti-scan'): void {
  void nextTick(() => {
    requestAnimationFrame(() => {
      if (++measured % KEPT_MAX === 0) performance.clearMeasures(name)
      performance.measure(name, { start, end: performance.now() })
    })
  })
}
