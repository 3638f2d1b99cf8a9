import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chosen } from '../src/i18n'
import { de } from '../src/i18n/de'
import { en, type Key, type Messages } from '../src/i18n/en'
import { es } from '../src/i18n/es'
import { hi } from '../src/i18n/hi'

const OTHERS: Record<string, Messages> = { de, es, hi }
const KEYS = Object.keys(en) as Key[]
/** Names, signs, and words that are the same in two languages. */
const SAME: RegExp[] = [/^app\.name$/, /^journal\.(add|subtract|change|who)$/, /^count\.elsewhereBy$/, /^device\.vibration$/]
/** Keys that are put together from a prefix and a value. */
const BUILT = ['error.', 'truth.', 'device.']
const SOURCE = new URL('../src', import.meta.url).pathname

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
const forms = (text: string) => text.split(' | ').length

describe.each(Object.entries(OTHERS))('%s', (_, messages) => {
  it('says everything that English says, and nothing else', () => {
    expect(Object.keys(messages).sort()).toEqual([...KEYS].sort())
  })

  it('is a translation', () => {
    const same = KEYS.filter((key) => messages[key] === en[key] && !SAME.some((pattern) => pattern.test(key)))
    expect(same).toEqual([])
    expect(KEYS.filter((key) => !messages[key].trim())).toEqual([])
  })

  it('fills in the same values, in as many forms', () => {
    for (const key of KEYS) {
      expect(placeholders(messages[key]), key).toEqual(placeholders(en[key]))
      expect(forms(messages[key]), key).toBe(forms(en[key]))
    }
  })
})

describe('a text', () => {
  it('has a form for one and a form for many', () => {
    const rules = new Intl.PluralRules('en')
    const text = '{n} count | {n} counts'
    expect([0, 1, 2].map((n) => chosen(text, { n }, rules))).toEqual(['{n} counts', '{n} count', '{n} counts'])
    expect(chosen('no forms', { n: 1 }, rules)).toBe('no forms')
  })

  it('is there because something says it', () => {
    const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(vue|ts)$/.test(name)).filter((name) => !name.startsWith('i18n') || name.endsWith('index.ts'))
    const source = files.map((name) => readFileSync(join(SOURCE, name), 'utf8')).join('\n')
    const unused = KEYS.filter((key) => !source.includes(`'${key}'`) && !BUILT.some((prefix) => key.startsWith(prefix) && source.includes(`\`${prefix}\${`)))
    expect(unused.filter((key) => !key.startsWith('error.'))).toEqual([])
  })
})
