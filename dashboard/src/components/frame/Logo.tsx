export function Logo({ always = false }: { always?: boolean }) {
  return (
    <span className="inline-flex items-center gap-2 text-fact font-semibold">
      <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
        <rect width="32" height="32" rx="7" className="fill-accent" />
        <path d="M5 18h5l3-9 5 15 4-10 2 4h3" fill="none" className="stroke-on-accent" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round" />
      </svg>
      <span className={always ? undefined : 'max-lg:sr-only'}>Pulse</span>
    </span>
  )
}
