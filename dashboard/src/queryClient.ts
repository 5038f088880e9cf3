import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { endOpening } from './opening/opening'
import { accountKey } from './services/auth'
import { ApiError } from './services/http'

const signedOut = new EventTarget()

/** Calls back when the server no longer knows who asks; gives the way to stop it. */
export function onSignedOut(callback: () => void): () => void {
  signedOut.addEventListener('signed-out', callback)
  return () => signedOut.removeEventListener('signed-out', callback)
}

function onError(error: Error) {
  if (!(error instanceof ApiError) || error.status !== 401) return
  queryClient.setQueryData(accountKey, null)
  signedOut.dispatchEvent(new Event('signed-out'))
}

/** The only cache of what the server said. */
export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      // What the server refused it refuses again; only what failed on the way is tried anew.
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 5_000),
    },
  },
})

/** Somebody has signed in: what was read before is forgotten, since it may have been for another. */
export async function signedIn(): Promise<void> {
  endOpening() // what the page's first script asked for was answered to nobody
  queryClient.removeQueries({ type: 'inactive' })
  await queryClient.resetQueries({ queryKey: accountKey })
}
