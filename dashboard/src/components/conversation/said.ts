import { messagesOf, messagesOfRequest, messagesOfResponse, type Message } from '@/lib/messages/messages'
import type { Payload } from '@/services/spans'

/** What a model call was told, from whichever of its fields holds it. */
export const askedOf = (payload: Payload): Message[] => (payload.inputMessages !== null ? messagesOf(payload.inputMessages) : messagesOfRequest(payload.request))

/** What it was given to use, in its provider's shape. */
export function toolsGiven(payload: Payload): unknown {
  const { tools, request } = payload
  return tools ?? (typeof request === 'object' && request !== null && 'tools' in request ? request.tools : null)
}

/** What it answered. */
export function answeredOf(payload: Payload): Message[] {
  if (payload.outputMessages !== null) return messagesOf(payload.outputMessages, 'assistant')
  if (payload.response !== null) return messagesOfResponse(payload.response)
  return payload.outputText ? messagesOf(payload.outputText, 'assistant') : []
}

/** Both, in their order. */
export const conversationOf = (payload: Payload): Message[] => [...askedOf(payload), ...answeredOf(payload)]
