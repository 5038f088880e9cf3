import { describe, expect, it } from 'vitest'
import { costNotes, kindName, type Cost, type Used } from './cost'

const used = (kind: string, nanoUsd: string | null = '1'): Used => ({ kind, count: 1, price: nanoUsd === null ? null : 1, priceKind: nanoUsd === null ? null : kind, nanoUsd })
const list: Cost['price'] = { source: 'list', model: 'gpt-4o', provider: 'openai', from: new Date('2024-11-28T00:00:00Z'), tier: null }
const own: Cost['price'] = { source: 'project', model: 'house-*', provider: null, from: new Date('2026-06-30T22:00:00Z'), tier: 'batch' }
const cost = (some: Partial<Cost>): Cost => ({ nanoUsd: '1', source: 'prices', pricedNanoUsd: '1', price: list, tokens: [used('input')], ...some })
const none = { nanoUsd: null, source: null, pricedNanoUsd: null, price: null } as const
const call = { kind: 'llm_call', start: new Date('2026-11-23T08:00:00Z') }
const notes = (c: Cost, span = call) => costNotes(c, span, 'Europe/Berlin', 'en-GB')

describe('costNotes', () => {
  it.each([
    ['the price list', cost({}), 'Priced by Pulse, from the price list of 28 Nov 2024 for gpt-4o of openai.', false],
    ['an own price', cost({ price: own }), "Priced by Pulse, from the project's own price for house-* by batch, since 1 Jul 00:00:00.", false],
    ['an own price without a date', cost({ price: { ...own, from: null, tier: null } }), "Priced by Pulse, from the project's own price for house-*, without a date.", false],
    ['the installation', cost({ price: { ...own, source: 'installation', from: null, tier: null } }), 'Priced by Pulse, from a price of this installation for house-*, without a date.', false],
    ['the client', cost({ source: 'client', price: null }), 'Sent by the client: Pulse used no price.', false],
    ['a free one of the client', cost({ source: 'client', price: null, nanoUsd: '0' }), 'Sent by the client: Pulse used no price.', false],
    ['nobody', cost(none), 'No price is known for this model at this provider.', true],
    ['a price that is gone', cost({ price: null, pricedNanoUsd: null }), 'Priced by Pulse when it came. Its price is not known any more.', true],
    ['a kind without a price', cost({ ...none, price: list, tokens: [used('input'), used('cacheWrite1h', null), used('output', null)] }), 'There is the price list of 28 Nov 2024 for gpt-4o of openai. It has no price for cache write, 1 h and output, so the call has no cost.', true],
    ['no tokens', cost({ ...none, price: list, tokens: [] }), 'There is the price list of 28 Nov 2024 for gpt-4o of openai. The sender told no tokens.', false],
    ['a price that came later', cost({ ...none, price: list, pricedNanoUsd: '1' }), 'There is the price list of 28 Nov 2024 for gpt-4o of openai. The call came before that price was known: pulse reprice stores its cost.', false],
    ['another price than then', cost({ pricedNanoUsd: '2500000000' }), 'Priced by Pulse, from the price list of 28 Nov 2024 for gpt-4o of openai. Prices have changed since it was stored: today they make $2.50, which pulse reprice stores.', false],
  ])('%s', (_, c, text, settings) => {
    expect(notes(c).notes.join(' ')).toBe(text)
    expect(notes(c).settings).toBe(settings)
  })

  it('of what is no call, and of one before the first list', () => {
    expect(notes(cost({ ...none, tokens: [] }), { ...call, kind: 'tool_use' }).notes).toEqual(['Only model calls cost something.'])
    expect(notes(cost({}), { ...call, start: new Date('2024-01-01T00:00:00Z') }).notes).toEqual(['Priced by Pulse, from the price list of 28 Nov 2024 for gpt-4o of openai, the first that names it.'])
  })
})

it('kinds read as people say them', () => expect(['input', 'cacheRead', 'cacheWrite1h', 'new'].map(kindName)).toEqual(['input', 'cache read', 'cache write, 1 h', 'new']))
