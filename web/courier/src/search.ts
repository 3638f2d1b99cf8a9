// Finding products as one types: one long text with a line for each product, searched as a whole, and beside it the lines as they
// are shown. No record is read from the database before a person has chosen. Nothing of the catalogue is held in memory but
// these two texts.

import { withReopen, type ProductRecord, type TenantDatabase } from './db.js'

const KEY = 'search'
/** Lines looked at behind the first hit of a common word: enough for a short list, and a bound. */
const LOOKED_AT_MAX = 500

/** What is kept: both texts begin and end with a line break. `shown` has a name, a tab and a code on each line. */
interface SearchText {
  text: string
  shown: string
  productIds: string[]
}

/** A product as a list of results shows it. */
export interface FoundProduct {
  productId: string
  productName: string
  /** Its barcode, or else its SKU or id. */
  code: string
}

/** Collects lines while the catalogue arrives. */
export class SearchBuilder {
  private readonly lines: string[] = []
  private readonly shown: string[] = []
  private readonly productIds: string[] = []

  add(product: ProductRecord): void {
    this.lines.push(product.text.replaceAll('\n', ' '))
    const code = product.barcodes[0] ?? product.sku ?? product.productId
    this.shown.push(`${product.productName.replaceAll(/[\n\t]/g, ' ')}\t${code}`)
    this.productIds.push(product.productId)
  }

  async write(database: TenantDatabase): Promise<void> {
    const asText = (lines: string[]) => `\n${lines.join('\n')}\n`
    const value: SearchText = { text: asText(this.lines), shown: asText(this.shown), productIds: this.productIds }
    await withReopen(database, () => database.meta.put({ key: KEY, value }))
  }
}

export class ProductSearch {
  private readonly starts: Uint32Array
  private readonly shownStarts: Uint32Array

  private constructor(private readonly index: SearchText) {
    this.starts = lineStarts(index.text, index.productIds.length)
    this.shownStarts = lineStarts(index.shown, index.productIds.length)
  }

  static async open(database: TenantDatabase): Promise<ProductSearch> {
    const kept = (await withReopen(database, () => database.meta.get(KEY)))?.value as Partial<SearchText> | undefined
    const { text = '\n', productIds = [] } = kept ?? {}
    // One kept by an earlier version has no second text: the first says enough until the catalogue comes again.
    return new ProductSearch({ text, shown: kept?.shown ?? text, productIds })
  }

  /** Products that have every word; names that begin with the first come first. */
  find(typed: string, limit: number): FoundProduct[] {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
    const [first] = words
    if (!first) return []
    const found = new Set<number>()
    this.collect(`\n${first}`, words, limit, found)
    // The longest word is on the fewest lines.
    const rarest = words.reduce((longest, word) => (word.length > longest.length ? word : longest))
    this.collect(rarest, words, limit, found)
    return [...found].map((line) => this.product(line))
  }

  private product(line: number): FoundProduct {
    const { shown, productIds } = this.index
    const end = (this.shownStarts[line + 1] ?? shown.length) - 1
    const [productName = '', code = ''] = shown.slice(this.shownStarts[line], end).split('\t')
    return { productId: productIds[line] ?? '', productName, code }
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
