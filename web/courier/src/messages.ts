// What pages and the worker say to each other. Everything said here only hurries: the databases hold the truth.

import type { WakeCause } from './machine.js'
import type { Token } from './tokens.js'

/** Path of the endpoint that takes batches and lists sessions. */
export const COUNT_IMPORTS = '/maarg/poorti/InventoryCountImport'

/** Set by the worker's answer that it has taken a batch into its queue. */
export const CUSTODY_HEADER = 'X-Ginti-Custody'
/** Set by the page: the tenant the batch belongs to. */
export const REALM_HEADER = 'X-Ginti-Realm'
/** Set by a drain that runs in a page: the worker lets the request through. */
export const DELIVERY_HEADER = 'X-Ginti-Delivery'

/** Name of the BroadcastChannel, of the Web Lock around draining and of the sync event. */
export const CHANNEL = 'ginti'
export const COURIER_LOCK = 'ginti-courier'
export const AUTH_LOCK = 'ginti-auth'
export const SYNC_TAG = 'ginti-courier'

/** On the BroadcastChannel. */
export type Broadcast =
  | { type: 'answered'; realm: string }
  | { type: 'noted'; realm: string }
  | { type: 'items'; realm: string; keys: [string, string][] }
  | { type: 'token'; token: Token }
  /** `askedAt`: a refusal of an older cookie says nothing about a token that came later. */
  | { type: 'denied'; askedAt: number }
  | { type: 'signedOut' }

/** From a page to the worker, by `postMessage`. */
export type ToWorker =
  | { type: 'ginti:poke'; cause: WakeCause }
  | { type: 'ginti:token'; token: Token; cause: 'signedIn' | null }
  | { type: 'ginti:signedOut' }
  | { type: 'ginti:ping' }

/** A channel where there is one; elsewhere words go nowhere and the intervals do the work. */
export function openChannel(): Pick<BroadcastChannel, 'postMessage' | 'close'> & { onmessage: BroadcastChannel['onmessage'] } {
  if (typeof BroadcastChannel === 'function') return new BroadcastChannel(CHANNEL)
  return { postMessage: () => undefined, close: () => undefined, onmessage: null }
}
