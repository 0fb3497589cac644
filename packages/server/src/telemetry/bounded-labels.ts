/** Names that a metric shows at most; there may be any number of pools. */
const maxNames = 500

/**
 * A function that gives the first so many different names as they are, and `_other` for the rest: the series of a metric
 * stay few, and their sum right. Make a new one each time that the metric is filled.
 */
export function boundedLabels(limit = maxNames): (name: string) => string {
  const seen = new Set<string>()
  return (name) => {
    if (seen.has(name)) return name
    if (seen.size >= limit) return '_other'
    seen.add(name)
    return name
  }
}
