import { describe, expect, it } from 'vitest'
import { Fetching } from '../src/fetching.js'
import { FetchError, type Requests } from '../src/requests.js'
import { ProductSearch } from '../src/search.js'
import { bench } from './helpers.js'

const TOTAL = 12
const PAGE = 4

/** A server with twelve products in pages of four, whose network breaks before the page that is named. */
function server(brokenAt: number) {
  const asked: string[] = []
  const product = (n: number) => ({ productId: `P${String(n).padStart(2, '0')}`, productName: `Lamp ${n}`, sku: null, barcodes: [] })
  const requests = {
    get: (path: string) => {
      const after = new URL(path, 'http://localhost').searchParams.get('after') ?? ''
      asked.push(after)
      const first = after ? Number(after.slice(1)) + 1 : 0
      if (first === brokenAt) return Promise.reject(new FetchError('offline', 'gone'))
      const items = Array.from({ length: Math.min(PAGE, TOTAL - first) }, (_, at) => product(first + at))
      const next = first + PAGE < TOTAL ? (items.at(-1)?.productId ?? null) : null
      return Promise.resolve({ items, total: TOTAL, next })
    },
  }
  return { requests: requests as unknown as Requests, asked }
}

const HOST = { changed: () => undefined, progress: () => undefined, epochChanged: () => undefined }

describe('the catalogue', () => {
  it('goes on where it was interrupted, and is whole and searchable in the end', async () => {
    const { database, batcher } = await bench()
    const broken = server(8)
    await expect(new Fetching(database, batcher, broken.requests, HOST).catalogue()).rejects.toThrow('gone')
    expect(await database.products.count()).toBe(8)

    const healed = server(-1)
    await new Fetching(database, batcher, healed.requests, HOST).catalogue()
    expect(healed.asked, 'nothing twice').toEqual(['P07'])
    expect(await database.products.count()).toBe(TOTAL)
    const search = await ProductSearch.open(database)
    expect(search.find('lamp 2', 12).map(({ productId }) => productId)).toEqual(['P02'])
    expect(search.find('lamp 11', 12).map(({ productId }) => productId)).toEqual(['P11'])
  })

  it('begins anew when it is whole, and forgets what the server no longer has', async () => {
    const { database, batcher } = await bench()
    await database.products.put({ productId: 'P00-gone', productName: 'Old', sku: null, barcodes: [], codes: [], text: 'old' })
    const { requests, asked } = server(-1)
    const fetching = new Fetching(database, batcher, requests, HOST)
    await fetching.catalogue()
    await fetching.catalogue()
    expect(asked).toEqual(['', 'P03', 'P07', '', 'P03', 'P07'])
    expect(await database.products.get('P00-gone')).toBeUndefined()
  })
})
