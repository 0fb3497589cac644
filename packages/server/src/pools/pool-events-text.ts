const maxNames = 5

/** `pod a`, `pods a, b`, `pods a, b, c, d, e and 7 more`. */
export function say(names: readonly string[]): string {
  const shown = names.slice(0, maxNames).join(', ')
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return `${names.length === 1 ? 'pod' : 'pods'} ${shown}${more}`
}
