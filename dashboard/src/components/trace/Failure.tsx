import type { Payload, Span } from '@/services/spans'
import { Text } from '../conversation/Conversation'
import { Json } from '../ui/Json'

/** Why a span failed, as it told itself; nothing where it did not. */
export function Failure({ span, payload }: { span: Span; payload: Payload }) {
  const failure = payload.statusMessage ?? payload.error
  if (!span.failed || failure === null) return null
  return (
    <div className="border-b bg-error-bg px-3.5 py-2">
      <p className="font-semibold text-error">✕ {span.name} failed</p>
      {typeof failure === 'string' ? <Text text={failure} quiet={false} /> : <Json value={failure} />}
      {payload.statusMessage !== null && payload.error !== null ? <Json value={payload.error} className="text-muted" /> : null}
    </div>
  )
}
