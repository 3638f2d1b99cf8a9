// What crosses the border to the machines in WebAssembly (crates/ginti-sync): records kept in IndexedDB, events in, effects out.
// The shapes mirror the Rust structs; every decision is made there. Times are milliseconds since 1970 unless the name says otherwise.

/** This installation's identity, clock and cadence: Dexie `meta`, key `device`. */
export interface DeviceRecord {
  deviceId: string
  /** The id it has to take. Told to the server first, and nothing is cut until it is. */
  nextDeviceId: string | null
  /** The present id's clock ran ahead: the server is to refuse what it stamped in the future (`retireFormer` of the refresh). */
  retire: boolean
  clock: number | null
  /** Server's clock minus this device's. */
  skewMs: number
  epoch: string | null
  ledgerSeq: number
  serverTime: string | null
  nextItemSeq: number
  lastPushAt: number | null
  /** Items were left uncut because of a limit: cut again as soon as a batch settles. */
  backlog: boolean
  handoverFailures: number
  holdUntil: number
  batchItemsMax: number
  lastContactAt: number | null
  askedAt: number | null
  lastError: ErrorNote | null
}

export interface ErrorNote { code: string; detail: string; at: number }

/** The three truths, and the one that needs a person. */
export type Truth = 'saved' | 'sending' | 'confirmed' | 'refused'

/** One row of a session: Dexie `items`, key [inventoryCountImportId+importItemSeqId]. */
export interface ItemRecord {
  inventoryCountImportId: string
  importItemSeqId: string
  productId: string | null
  productIdentifier: string | null
  quantity: number
  countedAt: string
  countedByUserLoginId: string
  isRequested: 'Y' | 'N' | null
  locationSeqId: string | null
  /** What a person wrote beside the count; not there in rows of older versions. */
  note?: string | null
  revision: number
  deviceId: string
  /** Made on this device: scans of the product go into this row. */
  own: boolean
  /** Its present count was made on this device: only this device can send it again. */
  countedHere: boolean
  confirmed: number | null
  custody: { batchId: string; revision: number } | null
  problem: (ErrorNote & { revision: number }) | null
  /** The server took it after the session was handed in: the manager decides. */
  late: boolean
  restamps: number
  truth: Truth
}

/** One journal entry: Dexie `scans`, key ++scanId. Append-only. */
export interface ScanRecord {
  scanId?: number
  inventoryCountImportId: string
  importItemSeqId: string
  kind: 'add' | 'subtract' | 'set' | 'undo' | 'match' | 'note'
  /** Of an undo: the entry it took back. The host's own note. */
  undoes?: number
  before: number
  after: number
  revision: number
  countedAt: string
  countedByUserLoginId: string
  productIdentifier: string | null
}

export interface Answer { status: number; body: string; at: number; replayed: boolean }

/** One batch on its way, and its telemetry: Dexie `deliveries`, key batchId. */
export interface DeliveryRecord {
  batchId: string
  inventoryCountImportId: string
  deviceId: string
  items: { importItemSeqId: string; revision: number }[]
  bytes: number
  state: 'cut' | 'custody' | 'answered' | 'settled' | 'withdrawn'
  createdAt: number
  custodyAt: number | null
  /** Last sign of life of the courier about this batch. */
  heardAt: number | null
  attempts: number
  lastAttemptAt: number | null
  lastError: ErrorNote | null
  /** The server's answer, written by the courier, cleared once settled. */
  answer: Answer | null
  answeredAt: number | null
  settledAt: number | null
}

/** Why the batcher is asked to plan. Everything but `tick` and `settled` cuts at once what is dirty. */
export type Trigger = 'tick' | 'settled' | 'start' | 'resume' | 'online' | 'submit' | 'hidden' | 'manual'

export type Count =
  | { kind: 'add' | 'subtract' | 'set'; quantity: number }
  | { kind: 'undo'; before: number; after: number }

