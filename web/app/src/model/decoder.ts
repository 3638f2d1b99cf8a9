// Barcodes out of a picture: the browser's own detector where it is real, else ZXing as WebAssembly from our own origin.

import wasmUrl from 'zxing-wasm/reader/zxing_reader.wasm?url'
import { expandUpcE } from './sightings'

/** What the first barcode in the picture says; null when there is none. */
export type Decode = (video: HTMLVideoElement) => Promise<string | null>

interface NativeDetector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string; format: string }[]>
}
interface NativeDetectors {
  new (options: { formats: string[] }): NativeDetector
  getSupportedFormats(): Promise<string[]>
}

const NATIVE_FORMATS = ['ean_13', 'ean_8', 'upc_a', 'upc_e', 'code_128', 'code_39', 'itf', 'qr_code']
/** Wider pictures cost time and read no better. */
const WIDTH_MAX = 960

export async function loadDecoder(): Promise<Decode> {
  return (await nativeDecoder()) ?? (await zxingDecoder())
}

/** So that the camera works in a shift without network also when it was never opened before. */
export async function warmDecoder(): Promise<void> {
  if (!('BarcodeDetector' in globalThis)) await fetch(wasmUrl)
}

/** Some browsers have the name and no formats behind it. */
async function nativeDecoder(): Promise<Decode | null> {
  const Native = (globalThis as { BarcodeDetector?: NativeDetectors }).BarcodeDetector
  try {
    const supported = (await Native?.getSupportedFormats()) ?? []
    if (!Native || !NATIVE_FORMATS.slice(0, 5).every((format) => supported.includes(format))) return null
    const detector = new Native({ formats: NATIVE_FORMATS.filter((format) => supported.includes(format)) })
    return async (video) => {
      const [found] = await detector.detect(video)
      return found ? plain(found.rawValue, found.format === 'upc_e') : null
    }
  } catch {
    return null
  }
}

async function zxingDecoder(): Promise<Decode> {
  const { prepareZXingModule, readBarcodes } = await import('zxing-wasm/reader')
  await prepareZXingModule({ overrides: { locateFile: () => wasmUrl }, fireImmediately: true })
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })
  return async (video) => {
    if (!context || video.videoWidth === 0) return null
    const scale = Math.min(1, WIDTH_MAX / video.videoWidth)
    canvas.width = Math.round(video.videoWidth * scale)
    canvas.height = Math.round(video.videoHeight * scale)
    context.drawImage(video, 0, 0, canvas.width, canvas.height)
    const picture = context.getImageData(0, 0, canvas.width, canvas.height)
    const found = (await readBarcodes(picture, { maxNumberOfSymbols: 1, tryHarder: true })).find(({ isValid }) => isValid)
    return found ? plain(found.text, found.format === 'UPCE') : null
  }
}

/** The short form of a UPC is listed by its long one. */
function plain(text: string, isUpcE: boolean): string {
  return isUpcE ? (expandUpcE(text) ?? text) : text
}
