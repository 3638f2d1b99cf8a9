// The service worker's part: takes batches into a durable queue, answers that it has custody, delivers.
// It is never the only holder of a count: the page keeps every row until a receipt confirms its revision.

import { Drain } from './drain.js'
import { loadMachines, type WasmSource } from './machines.js'
import { COUNT_IMPORTS, CUSTODY_HEADER, DELIVERY_HEADER, REALM_HEADER, SYNC_TAG, type ToWorker } from './messages.js'
import { BatchQueue } from './queue.js'
import { Tokens } from './tokens.js'

/** The little of a worker's scope that is needed; TypeScript's own libraries for page and worker exclude each other. */
export interface CourierScope {
  addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void
  addEventListener(type: 'sync', listener: (event: SyncEventLike) => void): void
  addEventListener(type: 'message', listener: (event: MessageEventLike) => void): void
  addEventListener(type: 'activate', listener: (event: ExtendableEventLike) => void): void
  readonly location: { href: string }
  readonly registration: { readonly active: unknown; readonly sync?: { register(tag: string): Promise<void> } }
}

interface ExtendableEventLike {
  waitUntil(work: Promise<unknown>): void
}
interface FetchEventLike extends ExtendableEventLike {
  readonly request: Request
  respondWith(answer: Promise<Response>): void
}
interface SyncEventLike extends ExtendableEventLike {
  readonly tag: string
  /** The browser will not try this registration again. */
  readonly lastChance: boolean
}
interface MessageEventLike extends ExtendableEventLike {
  readonly data: unknown
  readonly ports: readonly MessagePort[]
}

export interface CourierWorkerOptions {
  /** Gives the WebAssembly module, from the precache so that it is there offline. */
  wasm: () => WasmSource | Promise<WasmSource>
  /** The server, when it is not the worker's own. */
  baseUrl?: string
  /** Told to pages that ask. */
  version?: string
  courierConfig?: object
  queue?: BatchQueue
}

export function installCourier(scope: CourierScope, options: CourierWorkerOptions): void {
  const { baseUrl = '', version = '' } = options
  const endpoint = new URL(baseUrl + COUNT_IMPORTS, scope.location.href).href
  const tokens = new Tokens(baseUrl)
  let isSyncing = false
  const drain = new Drain({
    tokens,
    ready: () => loadMachines(options.wasm),
    courierConfig: options.courierConfig,
    queue: options.queue,
    // A registration made while a sync event runs would be answered with another one at once, without end.
    onRemaining: () => (isSyncing ? undefined : askForSync(scope)),
  })

  scope.addEventListener('fetch', (event) => {
    const { request } = event
    if (request.method !== 'POST' || request.url !== endpoint || request.headers.has(DELIVERY_HEADER)) return
    const accepted = accept(request, drain.queue, tokens)
    event.respondWith(accepted.then(({ response }) => response))
    event.waitUntil(accepted.then(({ isQueued }) => (isQueued ? deliver() : undefined)))
  })
  scope.addEventListener('sync', (event) => {
    if (event.tag === SYNC_TAG) event.waitUntil(deliverInSync(event.lastChance))
  })
  scope.addEventListener('activate', (event) => event.waitUntil(drain.wake('activate')))
  scope.addEventListener('message', (event) => {
    const word = event.data as ToWorker | null
    switch (word?.type) {
      case 'ginti:poke':
        return event.waitUntil(drain.wake(word.cause))
      case 'ginti:token':
        tokens.remember(word.token)
        return word.cause ? event.waitUntil(drain.wake(word.cause)) : undefined
      case 'ginti:signedOut':
        return tokens.forget()
      case 'ginti:ping':
        return event.ports[0]?.postMessage({ version })
    }
  })
  // A worker that was killed mid-way is started again by whatever comes first; it does not wait to be told.
  if (scope.registration.active) void drain.wake('start')

  /** Fails while batches remain: the browser then comes back by its own schedule. For its last try it is asked anew first,
   *  because a worker that is killed in it asks for nothing; at worst one more event finds an empty queue. */
  async function deliverInSync(isLastChance: boolean): Promise<void> {
    if (isLastChance) askForSync(scope)
    isSyncing = true
    try {
      await drain.wake('sync')
    } finally {
      isSyncing = false
    }
    if (!isLastChance && (await drain.queue.all()).length > 0) throw new Error('Batches remain to be delivered.')
  }

  function deliver(): Promise<void> {
    askForSync(scope)
    return drain.wake('queued')
  }
}

/** Durable first; only then is custody taken. */
async function accept(request: Request, queue: BatchQueue, tokens: Tokens): Promise<{ response: Response; isQueued: boolean }> {
  const realm = request.headers.get(REALM_HEADER) ?? ''
  const accessToken = request.headers.get('Authorization')?.replace(/^Bearer /, '')
  if (accessToken) tokens.remember({ accessToken, realm })
  const body = await request.clone().text()
  const batchId = batchIdOf(body)
  // Not one of ours: the server says what is wrong with it.
  if (!batchId) return { response: await fetch(request), isQueued: false }
  try {
    await queue.push({ url: request.url, body, batchId, realm })
  } catch (error) {
    return { response: storageProblem(error as Error), isQueued: false }
  }
  const headers = { 'Content-Type': 'application/json', [CUSTODY_HEADER]: 'courier' }
  return { response: new Response(JSON.stringify({ custody: 'courier', batchId }), { status: 202, headers }), isQueued: true }
}

function batchIdOf(body: string): string | null {
  try {
    const { batchId } = JSON.parse(body) as { batchId?: unknown }
    return typeof batchId === 'string' && batchId ? batchId : null
  } catch {
    return null
  }
}

function storageProblem(error: Error): Response {
  const problem = {
    type: 'about:blank',
    title: 'The courier could not take the batch',
    status: 503,
    detail: `This device could not store the batch for sending (${error.message}). The counts stay saved and are tried again.`,
    code: 'courier-storage',
  }
  return new Response(JSON.stringify(problem), { status: 503, headers: { 'Content-Type': 'application/problem+json' } })
}

/** Registering may be refused or never end, so nobody waits for it; pokes and intervals do without. */
function askForSync(scope: CourierScope): void {
  try {
    scope.registration.sync?.register(SYNC_TAG).catch(() => undefined)
  } catch {
    // Some browsers throw instead of refusing.
  }
}
