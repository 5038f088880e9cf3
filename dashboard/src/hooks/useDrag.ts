import { useState, type PointerEvent } from 'react'

/**
 * A drag over an element, between places that `at` reads from the pointer.
 * `drag` is the one that is under way, `hover` where the pointer is.
 */
export function useDrag<T>(at: (event: PointerEvent) => T, onDrag: (from: T, to: T) => void) {
  const [drag, setDrag] = useState<{ from: T; to: T } | null>(null)
  const [hover, setHover] = useState<T | null>(null)
  return {
    drag,
    hover,
    handlers: {
      onPointerDown: (event: PointerEvent) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        setDrag({ from: at(event), to: at(event) })
      },
      onPointerMove: (event: PointerEvent) => {
        setHover(at(event))
        if (drag) setDrag({ ...drag, to: at(event) })
      },
      onPointerLeave: () => setHover(null),
      // The browser took the pointer for something else: nothing was chosen.
      onPointerCancel: () => setDrag(null),
      onPointerUp: () => {
        if (drag) onDrag(drag.from, drag.to)
        setDrag(null)
      },
    },
  }
}

/** Where in an element the pointer is, from 0 to 1 across and down. */
export function shareOf(event: PointerEvent): [number, number] {
  const box = event.currentTarget.getBoundingClientRect()
  const within = (value: number) => Math.min(Math.max(value, 0), 1)
  return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)]
}
