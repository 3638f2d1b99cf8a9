// The app's service worker: everything the app is made of from the cache, the page for every address while offline,
// and the courier that delivers counts.

import { installCourier, type CourierScope } from '@ginti/courier/worker'
import { version } from '../package.json'
import { cleanupOutdatedCaches, createHandlerBoundToURL, matchPrecache, precacheAndRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

interface Scope extends CourierScope {
  addEventListener: CourierScope['addEventListener']
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
}

declare global {
  interface Window {
    /** The build puts the list of files in the place of this name. */
    __WB_MANIFEST: (string | { url: string; revision: string | null })[]
  }
}

const scope = self as unknown as Scope
const manifest = self.__WB_MANIFEST
const SERVER_ROUTES = [/^\/auth\//, /^\/maarg\//, /^\/(openapi\.json|docs|livez|readyz|metrics)/]

precacheAndRoute(manifest)
cleanupOutdatedCaches()
// Its name changes with its content.
registerRoute(({ url }) => /\/zxing_reader[^/]*\.wasm$/.test(url.pathname), keptFromFirstUse)
registerRoute(new NavigationRoute(createHandlerBoundToURL('index.html'), { denylist: SERVER_ROUTES }))

installCourier(scope, { wasm: machinesFromCache, version })

scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
scope.addEventListener('message', (event) => {
  if (event.data === 'takeOver') event.waitUntil(scope.skipWaiting())
})

const DECODER_CACHE = 'ginti-decoder'

async function keptFromFirstUse({ request }: { request: Request }): Promise<Response> {
  const cache = await caches.open(DECODER_CACHE)
  const kept = await cache.match(request)
  if (kept) return kept
  const response = await fetch(request)
  if (response.ok) {
    for (const old of await cache.keys()) await cache.delete(old)
    await cache.put(request, response.clone())
  }
  return response
}

/** Offline the module is in the cache; while a fresh worker is still filling it, on the server. */
async function machinesFromCache(): Promise<ArrayBuffer> {
  const urls = manifest.map((entry) => (typeof entry === 'string' ? entry : entry.url))
  const url = urls.find((candidate) => /ginti_sync.*\.wasm$/.test(candidate))
  if (!url) throw new Error('The sync machines are missing from this build of the app.')
  const response = (await matchPrecache(url)) ?? (await fetch(url))
  return response.arrayBuffer()
}
