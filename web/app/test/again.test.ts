import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Again } from '../src/model/again'

let tries = 0
let occasions: (() => void)[] = []

function begin(): Again {
  tries = 0
  occasions = []
  return new Again(
    () => tries++,
    (heard) => occasions.push(heard),
  )
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('tries again by itself, later each time, and at last every five minutes', () => {
  const again = begin()
  const waits = [15, 30, 60, 120, 240, 300, 300]
  for (const [before, seconds] of waits.entries()) {
    again.failed()
    vi.advanceTimersByTime(seconds * 1_000 - 1)
    expect(tries).toBe(before)
    vi.advanceTimersByTime(1)
    expect(tries).toBe(before + 1)
  }
})

it('takes an occasion at once, and once', () => {
  const again = begin()
  again.failed()
  occasions[0]?.()
  occasions[0]?.()
  expect(tries).toBe(1)
  vi.advanceTimersByTime(600_000)
  expect(tries).toBe(1)
})

it('leaves alone what is there, and begins with a short wait when it fails anew', () => {
  const again = begin()
  again.failed()
  again.failed()
  expect(occasions).toHaveLength(1)
  again.settled()
  occasions[0]?.()
  vi.advanceTimersByTime(600_000)
  expect(tries).toBe(0)
  again.failed()
  vi.advanceTimersByTime(15_000)
  expect(tries).toBe(1)
})
