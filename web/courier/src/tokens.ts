// The access token: in memory only, shared between pages and worker by messages, refreshed by one of them at a time.
// The refresh cookie is the browser's and is never seen here.

import { tenantDatabase, theDeviceDatabase, withReopen, type User } from './db.js'
import { withLock } from './lock.js'
import { AUTH_LOCK, openChannel, type Broadcast } from './messages.js'

export interface Token {
  accessToken: string
  /** Tenant it is good for. */
  realm: string
}

/** Where a drain takes its token from. Integrators with a sign-in of their own bring their own. */
export interface TokenSource {
  current(): Token | null
  refresh(timeoutMs: number): Promise<Refreshed>
  /** A refresh that tells the server the id this device is about to take; answers with the server's time, null when it failed. */
  announce(announcement: Announcement, timeoutMs: number): Promise<string | null>
}

export interface Refreshed {
  result: 'ok' | 'denied' | 'unreachable'
  realm: string | null
}

export interface Announcement {
  deviceId: string
  formerDeviceId: string
  retireFormer: boolean
}

/** Why a sign-in failed, in words for the person at the screen. */
export class SignInError extends Error {
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(detail)
  }
}

interface AuthAnswer {
  accessToken: string
  expiresIn: number
  serverTime: string
  user: User
}

const SIGN_IN_MS = 20_000

export type TokenEvent = 'token' | 'denied' | 'signedOut'

export class Tokens implements TokenSource {
  private token: Token | null = null
  private tokenAt = 0
  /** Given up for a newer one; a page that lags behind may still offer it. */
  private spent: string | null = null
  private refreshing: Promise<Refreshed> | null = null
  private readonly channel = openChannel()
  private readonly listeners = new Set<(event: TokenEvent) => void>()

  constructor(private readonly baseUrl = '') {
    this.channel.onmessage = ({ data }: MessageEvent<Broadcast>) => {
      if (data.type === 'token') this.remember(data.token)
      else if (data.type === 'denied') this.deny(data.askedAt)
      else if (data.type === 'signedOut') this.forget()
    }
  }

  current(): Token | null {
    return this.token
  }

  /** Takes a token that another context obtained. */
  remember(token: Token): void {
    if (token.accessToken === this.token?.accessToken || token.accessToken === this.spent) return
    this.token = token
    this.tokenAt = Date.now()
    this.emit('token')
  }

  forget(): void {
    this.token = null
    this.emit('signedOut')
  }

  on(listener: (event: TokenEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  signIn(username: string, password: string, deviceId: string): Promise<User> {
    return this.enter('/auth/login', { username, password, deviceId })
  }

  /** Takes up a sign-in made with another provider, of which only the cookie knows yet. */
  takeUpSignIn(deviceId: string): Promise<User> {
    return alone(SIGN_IN_MS, () => this.enter('/auth/refresh', { deviceId }))
  }

  private async enter(path: string, told: object): Promise<User> {
    let response: Response
    try {
      response = await this.post(path, told, AbortSignal.timeout(SIGN_IN_MS))
    } catch {
      throw new SignInError('offline', 'The server cannot be reached. Signing in needs a connection; counting afterwards does not.')
    }
    const body = (await response.json().catch(() => null)) as (AuthAnswer & { code?: string; detail?: string }) | null
    if (!response.ok || !body?.accessToken) {
      throw new SignInError(body?.code ?? 'unexpected', body?.detail ?? `The server answered ${response.status}. Try again in a minute.`)
    }
    this.share({ accessToken: body.accessToken, realm: body.user.tenantId })
    return body.user
  }

  async signOut(): Promise<void> {
    const authorization = this.token ? { Authorization: `Bearer ${this.token.accessToken}` } : undefined
    this.forget()
    this.say({ type: 'signedOut' })
    await this.post('/auth/logout', {}, AbortSignal.timeout(5_000), authorization).catch(() => undefined)
  }

  /** One refresh for everyone in this context; across contexts the lock's next holder takes over what the first got. */
  refresh(timeoutMs: number): Promise<Refreshed> {
    this.refreshing ??= this.refreshOnce(timeoutMs).finally(() => (this.refreshing = null))
    return this.refreshing
  }

  async announce(announcement: Announcement, timeoutMs: number): Promise<string | null> {
    const { serverTime } = await alone(timeoutMs, () => this.fetchToken(announcement, timeoutMs))
    return serverTime ?? null
  }

  private async refreshOnce(timeoutMs: number): Promise<Refreshed> {
    this.spent = this.token?.accessToken ?? this.spent
    this.token = null
    return alone(timeoutMs, async (): Promise<Refreshed> => {
      if (this.token) return { result: 'ok', realm: this.token.realm }
      const deviceId = await knownDeviceId().catch(() => undefined)
      return this.fetchToken({ deviceId }, timeoutMs)
    })
  }

  private async fetchToken(told: Partial<Announcement>, timeoutMs: number): Promise<Refreshed & { serverTime?: string }> {
    const askedAt = Date.now()
    let answer: AuthAnswer
    try {
      const response = await this.post('/auth/refresh', told, AbortSignal.timeout(timeoutMs))
      if ([400, 401, 403].includes(response.status)) {
        this.say({ type: 'denied', askedAt })
        this.deny(askedAt)
        return this.token ? { result: 'ok', realm: this.token.realm } : { result: 'denied', realm: null }
      }
      if (!response.ok) return { result: 'unreachable', realm: null }
      answer = (await response.json()) as AuthAnswer
    } catch {
      return { result: 'unreachable', realm: null }
    }
    this.share({ accessToken: answer.accessToken, realm: answer.user.tenantId })
    return { result: 'ok', realm: answer.user.tenantId, serverTime: answer.serverTime }
  }

  /** Somebody may have signed in while the refusal was on its way. */
  private deny(askedAt: number): void {
    if (this.token && this.tokenAt >= askedAt) return
    this.token = null
    this.emit('denied')
  }

  private share(token: Token): void {
    this.remember(token)
    this.say({ type: 'token', token })
  }

  private say(word: Broadcast): void {
    this.channel.postMessage(word)
  }

  private emit(event: TokenEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  private post(path: string, body: object, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.baseUrl + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
      credentials: this.baseUrl ? 'include' : 'same-origin',
      cache: 'no-store',
      signal,
    })
  }
}

/** Under the lock; without it when it is not free in time: its holder may be gone for good, and the server's grace bears two refreshes at once. */
async function alone<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const done = await withLock(AUTH_LOCK, timeoutMs, work)
  return done ? done.value : work()
}

/** The id by which the signed-in person's tenant knows this device. */
async function knownDeviceId(): Promise<string | undefined> {
  const profile = await theDeviceDatabase().profile()
  if (!profile) return undefined
  const database = tenantDatabase(profile.tenantId)
  return (await withReopen(database, () => database.device()))?.deviceId
}
