import { afterEach, describe, expect, it } from 'vitest'
import { withLock } from '../src/lock.js'
import { AUTH_LOCK } from '../src/messages.js'
import { Tokens } from '../src/tokens.js'
import { httpServer, storedText, type HttpServer } from './helpers.js'

let server: HttpServer | undefined
afterEach(() => server?.close())

const user = { userLoginId: 'counter', tenantId: 'acme', name: 'Counter', role: 'counter', facilityIds: null }

describe('a token', () => {
  it('is refreshed once for all who ask at the same time', async () => {
    server = await httpServer((response, _, count) => response.end(JSON.stringify({ accessToken: `access-${count}`, expiresIn: 600, user })))
    const tokens = new Tokens(server.url)
    const answers = await Promise.all([tokens.refresh(5_000), tokens.refresh(5_000), tokens.refresh(5_000)])
    expect(server.requests).toHaveLength(1)
    expect(answers[2]).toMatchObject({ result: 'ok', realm: 'acme' })
    expect(tokens.current()).toEqual({ accessToken: 'access-1', realm: 'acme' })
    expect(await storedText()).not.toContain('access-1')
  })

  it('that was given up does not come back from a page that lags behind', async () => {
    server = await httpServer((response) => {
      response.statusCode = 503
      response.end('{}')
    })
    const tokens = new Tokens(server.url)
    tokens.remember({ accessToken: 'old', realm: 'acme' })
    expect(await tokens.refresh(5_000)).toMatchObject({ result: 'unreachable' })
    tokens.remember({ accessToken: 'old', realm: 'acme' })
    expect(tokens.current()).toBeNull()
  })

  it('is refreshed also when another tab was closed under the lock and nobody gives it back', async () => {
    server = await httpServer((response) => response.end(JSON.stringify({ accessToken: 'access', expiresIn: 600, user })))
    let giveBack: () => void = () => undefined
    const leaked = withLock(AUTH_LOCK, 1_000, () => new Promise<void>((resolve) => (giveBack = resolve)))
    try {
      const tokens = new Tokens(server.url)
      expect(await tokens.refresh(500)).toMatchObject({ result: 'ok', realm: 'acme' })
      expect(tokens.current()?.accessToken).toBe('access')
    } finally {
      giveBack()
      await leaked
    }
  })

  it('is denied when the sign-in has ended, and listeners hear it', async () => {
    server = await httpServer((response) => {
      response.statusCode = 401
      response.end('{"code":"refresh-refused"}')
    })
    const tokens = new Tokens(server.url)
    const heard: string[] = []
    tokens.on((event) => heard.push(event))
    expect(await tokens.refresh(5_000)).toMatchObject({ result: 'denied' })
    expect(heard).toContain('denied')
  })

  it('that came while an older cookie was being refused stays', async () => {
    const tokens: Tokens[] = []
    server = await httpServer((response) => {
      tokens[0]?.remember({ accessToken: 'fresh', realm: 'acme' })
      response.statusCode = 401
      response.end('{"code":"refresh-refused"}')
    })
    const one = new Tokens(server.url)
    tokens.push(one)
    const heard: string[] = []
    one.on((event) => heard.push(event))
    expect(await one.refresh(5_000)).toMatchObject({ result: 'ok', realm: 'acme' })
    expect(heard).not.toContain('denied')
    expect(one.current()?.accessToken).toBe('fresh')
  })

  it('is taken up from the cookie that a sign-in elsewhere has left', async () => {
    server = await httpServer((response) => response.end(JSON.stringify({ accessToken: 'access', expiresIn: 600, user })))
    const tokens = new Tokens(server.url)
    expect(await tokens.takeUpSignIn('device-1')).toEqual(user)
    expect(tokens.current()).toEqual({ accessToken: 'access', realm: 'acme' })
    expect(server.requests[0]?.body).toBe('{"deviceId":"device-1"}')
  })

  it('is asked for with the words of the server when that refuses', async () => {
    server = await httpServer((response) => {
      response.statusCode = 401
      response.end('{"code":"credentials-wrong","detail":"The user name or the password is wrong."}')
    })
    const tokens = new Tokens(server.url)
    await expect(tokens.signIn('counter', 'x', 'd')).rejects.toMatchObject({ code: 'credentials-wrong', message: 'The user name or the password is wrong.' })
  })
})
