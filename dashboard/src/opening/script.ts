import { read } from '@/lib/preference/preference'
import { resolveRange } from '@/lib/time/range'
import { initOf, keyOf, overviewRequest, projectsRequest, sessionRequest, treeRequest, type Asked } from './asked'
import { signedInKey, type Opening } from './opening'

// The first script of the page, before the first paint: it sets the theme, so that a
// dark page never flashes white, and asks for what the page will want, so that neither
// its scripts nor its answers wait for each other. It is built whole, apart from the others.

const theme = read('pulse.theme')
document.documentElement.dataset['theme'] = theme === 'light' || theme === 'dark' ? theme : matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'

/** Names of scripts, as the build wrote them to the element of this one. */
function preload(scripts: string | undefined): void {
  for (const href of scripts?.split(' ') ?? []) {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', crossOrigin: '', href }))
  }
}

const { pathname, search } = location
const trace = /^\/dashboard\/traces\/([\w.~-]+)\/?$/.exec(pathname)?.[1] // others are asked for later
const overview = /^\/(dashboard\/?)?$/.test(pathname)

if ((overview || pathname.startsWith('/dashboard/')) && read(signedInKey)) {
  const opening: Opening = { at: Date.now(), answers: new Map() }
  globalThis.pulseOpening = opening
  const ask = (asked: Asked) => {
    const answer = fetch(asked.path, initOf(asked))
    answer.catch(() => null) // is told to whoever takes it
    opening.answers.set(keyOf(asked), answer)
  }
  const params = new URLSearchParams(search)
  const project = params.get('p') ?? read('pulse.project')
  if (project && overview && !params.has('q')) ask(overviewRequest(project, '', resolveRange({ from: params.get('from') ?? undefined, to: params.get('to') ?? undefined }, new Date(opening.at))))
  if (project && trace) ask(treeRequest(project, trace, ''))
  ask(sessionRequest)
  ask(projectsRequest)
  const { dataset } = document.currentScript ?? document.documentElement
  preload(dataset['frame'])
  if (trace) preload(dataset['trace'])
}
