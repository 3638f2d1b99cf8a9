// Whether the app can be installed, and asking the browser to keep what it holds. Both are asked for once, politely.

import { ref } from 'vue'

/** What Chromium offers; no standard, so no type of the platform's. */
interface InstallPrompt extends Event {
  prompt(): Promise<void>
  readonly userChoice: Promise<{ outcome: 'accepted' | 'dismissed' }>
}

const POSTPONED = 'ginti-install-later'
const POSTPONED_MS = 7 * 24 * 60 * 60_000
/** Some browsers never answer. */
const ANSWER_MS = 3_000

export const installHint = ref<'prompt' | 'ios' | null>(null)
let offered: InstallPrompt | null = null

export function listenForInstall(): void {
  globalThis.addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault()
    offered = event as InstallPrompt
    if (!isPostponed()) installHint.value = 'prompt'
  })
  globalThis.addEventListener('appinstalled', () => (installHint.value = null))
  if (isIos() && !isInstalled() && !isPostponed()) installHint.value = 'ios'
}

export async function installNow(): Promise<void> {
  await offered?.prompt()
  await offered?.userChoice
  offered = null
  installHint.value = null
}

export function postponeInstall(): void {
  localStorage.setItem(POSTPONED, String(Date.now()))
  installHint.value = null
}

export function isInstalled(): boolean {
  return matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true
}

/** Whether the browser keeps the data for good; null when it does not say. */
export function isPersisted(): Promise<boolean | null> {
  return answered(() => navigator.storage?.persisted?.())
}

export function askToPersist(): Promise<boolean | null> {
  return answered(() => navigator.storage?.persist?.())
}

/** Bytes used; null when the browser does not say. */
export async function storageUsed(): Promise<number | null> {
  return (await answered(() => navigator.storage?.estimate?.()))?.usage ?? null
}

async function answered<T>(ask: () => Promise<T> | undefined): Promise<T | null> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, ANSWER_MS, null))
  try {
    return await Promise.race([Promise.resolve(ask()).then((value) => value ?? null), late])
  } catch {
    return null
  }
}

function isIos(): boolean {
  return /iPad|iPhone|iPod/.test(navigator.userAgent) || (navigator.userAgent.includes('Mac') && navigator.maxTouchPoints > 1)
}

function isPostponed(): boolean {
  return Date.now() - Number(localStorage.getItem(POSTPONED) ?? 0) < POSTPONED_MS
}
