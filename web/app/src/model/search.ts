// Finding a product by typing: the catalogue's search text, opened when first needed.

import { ProductSearch, type CourierPage, type ProductRecord } from '@ginti/courier/page'

const RESULTS_MAX = 12

let opened: { page: CourierPage; search: Promise<ProductSearch> } | null = null

/** The catalogue changed: open it anew at the next search. */
export function forgetCatalogue(): void {
  opened = null
}

/** Products that have every word; names that begin with the first come first. */
export async function searchProducts(page: CourierPage, text: string): Promise<ProductRecord[]> {
  if (!text.trim()) return []
  if (opened?.page !== page) opened = { page, search: ProductSearch.open(page.database) }
  return (await opened.search).find(text, RESULTS_MAX)
}
