// What a person has set on this device. Kept in local storage: it is of the device, not of the count.

import { reactive, watch } from 'vue'

const KEPT = 'ginti-settings'

export interface Settings {
  sound: boolean
  vibration: boolean
  /** Only codes with a right check digit count as scanned. */
  onlyGtin: boolean
  /** Shortest code that is no GTIN. */
  codeLengthMin: number
}

const DEFAULTS: Settings = { sound: true, vibration: true, onlyGtin: false, codeLengthMin: 4 }

export const settings = reactive<Settings>({ ...DEFAULTS, ...kept() })

watch(settings, () => localStorage.setItem(KEPT, JSON.stringify(settings)))

function kept(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Partial<Settings>
  } catch {
    return {}
  }
}
