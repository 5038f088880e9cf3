export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="rounded border border-border px-1 font-sans text-label text-faint max-md:hidden" aria-hidden="true">
      {children}
    </kbd>
  )
}
