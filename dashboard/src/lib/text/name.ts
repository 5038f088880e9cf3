const shown = (name: string) => name.trim().replaceAll(/\s+/g, ' ')

/** Whether somebody has typed a name as a page shows it: of blanks it shows one, and none at the ends. */
export const sameName = (typed: string, name: string): boolean => shown(typed) === shown(name)
