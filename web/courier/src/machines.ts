// Loads the sync machines (WebAssembly) once per context and gives them typed calls. JSON crosses the border.

import init, { Batcher, Courier } from '../wasm/ginti_sync.js'
import type { BatcherCalls, CourierCalls, CourierEffect, CourierEvent, CourierRecord } from './machine.js'

/** Where the module comes from: an address, bytes, or an answer that holds it. */
export type WasmSource = string | URL | BufferSource | Response

let loading: Promise<unknown> | null = null

/** Ready once; a failed load (offline, not cached) is tried again by the next caller. */
export async function loadMachines(source: () => WasmSource | Promise<WasmSource>): Promise<void> {
  loading ??= Promise.resolve(source()).then((module_or_path) => init({ module_or_path }))
  try {
    await loading
  } catch (error) {
    loading = null
    throw error
  }
}

/** The machine that stamps, cuts and settles. */
export class BatcherMachine {
  private readonly batcher: Batcher

  constructor(config: object = {}) {
    this.batcher = new Batcher(JSON.stringify(config))
  }

  call<Name extends keyof BatcherCalls>(name: Name, input: BatcherCalls[Name]['in']): BatcherCalls[Name]['out'] {
    return JSON.parse(this.batcher[name](JSON.stringify(input))) as BatcherCalls[Name]['out']
  }
}

/** The machine that delivers; lives for one drain and remembers through its record. */
export class CourierMachine {
  private readonly courier: Courier

  constructor(config: object, record: CourierRecord | null) {
    this.courier = new Courier(JSON.stringify(config), record ? JSON.stringify(record) : '')
  }

  handle(event: CourierEvent): CourierEffect[] {
    const input: CourierCalls['handle']['in'] = { now: Date.now(), entropy: entropy(), event }
    return (JSON.parse(this.courier.handle(JSON.stringify(input))) as CourierCalls['handle']['out']).effects
  }

  free(): void {
    this.courier.free()
  }
}

/** Chance for ids and jitter, from the platform. */
export function entropy(): number[] {
  return [...crypto.getRandomValues(new Uint8Array(64))]
}
