// What the app asks of the server beside the courier: with the token of whoever is signed in, one refresh when it has run out, and
// errors that say why.

import { FetchError } from '@ginti/courier/page'
import { tokens } from './account'

const REFRESH_MS = 15_000
const TIMEOUT_MS = 60_000

export async function send(method: string, path: string, body?: BodyInit, type?: string, signal?: AbortSignal): Promise<Response> {
  const ask = async () => {
    if (!tokens.current()) await tokens.refresh(REFRESH_MS)
    const headers: Record<string, string> = { Authorization: `Bearer ${tokens.current()?.accessToken ?? ''}` }
    if (type) headers['Content-Type'] = type
    const init: RequestInit = { method, headers, cache: 'no-store', signal: signal ?? AbortSignal.timeout(TIMEOUT_MS) }
    if (body !== undefined) init.body = body
    return fetch(path, init).catch(() => {
      throw new FetchError('offline', '')
    })
  }
  let response = await ask()
  if (response.status === 401 && (await tokens.refresh(REFRESH_MS)).result === 'ok') response = await ask()
  if (!response.ok) {
    const problem = (await response.json().catch(() => null)) as { code?: string; detail?: string } | null
    throw new FetchError(problem?.code ?? 'unexpected', problem?.detail ?? `The server answered ${response.status} without saying why.`)
  }
  return response
}

/** Changes the own password. Of this person's sign-ins only this browser's lasts. */
export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  await send('POST', '/auth/password', JSON.stringify({ currentPassword, newPassword }), 'application/json')
}

/** A sign-in of this person that lasts. */
export interface SignIn {
  signInId: number
  deviceId: string | null
  details: { browser?: unknown } | null
  signedInDate: string
  renewedDate: string | null
  isHere: boolean
}

/** The own sign-ins, this browser's among them. */
export async function listSignIns(): Promise<SignIn[]> {
  const response = await send('GET', '/auth/sign-ins')
  return ((await response.json()) as { items: SignIn[] }).items
}

/** Ends one of them. */
export async function endSignIn(signInId: number, currentPassword: string): Promise<void> {
  await send('POST', `/auth/sign-ins/${signInId}/end`, JSON.stringify({ currentPassword }), 'application/json')
}
