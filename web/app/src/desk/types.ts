// The server's shapes, as the OpenAPI document describes them.

export interface Run {
  workEffortId: string
  workEffortName: string
  statusId: string
  estimatedCompletionDate: string | null
  createdDate: string
  facilityIds: string[]
  sessions: { created: number; assigned: number; submitted: number; approved: number; voided: number }
}

export interface SessionProgress {
  inventoryCountImportId: string
  countImportName: string
  facilityId: string
  areaName: string | null
  purposeType: 'HARD_COUNT' | 'DIRECTED_COUNT'
  statusId: string
  assignedUserLoginId: string | null
  dueDate: string | null
  itemsCounted: number
  itemsRequested: number
  devices: number
  lastArrivalAt: string | null
  isRecount: boolean
}

export interface Progress {
  sessions: SessionProgress[]
  people: { userLoginId: string; inventoryCountImportId: string; deviceId: string; lastArrivalAt: string; counts: number }[]
  perMinute: { at: string; counts: number }[]
  lag: { counts: number; p50: number | null; p95: number | null; max: number | null; buckets: number[] }
}

export interface Line {
  facilityId: string
  subject: string
  productId: string | null
  productName: string | null
  sku: string | null
  expectedQuantity: number | null
  unitCost: number | null
  countedQuantity: number | null
  difference: number
  valueDifference: number | null
  sessions: number
  devices: number
  isContested: boolean
  lateCount: number
  decision: 'accept' | 'reject' | 'recount' | null
  chosenQuantity: number | null
  reason: string | null
  decidedByUserLoginId: string | null
  decidedAt: string | null
}

export interface Totals {
  lines: number
  undecided: number
  contested: number
  late: number
  notCounted: number
  different: number
  over: number
  short: number
  valueDifference: number
}

export interface Contribution {
  inventoryCountImportId: string
  countImportName: string
  importItemSeqId: string
  deviceId: string
  countedByUserLoginId: string
  countedAt: string
  receivedAt: string
  quantity: number
  locationSeqId: string | null
  note: string | null
  outcome: string
  holds: boolean
}

export interface Device {
  deviceId: string
  isRevoked: boolean
  lastSeenAt: string
  reportedByUserLoginId: string | null
  details: Record<string, unknown> | null
  unsentCount: number
  oldestUnsentAt: string | null
  refusedCode: string | null
  nudges: string[]
  alerts: string[]
}

export type AlertKind = 'unsent-for-long' | 'silent-with-unsent' | 'counts-refused' | 'delivery-dead'

export interface AlertRule {
  kind: AlertKind
  isActive: boolean
  afterSeconds: number | null
}

export interface Alert {
  alertId: number
  kind: AlertKind
  subject: string
  details: Record<string, unknown>
  raisedAt: string
  clearedAt: string | null
}

export interface TroubleHour {
  at: string
  retries: number
  refusals: Record<string, number>
}

export interface Person {
  userLoginId: string
  name: string
  role: 'counter' | 'lead' | 'manager' | 'admin'
  facilityIds: string[] | null
  /** The account is disabled since then. */
  disabledAt: string | null
}

export interface Facility {
  facilityId: string
  facilityName: string
}

export interface RowError {
  row: number
  column: string | null
  code: string
  detail: string
}

export interface FileAnswer {
  isDryRun: boolean
  rows: number
  columns: { header: string; field: string | null }[]
  preview: string[][]
  errorCount: number
  errors: RowError[]
  sessions?: { countImportName: string; facilityId: string; productCount: number }[]
  products?: number
}

export interface Receiver {
  receiverId: string
  kind: string
  url: string
}

export interface OutboxMessage {
  messageId: number
  receiverId: string
  workEffortId: string | null
  facilityId: string | null
  alertId: number | null
  alertState: 'raised' | 'cleared' | null
  createdDate: string
  attempts: number
  lastError: string | null
  status: 'delivered' | 'waiting' | 'dead'
}

export interface AuditEntry {
  auditId: number
  at: string
  userLoginId: string
  action: string
  subject: string
  details: Record<string, unknown>
  isUndone: boolean
}
