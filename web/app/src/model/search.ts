// Finding a product by typing: the catalogue's names and codes in memory, loaded when first needed.

import type { CourierPage, ProductRecord } from '@ginti/courier/page'

const RESULTS_MAX = 12

let loaded: { page: CourierPage; products: Promise<ProductRecord[]> } | null = null

/** The catalogue changed: read it anew at the next search. */
export function forgetCatalogue(): void {
  loaded = null
}

/** Products that have every word; names that begin with the text come first. Bounded. */
export async function searchProducts(page: CourierPage, text: string): Promise<ProductRecord[]> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return []
  if (loaded?.page !== page) loaded = { page, products: page.database.products.toArray() }
  const first: ProductRecord[] = []
  const others: ProductRecord[] = []
  for (const product of await loaded.products) {
    if (!words.every((word) => product.text.includes(word))) continue
    const found = product.text.startsWith(words[0] ?? '') ? first : others
    if (found.length < RESULTS_MAX) found.push(product)
  }
  return [...first, ...others].slice(0, RESULTS_MAX)
}
