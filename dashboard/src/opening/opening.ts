import { keyOf, type Asked } from './asked'

/** What script.ts asked for while the other scripts of the page were on their way. */
export interface Opening {
  /** When it was asked, in milliseconds. */
  at: number
  /** By keyOf. */
  answers: Map<string, Promise<Response>>
}

declare global {
  var pulseOpening: Opening | undefined
}

/** Somebody is signed in, as far as this browser knows: kept, so that the script asks for nobody else's pages. */
export const signedInKey = 'pulse.signed-in'

const longest = 10_000 // ms that an answer may wait for who wants it

function current(): Opening | undefined {
  const opening = globalThis.pulseOpening
  return opening && Date.now() - opening.at < longest ? opening : undefined
}

/** The answer to a request that was asked already; each is taken once. */
export function takeAnswer(asked: Asked): Promise<Response> | undefined {
  const answers = current()?.answers
  const key = keyOf(asked)
  const answer = answers?.get(key)
  answers?.delete(key)
  return answer
}

/** When what the page shows first was asked for; null once it shows something. */
export function openedAt(): Date | null {
  const opening = current()
  return opening ? new Date(opening.at) : null
}

/** The page shows something: what it asks for from now on is new. */
export function endOpening(): void {
  globalThis.pulseOpening = undefined
}
