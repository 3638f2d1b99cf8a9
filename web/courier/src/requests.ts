// Questions to the server that need a token: one refresh when it has run out, one more try, and an error that says why.

import type { TokenSource } from './tokens.js'

const TIMEOUT_MS = 30_000

/** The server did not give what was asked; `code` is its stable word for why. */
export class FetchError extends Error {
  constructor(
    readonly code: string,
    detail: string,
    /** The whole answer, where there was one: some carry more than words. */
    readonly problem: Record<string, unknown> | null = null,
  ) {
    super(detail)
  }
}

export class Requests {
  constructor(
    private readonly tenantId: string,
    private readonly tokens: TokenSource,
    private readonly baseUrl: string,
  ) {}

  get<T>(path: string): Promise<T> {
    return this.send<T>('GET', path)
  }

  async send<T>(method: 'GET' | 'PUT' | 'POST', path: string, body?: object): Promise<T> {
    let response = await this.ask(method, path, body)
    if (response.status === 401 && (await this.tokens.refresh(TIMEOUT_MS)).result === 'ok') response = await this.ask(method, path, body)
    const answer = (await response.json().catch(() => null)) as (T & { code?: string; detail?: string }) | null
    if (!response.ok || !answer) {
      const detail = answer?.detail ?? `The server answered ${response.status} without saying why.`
      throw new FetchError(answer?.code ?? 'unexpected', detail, answer as Record<string, unknown> | null)
    }
    return answer
  }

  private async ask(method: string, path: string, body?: object): Promise<Response> {
    if (!this.tokens.current()) await this.tokens.refresh(TIMEOUT_MS)
    const token = this.tokens.current()
    if (token && token.realm !== this.tenantId) {
      throw new FetchError('other-tenant', 'Someone of another company has signed in on this device. What is shown is what was last seen here.')
    }
    const headers: Record<string, string> = token ? { Authorization: `Bearer ${token.accessToken}` } : {}
    if (body) headers['Content-Type'] = 'application/json'
    const init: RequestInit = { method, headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) }
    if (body) init.body = JSON.stringify(body)
    try {
      return await fetch(this.baseUrl + path, init)
    } catch {
      throw new FetchError('offline', 'The server cannot be reached. What is shown is what this device last saw.')
    }
  }
}
