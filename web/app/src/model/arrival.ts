// Sign-in with an external provider: the way there, and what it says when one comes back.

import { ref } from 'vue'

const BACK = 'signedIn'
const FAILED = 'signInError'

/** What the address said when the app was opened; it is taken off before anybody else reads the address. */
export const arrival = takeArrival(new URL(globalThis.location?.href ?? 'about:blank'))

function takeArrival(url: URL): { isSignedIn: boolean; error: ReturnType<typeof ref<string | null>> } {
  const isSignedIn = url.searchParams.has(BACK)
  const error = url.searchParams.get(FAILED)
  if (isSignedIn || error !== null) {
    url.searchParams.delete(BACK)
    url.searchParams.delete(FAILED)
    history.replaceState(history.state, '', url)
  }
  return { isSignedIn, error: ref(error) }
}

/** Whether the server offers it. Without a network there is nothing to offer. */
export async function offersExternal(): Promise<boolean> {
  if (!navigator.onLine) return false
  try {
    const response = await fetch('/auth/methods', { cache: 'no-store', signal: AbortSignal.timeout(10_000) })
    const methods = (await response.json()) as { oidc?: boolean }
    return response.ok && methods.oidc === true
  } catch {
    return false
  }
}

/** Where the way there begins; it ends at the page one is on. */
export function externalSignIn(page: string): string {
  const back = `${page === '/sign-in' ? '/sessions' : page}?${BACK}=1`
  return `/auth/oidc/start?returnTo=${encodeURIComponent(back)}`
}
