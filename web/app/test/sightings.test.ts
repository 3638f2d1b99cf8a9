import { describe, expect, it } from 'vitest'
import { expandUpcE, Sightings } from '../src/model/sightings'

const RICE = '4006381333931'
const BEANS = '96385074'

/** The same code read every 33 ms. */
function hold(sightings: Sightings, code: string, from: number, ms: number): string[] {
  const counted: string[] = []
  for (let at = from; at < from + ms; at += 33) {
    const found = sightings.read(code, at)
    if (found) counted.push(found)
  }
  return counted
}

describe('a label before the camera', () => {
  it('counts once however long it is held there', () => {
    expect(hold(new Sightings(), RICE, 0, 5_000)).toEqual([RICE])
  })

  it('counts again when it was away, and not when it only flickered', () => {
    const sightings = new Sightings()
    hold(sightings, RICE, 0, 1_000)
    expect(hold(sightings, RICE, 1_900, 300)).toEqual([])
    expect(hold(sightings, RICE, 3_500, 300)).toEqual([RICE])
  })

  it('counts again when another came between', () => {
    const sightings = new Sightings()
    const counted = [RICE, BEANS, RICE].map((code, at) => sightings.read(code, at * 200))
    expect(counted).toEqual([RICE, BEANS, RICE])
  })

  it('never counts with a wrong check digit', () => {
    expect(hold(new Sightings(), '4006381333932', 0, 5_000)).toEqual([])
    expect(hold(new Sightings(), '96385075', 0, 5_000)).toEqual([])
  })

  it('without a check digit counts when it was read twice alike', () => {
    const sightings = new Sightings()
    expect(sightings.read('SHELF-7', 0)).toBeNull()
    expect(sightings.read('SHELF-1', 30)).toBeNull()
    expect(sightings.read('SHELF-7', 60)).toBeNull()
    expect(sightings.read('SHELF-7', 90)).toBe('SHELF-7')
    expect(sightings.read('A-1', 120)).toBeNull()
    expect(sightings.read('A-1', 150)).toBeNull()
  })

  it('is nothing when there is none', () => {
    expect(new Sightings().read(null, 0)).toBeNull()
    expect(new Sightings().read('  ', 0)).toBeNull()
  })
})

describe('a short UPC', () => {
  it('is the long one it stands for', () => {
    // GS1 General Specifications, the worked example of zero suppression, and one of each other rule.
    expect(expandUpcE('04252614')).toBe('042100005264')
    expect(expandUpcE('01234531')).toBe('012300000451')
    expect(expandUpcE('01234543')).toBe('012340000053')
    expect(expandUpcE('01234558')).toBe('012345000058')
  })

  it('is none with another check digit or another length', () => {
    expect(expandUpcE('04252615')).toBeNull()
    expect(expandUpcE('4252614')).toBeNull()
    expect(expandUpcE('94252614')).toBeNull()
  })
})
