// The courier's queue: Workbox Background Sync's storage, without its replay (which forgets an entry before it is
// delivered). An entry is a request without any credential.

import { QueueStore } from 'workbox-background-sync/lib/QueueStore.js'
import { StorableRequest } from 'workbox-background-sync/lib/StorableRequest.js'

const QUEUE_NAME = 'ginti-courier'

/** A batch as the queue keeps it. */
export interface QueuedBatch {
  id: number
  batchId: string
  realm: string
  request: StorableRequest
}

export class BatchQueue {
  private store = new QueueStore(QUEUE_NAME)

  /** Durable when it returns. Headers other than the content type are left behind: tokens are attached when sending. */
  async push(batch: { url: string; body: string; batchId: string; realm: string }): Promise<void> {
    const { url, body, batchId, realm } = batch
    const request = new StorableRequest({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode(body).buffer,
    })
    await this.retrying((store) =>
      store.pushEntry({ requestData: request.toObject(), metadata: { batchId, realm }, timestamp: Date.now() }),
    )
  }

  /** Oldest first. */
  async all(): Promise<QueuedBatch[]> {
    const entries = await this.retrying((store) => store.getAll())
    return entries.map(({ id, requestData, metadata }) => {
      const { batchId, realm } = metadata as { batchId: string; realm: string }
      return { id, batchId, realm, request: new StorableRequest(requestData) }
    })
  }

  async delete(id: number): Promise<void> {
    await this.retrying((store) => store.deleteEntry(id))
  }

  /** Workbox keeps its connection for ever; iOS closes it while suspended. */
  private async retrying<T>(work: (store: QueueStore) => Promise<T>): Promise<T> {
    try {
      return await work(this.store)
    } catch {
      this.store = new QueueStore(QUEUE_NAME)
      return work(this.store)
    }
  }
}
