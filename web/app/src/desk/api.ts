// What the manager's side asks of the server: with the token of whoever is signed in, one refresh when it has run out, and
// errors that say why.

import { FetchError } from '@ginti/courier/page'
import { tokens } from '../model/account'
import type { Progress } from './types'

const REFRESH_MS = 15_000
const TIMEOUT_MS = 60_000
const RECONNECT_MS_MAX = 15_000

export const BASE = '/maarg/poorti'

async function send(method: string, path: string, body?: BodyInit, type?: string, signal?: AbortSignal): Promise<Response> {
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

export async function get<T>(path: string): Promise<T> {
  return (await (await send('GET', path)).json()) as T
}

/** Null when the server had nothing to say. */
export async function change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<T | null> {
  const response = body ? await send(method, path, JSON.stringify(body), 'application/json') : await send(method, path)
  return response.status === 204 ? null : ((await response.json()) as T)
}

export async function upload<T>(path: string, file: File): Promise<T> {
  return (await (await send('POST', path, file, 'text/csv')).json()) as T
}

export async function download(path: string, name: string): Promise<void> {
  keepAs(await (await send('GET', path)).blob(), name)
}

export function keepAs(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

/** How a run goes on, for as long as anybody listens: comes back by itself when the connection breaks. */
export function watchProgress(run: string, heard: (progress: Progress) => void, told: (isLive: boolean) => void): () => void {
  const end = new AbortController()
  void (async () => {
    let wait = 500
    while (!end.signal.aborted) {
      try {
        const response = await send('GET', `${BASE}/InventoryCountRun/${encodeURIComponent(run)}/progress/stream`, undefined, undefined, end.signal)
        told(true)
        wait = 500
        for await (const data of events(response)) heard(JSON.parse(data) as Progress)
      } catch (error) {
        // Gone, or never there: nothing to wait for.
        if (error instanceof FetchError && (error.code === 'not-found' || error.code === 'not-allowed')) return
      }
      told(false)
      // Spread, so that a server that comes back is not asked by everybody at once.
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())))
      wait = Math.min(2 * wait, RECONNECT_MS_MAX)
    }
  })()
  return () => end.abort()
}

/** The data of each event in a stream of server-sent events. */
export async function* events(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) return
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const parts = (rest + value).split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      const data = part.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart())
      if (data.length > 0) yield data.join('\n')
    }
  }
}
