import { useEffect, useRef, useState, type DependencyList } from 'react'

/** What is drawn with: `color` gives what a token of the theme stands for, by its "var(--…)". */
export interface Pen {
  context: CanvasRenderingContext2D
  width: number
  color: (token: string) => string
}

/**
 * A canvas as wide as `holder`, in the pixels of the screen. `draw` runs again
 * when its size or one of `changes` does, the theme among them.
 */
export function useCanvas(height: number, draw: (pen: Pen) => void, changes: DependencyList) {
  const holder = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)

  useEffect(() => {
    const element = holder.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d')
    if (!element || !context || width === 0) return
    const ratio = window.devicePixelRatio || 1
    element.width = width * ratio
    element.height = height * ratio
    context.scale(ratio, ratio)
    const style = getComputedStyle(element)
    context.font = `12px ${style.fontFamily}`
    const colors = new Map<string, string>()
    draw({
      context,
      width,
      color: (token) => {
        let value = colors.get(token)
        if (value === undefined) colors.set(token, (value = style.getPropertyValue(token.slice(4, -1)).trim()))
        return value
      },
    })
    // What draw depends on is what its caller says.
  }, [width, height, ...changes])

  return { holder, canvas, width }
}
