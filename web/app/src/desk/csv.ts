// What is wrong in a file, as a file: nothing in it is run by a spreadsheet.

import type { RowError } from './types'

export function errorsAsCsv(errors: RowError[]): string {
  const rows = errors.map(({ row, column, code, detail }) => [String(row), column ?? '', code, detail].map(cell).join(','))
  return ['row,column,code,detail', ...rows, ''].join('\r\n')
}

function cell(text: string): string {
  const safe = /^\s*[=+\-@|%]|^[\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
