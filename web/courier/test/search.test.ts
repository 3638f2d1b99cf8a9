import { describe, expect, it } from 'vitest'
import { tenantDatabase, type ProductRecord } from '../src/db.js'
import { ProductSearch, SearchBuilder, type FoundProduct } from '../src/search.js'

let tenants = 0

async function search(names: string[]): Promise<ProductSearch> {
  const database = tenantDatabase(`search-${++tenants}`)
  const builder = new SearchBuilder()
  const products = names.map((productName, at): ProductRecord => {
    const sku = `SKU-${at}`
    return { productId: `P${at}`, productName, sku, barcodes: [], codes: [], text: `${productName} ${sku}`.toLowerCase() }
  })
  for (const product of products) builder.add(product)
  await builder.write(database)
  return ProductSearch.open(database)
}

const names = (found: FoundProduct[]) => found.map(({ productName }) => productName)

describe('a search', () => {
  it('finds every word, and what begins with the first one first', async () => {
    const products = await search(['Brown rice', 'Rice, white', 'Rice cooker white', 'Beans'])
    expect(names(products.find('rice', 10))).toEqual(['Rice, white', 'Rice cooker white', 'Brown rice'])
    expect(names(products.find('white RICE', 10))).toEqual(['Rice, white', 'Rice cooker white'])
    expect(names(products.find('sku-3', 10))).toEqual(['Beans'])
    expect(names(products.find('rice beans', 10))).toEqual([])
  })

  it('finds the first and the last line, and nothing across lines', async () => {
    const products = await search(['Alpha', 'Middle', 'Omega'])
    expect(names(products.find('alpha', 5))).toEqual(['Alpha'])
    expect(names(products.find('omega', 5))).toEqual(['Omega'])
    expect(names(products.find('sku-0\nmiddle', 5))).toEqual([])
  })

  it('gives as many as are wanted', async () => {
    const products = await search(Array.from({ length: 500 }, (_, at) => `Lamp ${at}`))
    expect(products.find('lamp', 12)).toHaveLength(12)
    expect(products.find('l', 12)).toHaveLength(12)
    expect(products.find('  ', 12)).toEqual([])
  })

  it('shows a name as it is written, and the code that a person would read', async () => {
    const products = await search(['Brown RICE'])
    expect(products.find('rice', 5)).toEqual([{ productId: 'P0', productName: 'Brown RICE', code: 'SKU-0' }])
  })

  it('finds nothing before there is a catalogue', async () => {
    const products = await ProductSearch.open(tenantDatabase(`search-${++tenants}`))
    expect(products.find('rice', 12)).toEqual([])
  })
})
