import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

let shown: string[]
let answer: () => Promise<Response>

/** The module as it is when the app is opened at that address. */
async function openedAt(path: string, onLine = true) {
  vi.resetModules()
  vi.stubGlobal('location', { href: `https://ginti.example${path}` })
  vi.stubGlobal('navigator', { onLine })
  return import('../src/model/arrival')
}

beforeEach(() => {
  shown = []
  answer = () => Promise.resolve(new Response('{"password":true,"oidc":true}'))
  vi.stubGlobal('history', { state: null, replaceState: (_: unknown, __: string, url: URL) => shown.push(url.pathname + url.search) })
  vi.stubGlobal('fetch', () => answer())
})
afterEach(() => vi.unstubAllGlobals())

describe('coming back from another provider', () => {
  it('is seen once, and is taken off the address', async () => {
    const { arrival } = await openedAt('/sessions/M1?tab=2&signedIn=1')
    expect([arrival.isSignedIn, arrival.error.value]).toEqual([true, null])
    expect(shown).toEqual(['/sessions/M1?tab=2'])
  })

  it('may have failed', async () => {
    const { arrival } = await openedAt('/?signInError=user-unknown')
    expect([arrival.isSignedIn, arrival.error.value]).toEqual([false, 'user-unknown'])
    expect(shown).toEqual(['/'])
  })

  it('is no matter of any other address', async () => {
    const { arrival } = await openedAt('/sessions?tab=2')
    expect([arrival.isSignedIn, arrival.error.value, shown]).toEqual([false, null, []])
  })
})

describe('the way to another provider', () => {
  it('is offered where there is one, and a network', async () => {
    const { offersExternal } = await openedAt('/sign-in')
    expect(await offersExternal()).toBe(true)
    answer = () => Promise.resolve(new Response('{"password":true,"oidc":false}'))
    expect(await offersExternal()).toBe(false)
    answer = () => Promise.resolve(new Response('<p>Sign in to the guest network</p>'))
    expect(await offersExternal()).toBe(false)
    answer = () => Promise.reject(new TypeError('no network'))
    expect(await offersExternal()).toBe(false)
    answer = () => Promise.resolve(new Response('{"oidc":true}'))
    expect(await (await openedAt('/sign-in', false)).offersExternal()).toBe(false)
  })

  it('leads back to the page one is on', async () => {
    const { externalSignIn } = await openedAt('/sign-in')
    expect(externalSignIn('/sign-in')).toBe('/auth/oidc/start?returnTo=%2Fsessions%3FsignedIn%3D1')
    expect(externalSignIn('/sessions/M1')).toBe('/auth/oidc/start?returnTo=%2Fsessions%2FM1%3FsignedIn%3D1')
  })
})
