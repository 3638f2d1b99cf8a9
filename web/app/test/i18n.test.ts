import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chosen } from '../src/i18n'
import { de } from '../src/i18n/de'
import { en, type Key, type Messages } from '../src/i18n/en'
import { es } from '../src/i18n/es'
import { hi } from '../src/i18n/hi'
import { de as deskDe } from '../src/i18n/desk/de'
import { en as deskEn, type DeskKey } from '../src/i18n/desk/en'
import { es as deskEs } from '../src/i18n/desk/es'
import { hi as deskHi } from '../src/i18n/desk/hi'

const OTHERS: Record<string, Messages> = { de, es, hi }
const KEYS = Object.keys(en) as Key[]
const DESK_KEYS = Object.keys(deskEn) as DeskKey[]
/** Names, signs, and words that are the same in two languages. */
const SAME: RegExp[] = [/^app\.name$/, /^journal\.(add|subtract|change|who)$/, /^count\.elsewhereBy$/, /^device\.vibration$/, /^(live|review\.by|duration\.\w+|plan\.name|people\.name)$/]
/** Keys that are put together from a prefix and a value. */
const BUILT = ['error.', 'truth.', 'device.', 'role.', 'review.decided.', 'review.sort.', 'duration.', 'rule.', 'alert.', 'why.']
const SOURCE = new URL('../src', import.meta.url).pathname

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
const forms = (text: string) => text.split(' | ').length

const TABLES: [string, Record<string, string>, Record<string, string>][] = [
  ...Object.entries(OTHERS).map(([name, table]): [string, Record<string, string>, Record<string, string>] => [name, table, en]),
  ['the desk: de', deskDe, deskEn],
  ['the desk: es', deskEs, deskEn],
  ['the desk: hi', deskHi, deskEn],
]

describe.each(TABLES)('%s', (_, messages, english) => {
  const keys = Object.keys(english)

  it('says everything that English says, and nothing else', () => {
    expect(Object.keys(messages).sort()).toEqual([...keys].sort())
  })

  it('is a translation', () => {
    const same = keys.filter((key) => messages[key] === english[key] && !SAME.some((pattern) => pattern.test(key)))
    expect(same).toEqual([])
    expect(keys.filter((key) => !messages[key]?.trim())).toEqual([])
  })

  it('fills in the same values, in as many forms', () => {
    for (const key of keys) {
      expect(placeholders(messages[key] ?? ''), key).toEqual(placeholders(english[key] ?? ''))
      expect(forms(messages[key] ?? ''), key).toBe(forms(english[key] ?? ''))
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
    const unused = [...KEYS, ...DESK_KEYS].filter((key) => !source.includes(`'${key}'`) && !BUILT.some((prefix) => key.startsWith(prefix) && source.includes(`\`${prefix}\${`)))
    expect(unused.filter((key) => !key.startsWith('error.'))).toEqual([])
  })
})
