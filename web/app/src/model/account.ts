// Who is signed in and the courier that works for them. A profile kept on the device is enough to count; a token is
// only needed to send.

import {
  createCourierPage,
  deviceIdForSignIn,
  rememberSignIn,
  theDeviceDatabase,
  Tokens,
  type CourierPage,
  type Progress,
  type User,
} from '@ginti/courier/page'
import wasmUrl from '@ginti/courier/wasm?url'
import { ref, shallowRef } from 'vue'
import { Again, inABrowser } from './again'
import { arrival } from './arrival'
import { installation } from './device'
import { askToPersist } from './install'
import { forgetCatalogue } from './search'

const REFRESH_MS = 15_000

/** A stable code, and what was said in English. */
interface Trouble {
  code: string | undefined
  detail: string
}

export const tokens = new Tokens()
export const profile = ref<User | null>(null)
export const courier = shallowRef<CourierPage | null>(null)
/** The sign-in has run out: counting goes on, sending waits. */
export const needsSignIn = ref(false)
/** A manager asks for it, though sending may still go well. */
export const isAskedToSignIn = ref(false)
export const progress = ref<Progress | null>(null)
/** Why the last look at the server failed; null when it went well. */
export const fetchError = ref<Trouble | null>(null)

/** Whether this person plans and decides. */
export function isManager(): boolean {
  return profile.value?.role === 'manager' || profile.value?.role === 'admin'
}

/** Who counts on bad networks does not come back to a page with a button for it. */
const again = new Again(() => needsSignIn.value || void fetchEverything(), inABrowser)

let fetching: { page: CourierPage; done: Promise<void> } | null = null

tokens.on((event) => {
  // A sign-in of another company sends nothing of ours: another tab's, or that of a cookie older than what is kept here.
  const isForeign = event === 'token' && profile.value !== null && tokens.current()?.realm !== profile.value.tenantId
  needsSignIn.value = event === 'denied' || isForeign
  // In another tab, and the device may be in other hands by now: this one must not go on counting in their name.
  if (event === 'signedOut' && profile.value) location.reload()
})

/** Resolves when it is known whether somebody is signed in on this device and their counts can be shown. */
export const opened: Promise<void> = open()

async function open(): Promise<void> {
  if (arrival.isSignedIn) {
    try {
      return await enter((deviceId) => tokens.takeUpSignIn(deviceId))
    } catch (error) {
      arrival.error.value = (error as { code?: string }).code ?? 'unexpected'
    }
  }
  const kept = await theDeviceDatabase().profile()
  if (!kept) return
  await startCourier(kept)
  void resume()
}

/** Online sign-in. Also signing in again: nothing on the device is touched then. */
export async function signIn(username: string, password: string): Promise<void> {
  await enter((deviceId) => tokens.signIn(username, password, deviceId))
}

async function enter(ask: (deviceId: string) => Promise<User>): Promise<void> {
  const deviceId = await deviceIdForSignIn(wasmUrl)
  const user = await ask(deviceId)
  const isKnown = await rememberSignIn(user, deviceId)
  needsSignIn.value = false
  isAskedToSignIn.value = false
  const isSame = profile.value?.userLoginId === user.userLoginId && profile.value.tenantId === user.tenantId
  if (!isSame || !courier.value) await startCourier(user)
  if (!isKnown) await tokens.refresh(REFRESH_MS)
  await courier.value?.signedIn()
  void askToPersist()
  void fetchEverything()
}

export async function signOut(): Promise<void> {
  courier.value?.stop()
  courier.value = null
  again.settled()
  profile.value = null
  needsSignIn.value = false
  await theDeviceDatabase().putProfile(null)
  await tokens.signOut()
}

/** Everything a shift without network needs; one run at a time for whoever is signed in. */
export function fetchEverything(): Promise<void> {
  const page = courier.value
  if (!page) return Promise.resolve()
  if (fetching?.page === page) return fetching.done
  const done = page
    .prefetch()
    .then(() => null)
    .catch((error: unknown): Trouble => ({ code: (error as { code?: string }).code, detail: (error as Error).message }))
    .then((trouble) => {
      // Who signed in meanwhile has a run of their own.
      if (fetching?.page !== page) return
      fetching = null
      fetchError.value = trouble
      forgetCatalogue()
      if (trouble) return again.failed()
      again.settled()
      void warmCamera().catch(() => undefined)
    })
  fetching = { page, done }
  return done
}

/** The camera's decoder, once everything else is there. Where it does not arrive now, opening the camera asks for it again. */
async function warmCamera(): Promise<void> {
  const { warmDecoder } = await import('./decoder')
  await warmDecoder()
}

async function startCourier(user: User): Promise<void> {
  courier.value?.stop()
  const page = await createCourierPage({ tenantId: user.tenantId, userLoginId: user.userLoginId, tokens, wasm: wasmUrl, details: () => installation(courier.value) })
  page.on('progress', (now) => (progress.value = now))
  page.on('nudged', (nudge) => (isAskedToSignIn.value ||= nudge === 'sign-in'))
  courier.value = page
  profile.value = user
}

/** After a cold start: a token when the server can be reached, then what changed meanwhile. */
async function resume(): Promise<void> {
  const { result } = await tokens.refresh(REFRESH_MS)
  if (result === 'unreachable') {
    const { gateClosed } = (await courier.value?.status()) ?? { gateClosed: false }
    needsSignIn.value = gateClosed
    fetchError.value = { code: 'offline', detail: '' }
    again.failed()
    return
  }
  if (result === 'denied') return
  await courier.value?.goOn()
  await fetchEverything()
}