/** Methods of the WASM class `Batcher` (constructor takes BatcherConfig as JSON, "{}" for defaults). All take and return JSON text. */
export interface BatcherCalls {
  newDevice: { in: { entropy: number[] }; out: { device: DeviceRecord } }
  /** One scan or correction. All three records are to be put in ONE transaction (scan is appended). `item` is the row to count into, or null to make one from `row`. */
  count: {
    in: {
      now: number
      device: DeviceRecord
      item: ItemRecord | null
      /** For a new row. */
      row: {
        inventoryCountImportId: string
        productId: string | null
        productIdentifier: string | null
        isRequested: 'Y' | 'N' | null
        locationSeqId: string | null
      } | null
      count: Count
      countedByUserLoginId: string
      /** What was scanned this time; goes to the journal. */
      productIdentifier: string | null
    }
    out: { device: DeviceRecord; item: ItemRecord; scan: ScanRecord }
  }
  /** A code that nobody knew is a product: the row moves there with its count and its counter. */
  matchProduct: {
    in: { now: number; device: DeviceRecord; item: ItemRecord; productId: string; isRequested: 'Y' | 'N' | null; matchedByUserLoginId: string }
    out: { device: DeviceRecord; item: ItemRecord; scan: ScanRecord }
  }
  /** Writes the note of a row whose present count was made here; null, or nothing but white space, takes it away. */
  annotate: {
    in: { now: number; device: DeviceRecord; item: ItemRecord; note: string | null; notedByUserLoginId: string }
    out: { device: DeviceRecord; item: ItemRecord; scan: ScanRecord }
  }
  /** What this device says of a session: all rows whose present count is its own, unsent ones too. */
  manifest: {
    in: { device: DeviceRecord; items: ItemRecord[] }
    out: { itemCount: number; digest: string; unsent: number; oldestUnsentAt: number | null }
  }
  /** Takes back, cuts, or waits. `saved`: items with truth 'saved' (at most 2,000, oldest revision first); `open`: deliveries in state 'cut', 'custody' or 'answered', and `heldItems`: items with truth 'sending'.
   *  Put `device`, `items`, `deliveries` in the same transaction, then hand over each of `sends`. `wakeAt`: call again then with 'tick' (null: nothing to wait for). */
  plan: {
    in: { now: number; trigger: Trigger; device: DeviceRecord; saved: ItemRecord[]; open: DeliveryRecord[]; heldItems: ItemRecord[]; entropy: number[] }
    out: { device: DeviceRecord; items: ItemRecord[]; deliveries: DeliveryRecord[]; sends: { batchId: string; body: string }[]; wakeAt: number | null; announce: boolean; ask: boolean }
  }
  /** The server knows `nextDeviceId`: after POST /auth/refresh {deviceId: nextDeviceId, formerDeviceId: deviceId, retireFormer: retire} has answered. Then plan again. */
  announced: { in: { device: DeviceRecord; serverTime: string }; out: { device: DeviceRecord } }
  /** The courier has custody. */
  handed: { in: { now: number; device: DeviceRecord; delivery: DeliveryRecord }; out: { device: DeviceRecord; delivery: DeliveryRecord } }
  /** The courier could not take it. `items`: the rows the delivery names, as they are now. */
  handoverFailed: {
    in: { now: number; device: DeviceRecord; delivery: DeliveryRecord; items: ItemRecord[]; reason: string; entropy: number[] }
    out: { device: DeviceRecord; items: ItemRecord[]; delivery: DeliveryRecord }
  }
  /** A delivery in state 'answered'. `items`: the rows it names, as they are now. */
  settle: {
    in: { now: number; device: DeviceRecord; delivery: DeliveryRecord; items: ItemRecord[]; entropy: number[] }
    out: {
      device: DeviceRecord
      items: ItemRecord[]
      delivery: DeliveryRecord
      /** Server was wiped or restored: put `unconfirm` of ALL own items in the same transaction. */
      epochChanged: boolean
      /** Plan with 'settled' now. */
      planNow: boolean
      /** Another device wrote one of our rows: fetch the session's rows. */
      refetch: boolean
    }
  }
  /** Epoch, ledger and time seen in any other answer of the server (session list, items). */
  seen: {
    in: { now: number; device: DeviceRecord; epoch: string; ledgerSeq: number; serverTime: string }
    out: { device: DeviceRecord; epochChanged: boolean }
  }
  unconfirm: { in: { items: ItemRecord[] }; out: { items: ItemRecord[] } }
  /** Rows of the server, merged by stamp. `local`: the device's rows of the same ids. Returns only rows to put. */
  absorb: {
    in: { now: number; device: DeviceRecord; inventoryCountImportId: string; remote: RemoteItem[]; local: ItemRecord[] }
    out: { device: DeviceRecord; items: ItemRecord[] }
  }
  /** Somebody signed in. `items`: rows with truth 'refused'. Returns the ones that go out again: refused for who was signed in. */
  signedIn: { in: { now: number; device: DeviceRecord; items: ItemRecord[] }; out: { device: DeviceRecord; items: ItemRecord[] } }
  /** Sends a refused row again, as it is. */
  retry: { in: { now: number; device: DeviceRecord; item: ItemRecord }; out: { device: DeviceRecord; item: ItemRecord } }
}

