import { describe, expect, it } from 'vitest'
import { useDoubts } from '../src/model/doubts'

const CODE = '6291041500213'

describe('codes that may be pieces', () => {
  it('are kept until they are answered, however often they are scanned', () => {
    const doubts = useDoubts(() => 0)
    doubts.ask('OLD-77')
    doubts.ask('OLD-78')
    doubts.ask('OLD-77')
    expect(doubts.open.value.map(({ code, times }) => `${code} × ${times}`)).toEqual(['OLD-77 × 2', 'OLD-78 × 1'])
    doubts.drop('OLD-77')
    expect(doubts.open.value.map(({ code }) => code)).toEqual(['OLD-78'])
  })

  it('are explained by the whole code, when it is scanned soon', () => {
    let now = 0
    const doubts = useDoubts(() => now)
    for (const code of ['0213', '62910', `${CODE}${CODE}`, 'OLD-77']) doubts.ask(code)
    doubts.settle(CODE)
    expect(doubts.open.value.map(({ code }) => code)).toEqual(['OLD-77'])
    doubts.ask('0213')
    now += 15_001
    doubts.settle(CODE)
    expect(doubts.open.value.map(({ code }) => code)).toEqual(['0213', 'OLD-77'])
  })
})
