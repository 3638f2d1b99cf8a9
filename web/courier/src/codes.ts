// Barcodes as they are printed, scanned and listed: check digits, and one key for the same article with and without
// leading zeros.

const GTIN_LENGTHS = [8, 12, 13, 14]

/** A GTIN-8, UPC-A, EAN-13 or GTIN-14 whose check digit is right. */
export function isGtin(code: string): boolean {
  return GTIN_LENGTHS.includes(code.length) && /^\d+$/.test(code) && checkDigit(code.slice(0, -1)) === Number(code.at(-1))
}

/** Modulo 10, weights 3 and 1 from the right (GS1 General Specifications 7.9). */
export function checkDigit(body: string): number {
  let sum = 0
  for (let at = 0; at < body.length; at++) {
    sum += Number(body[body.length - 1 - at]) * (at % 2 === 0 ? 3 : 1)
  }
  return (10 - (sum % 10)) % 10
}

/** Long enough and plain enough to be a code that somebody meant, though no product has it. */
export function looksLikeCode(text: string): boolean {
  return /^[\x21-\x7e]{4,40}$/.test(text)
}

/** The keys a code is found by: as it is, and padded, so that a 12-digit scan finds a 13-digit listing. */
export function codeKeys(code: string): string[] {
  const plain = code.trim().toUpperCase()
  if (!plain) return []
  return /^\d{8,14}$/.test(plain) ? [plain, `gtin:${plain.padStart(14, '0')}`] : [plain]
}

/** Every key a product is found by. */
export function productKeys(product: { sku: string | null; barcodes: string[] }): string[] {
  return [...new Set([...product.barcodes, product.sku ?? ''].flatMap(codeKeys))]
}
