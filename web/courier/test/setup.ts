// A browser's storage for Node, and the real machines.

import 'fake-indexeddb/auto'
import { readFile } from 'node:fs/promises'
import { loadMachines } from '../src/machines.js'

// The built module stands beside the package; reading it here keeps the tests on the code that ships.
await loadMachines(() => readFile(new URL('../wasm/ginti_sync_bg.wasm', import.meta.url)))
