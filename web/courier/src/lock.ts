// One holder at a time across tabs and the worker, with every wait bounded: Web Locks have leaked in some browsers.
// Nothing is correct only because of a lock: it saves work, stamps and receipts keep the counts right.

const held = new Map<string, Promise<unknown>>()

/** Runs `work` under the lock. `null` when it was not free within `waitMs`. */
export async function withLock<T>(name: string, waitMs: number, work: () => Promise<T>): Promise<{ value: T } | null> {
  const locks = globalThis.navigator?.locks as LockManager | undefined
  return locks ? withWebLock(locks, name, waitMs, work) : withMutex(name, waitMs, work)
}

async function withWebLock<T>(locks: LockManager, name: string, waitMs: number, work: () => Promise<T>): Promise<{ value: T } | null> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), waitMs)
  let granted = false
  try {
    const value = await locks.request(name, { signal: waiting.signal }, () => {
      granted = true
      clearTimeout(timer)
      return work()
    })
    return { value }
  } catch (error) {
    if (granted || !waiting.signal.aborted) throw error
    return null
  } finally {
    clearTimeout(timer)
  }
}

/** Where Web Locks are missing: within this context only. */
async function withMutex<T>(name: string, waitMs: number, work: () => Promise<T>): Promise<{ value: T } | null> {
  const deadline = Date.now() + waitMs
  for (let holder = held.get(name); holder; holder = held.get(name)) {
    const left = deadline - Date.now()
    if (left <= 0) return null
    await Promise.race([holder.catch(() => undefined), sleep(left)])
  }
  const running = work()
  held.set(name, running)
  try {
    return { value: await running }
  } finally {
    held.delete(name)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
