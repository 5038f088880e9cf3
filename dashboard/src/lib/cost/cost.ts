import { absoluteTime, formatDay, formatMoney, type Zone } from '../format/format'

/** What a call cost, and how prices make that of what it used. Money is nano-dollars, as digits. */
export interface Cost {
  /** As it is stored; null where nobody knows. */
  nanoUsd: string | null
  /** Who said it. */
  source: 'client' | 'prices' | null
  /** What the prices of today, for the time of the call, make of it. */
  pricedNanoUsd: string | null
  price: Price | null
  tokens: Used[]
}

interface Price {
  source: 'project' | 'installation' | 'list'
  /** A name, or the pattern of a price that somebody set. */
  model: string
  provider: string | null
  /** Since when it applies; null for always. */
  from: Date | null
  /** Of the provider's service; null is the standard one. */
  tier: string | null
}

/** One kind of what was used: each token is in one. */
export interface Used {
  kind: string
  count: number
  /** Dollars for a million. */
  price: number | null
  /** The kind whose price it is: another one where this has none of its own. */
  priceKind: string | null
  nanoUsd: string | null
}

const kinds: Record<string, string> = {
  cacheRead: 'cache read', cacheWrite5m: 'cache write', cacheWrite1h: 'cache write, 1 h', audioInput: 'audio in', imageInput: 'images in', audioOutput: 'audio out', imageOutput: 'images out', search: 'searches',
}

/** A kind of tokens as people say it. */
export const kindName = (kind: string): string => kinds[kind] ?? kind

const priced = ['llm_call', 'embedding', 'rerank']

/** Where a cost comes from, sentence by sentence, and whether a price of one's own would help. */
export function costNotes(cost: Cost, span: { kind: string; start: Date }, zone: Zone, locale?: string): { notes: string[]; settings: boolean } {
  if (cost.source === 'client') return { notes: ['Sent by the client: Pulse used no price.'], settings: false }
  const { price } = cost
  if (cost.nanoUsd === null && !priced.includes(span.kind)) return { notes: ['Only model calls cost something.'], settings: false }
  if (!price) {
    const notes = [cost.nanoUsd === null ? 'No price is known for this model at this provider.' : 'Priced by Pulse when it came. Its price is not known any more.']
    return { notes, settings: true }
  }
  const which = priceName(price, span.start, zone, locale)
  const notes = [cost.nanoUsd === null ? `There is ${which}.` : `Priced by Pulse, from ${which}.`]
  const without = cost.tokens.filter((used) => used.nanoUsd === null).map((used) => kindName(used.kind))
  if (cost.tokens.length === 0) notes.push('The sender told no tokens.')
  else if (without.length > 0) notes.push(`It has no price for ${without.join(' and ')}, so the call has no cost.`)
  else if (cost.nanoUsd === null) notes.push('The call came before that price was known: pulse reprice stores its cost.')
  else if (cost.pricedNanoUsd !== cost.nanoUsd) notes.push(`Prices have changed since it was stored: today they make ${formatMoney(cost.pricedNanoUsd, locale)}, which pulse reprice stores.`)
  return { notes, settings: without.length > 0 }
}

/** Which price it is: whose, for what and since when. */
function priceName(price: Price, start: Date, zone: Zone, locale?: string): string {
  const what = [price.model, price.provider ? `of ${price.provider}` : '', price.tier ? `by ${price.tier}` : ''].filter(Boolean).join(' ')
  if (price.source === 'list') {
    // The list has days of UTC.
    const day = price.from ? formatDay(price.from, 'UTC', locale) : ''
    return `the price list of ${day} for ${what}${price.from && price.from > start ? ', the first that names it' : ''}`
  }
  const since = price.from ? `since ${absoluteTime(price.from, zone, locale ? { locale } : {})}` : 'without a date'
  return `${price.source === 'project' ? "the project's own price" : 'a price of this installation'} for ${what}, ${since}`
}
