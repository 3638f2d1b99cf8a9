// Installs the service worker and says when a newer one waits. It takes over when the person agrees, because files of
// the old version are dropped then.

import { ref } from 'vue'

export const isUpdateWaiting = ref(false)
const WORKER = '/sw.js'
let waiting: ServiceWorker | null = null

export function registerWorker(): void {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  navigator.serviceWorker
    .register(workerAddress())
    .then((registration) => {
      // The very first worker waits for nobody and replaces nothing. Whether it is the first is asked when it is found: by the time it is
      // installed, WebKit may have put it in charge.
      if (registration.active && registration.waiting) noteWaiting(registration.waiting)
      registration.addEventListener('updatefound', () => {
        const worker = registration.installing
        if (!worker || !registration.active) return
        worker.addEventListener('statechange', () => worker.state === 'installed' && noteWaiting(worker))
      })
    })
    .catch((error: unknown) => console.warn('ginti: counting works, but starting offline will not', error))
}

/** The one address that this page takes code from by its name; where a browser has no Trusted Types, as a plain text. */
function workerAddress(): string {
  const types = (window as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(text: string): string } } }).trustedTypes
  if (!types) return WORKER
  const policy = types.createPolicy('ginti', {
    createScriptURL(text: string): string {
      if (text !== WORKER) throw new TypeError('This is not the address of the worker.')
      return text
    },
  })
  return policy.createScriptURL(WORKER)
}

export function takeUpdate(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  waiting?.postMessage('takeOver')
}

function noteWaiting(worker: ServiceWorker): void {
  waiting = worker
  isUpdateWaiting.value = true
}
