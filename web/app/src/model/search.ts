// Finding a product by typing: the catalogue's search text, opened when first needed.

import { ProductSearch, withReopen, type CourierPage, type FoundProduct, type ProductRecord } from '@ginti/courier/page'

const RESULTS_MAX = 12

let opened: { page: CourierPage; search: Promise<ProductSearch> } | null = null

/** The catalogue changed: open it anew at the next search. */
export function forgetCatalogue(): void {
  opened = null
}

/** Products that have every word; names that begin with the first come first. */
export async function searchProducts(page: CourierPage, text: string): Promise<FoundProduct[]> {
  if (!text.trim()) return []
  if (opened?.page !== page) opened = { page, search: ProductSearch.open(page.database) }
  return (await opened.search).find(text, RESULTS_MAX)
}

/** The record of a product that was chosen; none when the catalogue has lost it meanwhile. */
export function productOf(page: CourierPage, found: FoundProduct): Promise<ProductRecord | undefined> {
  return withReopen(page.database, () => page.database.products.get(found.productId))
}