/** A row of `GET …/{id}/items`. */
export interface RemoteItem {
  importItemSeqId: string
  productId: string | null
  productIdentifier: string | null
  quantity: number
  revision: number
  deviceId: string
  countedAt: string
  countedByUserLoginId: string
  isRequested: 'Y' | 'N' | null
  locationSeqId: string | null
  note?: string | null
  outcome: 'applied' | 'late'
  ledgerSeq: number
}

/** The courier's memory: Dexie-independent, kept in the worker's own small database (key `courier`), so that a restarted worker goes on where the killed one stopped. */
export interface CourierRecord {
  failures: number
  notBefore: number
  retryAfterUntil: number
  gate: 'open' | 'closed'
  gateProbeAt: number
  gateFailures: number
  failedEntry: number
  lastAttemptAt: number | null
  lastContactAt: number | null
  lastError: ErrorNote | null
}

export interface QueuedEntry {
  /** The queue's own key, oldest smallest. */
  id: number
  batchId: string
  /** Tenant whose token may send it. */
  realm: string
  /** The page took custody back: not worth sending. */
  withdrawn: boolean
}

export type WakeCause = 'queued' | 'start' | 'activate' | 'visible' | 'online' | 'sync' | 'poke' | 'interval' | 'timer' | 'signedIn' | 'manual'

export type CourierEvent =
  | { wake: { cause: WakeCause; entries: QueuedEntry[]; realm: string | null } } // realm: of the token in memory, null when there is none
  | { answered: { entry: number; status: number; retryAfter: string | null; replayed: boolean; body: string } }
  | { failed: { entry: number; failure: 'network' | 'timeout' } }
  | { refreshed: { result: 'ok' | 'denied' | 'unreachable'; realm: string | null } }

/** The host forgets its token when asked to `refresh`. */
/** Carried out in order. The durable ones (persist, note, settle) come before the one that ends the list: send, refresh, wait or idle. */
export type CourierEffect =
  | { persist: { record: CourierRecord } }
  /** Write to the delivery: heardAt = now, attempts, lastError. */
  | { note: { entry: number; batchId: string; realm: string; attempted: boolean; error: ErrorNote | null } }
  /** Write the answer to the delivery (state 'answered') durably; only then delete the queue's entry. No answer: just delete. */
  | { settle: { entry: number; batchId: string; realm: string; answer: Answer | null } }
  | { send: { entry: number; timeoutMs: number } }
  | { refresh: { timeoutMs: number } }
  /** Nothing more until then (entries remain): arm a timer, register the sync event. If it is near (≤ 5 s), wait inside the drain. */
  | { wait: { until: number; reason: 'backoff' | 'retryAfter' | 'gate' | 'otherTenant' } }
  /** The queue is empty. */
  | 'idle'

/** WASM class `Courier`: constructor(configJson, recordJson or ""). */
export interface CourierCalls {
  handle: { in: { now: number; entropy: number[]; event: CourierEvent }; out: { effects: CourierEffect[] } }
}
