// Finding products as one types: one long text with a line for each product, searched as a whole, and the few records that
// were found. Nothing of the catalogue is held in memory but that text.

import { withReopen, type ProductRecord, type TenantDatabase } from './db.js'

const KEY = 'search'
/** Lines looked at behind the first hit of a common word: enough for a short list, and a bound. */
const LOOKED_AT_MAX = 2_000

/** What is kept: `text` begins and ends with a line break. */
interface SearchText {
  text: string
  productIds: string[]
}

/** Collects lines while the catalogue arrives. */
export class SearchBuilder {
  private readonly lines: string[] = []
  private readonly productIds: string[] = []

  add(product: ProductRecord): void {
    this.lines.push(product.text.replaceAll('\n', ' '))
    this.productIds.push(product.productId)
  }

  async write(database: TenantDatabase): Promise<void> {
    const value: SearchText = { text: `\n${this.lines.join('\n')}\n`, productIds: this.productIds }
    await withReopen(database, () => database.meta.put({ key: KEY, value }))
  }
}

export class ProductSearch {
  private starts: Uint32Array

  private constructor(
    private readonly database: TenantDatabase,
    private readonly index: SearchText,
  ) {
    this.starts = lineStarts(index.text, index.productIds.length)
  }

  static async open(database: TenantDatabase): Promise<ProductSearch> {
    const kept = (await withReopen(database, () => database.meta.get(KEY)))?.value as SearchText | undefined
    return new ProductSearch(database, kept ?? { text: '\n', productIds: [] })
  }

  /** Products that have every word; names that begin with the first come first. */
  async find(typed: string, limit: number): Promise<ProductRecord[]> {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
    const [first] = words
    if (!first) return []
    const found = new Set<number>()
    this.collect(`\n${first}`, words, limit, found)
    // The longest word is on the fewest lines.
    const rarest = words.reduce((longest, word) => (word.length > longest.length ? word : longest))
    this.collect(rarest, words, limit, found)
    const ids = [...found].map((line) => this.index.productIds[line] ?? '')
    const products = await withReopen(this.database, () => this.database.products.bulkGet(ids))
    return products.filter((product) => product !== undefined)
  }

  private collect(needle: string, words: string[], limit: number, found: Set<number>): void {
    const { text } = this.index
    let looked = 0
    for (let at = text.indexOf(needle); at >= 0 && found.size < limit && looked < LOOKED_AT_MAX; looked++) {
      const line = this.lineAt(needle.startsWith('\n') ? at + 1 : at)
      const end = this.starts[line + 1] ?? text.length
      const content = text.slice(this.starts[line], end)
      if (words.every((word) => content.includes(word))) found.add(line)
      at = text.indexOf(needle, end - 1)
    }
  }

  /** The last line that starts at or before that place. */
  private lineAt(place: number): number {
    let [low, high] = [0, this.starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.starts[middle] ?? 0) <= place) low = middle
      else high = middle - 1
    }
    return low
  }
}

function lineStarts(text: string, lines: number): Uint32Array {
  const starts = new Uint32Array(lines)
  let at = 0
  for (let line = 0; line < lines; line++) {
    starts[line] = at + 1
    at = text.indexOf('\n', at + 1)
  }
  return starts
}
