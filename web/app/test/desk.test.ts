import { describe, expect, it } from 'vitest'
import { events } from '../src/desk/api'
import { errorsAsCsv } from '../src/desk/csv'
import { alertText, duration, refusalText, signed } from '../src/desk/words'

describe('a stream of events', () => {
  it('is read whole, however it is cut', async () => {
    const text = ': awake\n\nevent: progress\ndata: {"a":1}\n\ndata: two\ndata: lines\n\ndata: not ended'
    const parts = text.match(/[\s\S]{1,7}/g) ?? []
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) controller.enqueue(new TextEncoder().encode(part))
        controller.close()
      },
    })
    const heard: string[] = []
    for await (const data of events(new Response(body))) heard.push(data)
    expect(heard).toEqual(['{"a":1}', 'two\nlines'])
  })
})

describe('errors as a file', () => {
  it('run nothing in a spreadsheet', () => {
    const file = errorsAsCsv([{ row: 4, column: '=cmd', code: 'sku-unknown', detail: 'No product "A, B".' }])
    expect(file).toBe('row,column,code,detail\r\n4,\'=cmd,sku-unknown,"No product ""A, B""."\r\n')
  })
})

describe('words', () => {
  it('tell times and differences', () => {
    expect([duration(null), duration(250), duration(2_500), duration(120_000), duration(5_400_000)]).toEqual(['–', '250 ms', '2.5 s', '2 min', '1.5 h'])
    expect([signed(2), signed(-1.5), signed(0)]).toEqual(['+2', '-1.5', '0'])
  })

  it('say what an alert is about, by the person rather than the device', () => {
    const alert = { alertId: 1, subject: 'd-1', raisedAt: '2026-11-22T09:00:00.000Z', clearedAt: null }
    const people = { asha: 'Asha Counter' }
    const details = { userLoginId: 'asha', unsentCount: 3, oldestUnsentAt: null }
    expect(alertText({ ...alert, kind: 'unsent-for-long', details }, people)).toBe('Asha Counter: 3 counts have not arrived, the oldest from never.')
    expect(alertText({ ...alert, kind: 'unsent-for-long', details: { unsentCount: 1 } }, people)).toContain('d-1: 1 count has not arrived')
    expect(alertText({ ...alert, kind: 'counts-refused', details: { ...details, code: 'clock-skew' } }, people)).toContain('clock is ahead')
    expect(alertText({ ...alert, kind: 'delivery-dead', subject: 'erp', details: { messages: 2 } }, people)).toContain('erp: 2 messages')
    expect(refusalText('quantity-negative')).toBe('a quantity below zero')
    expect(refusalText('field-unknown')).toBe('the app sent what the server cannot read: field-unknown')
  })
})
