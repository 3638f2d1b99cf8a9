// What the manager's side asks of the server.

import { FetchError } from '@ginti/courier/page'
import { send } from '../model/ask'
import type { Progress } from './types'

const RECONNECT_MS_MAX = 15_000

export const BASE = '/maarg/poorti'

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
