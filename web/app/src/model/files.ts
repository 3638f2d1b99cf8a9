// Saving to a file and reading one: the browser's own ways.

export function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

export function saveUnsent(file: { exportedAt: string; counts: unknown[] }): void {
  saveFile(`ginti-unsent-${file.exportedAt.slice(0, 16).replace(/[:T]/g, '-')}.json`, JSON.stringify(file, null, 1))
}
