/**
 * Parses lines of a watch on pods. The spec is the largest part of a pod, it hardly ever changes, and the pods of one
 * workload on one node have the same: each text of a spec is parsed once and its value shared, frozen, by all that have it.
 *
 * What is found is what `JSON.parse` finds: a text that is a whole JSON value is the value at its place, and where it is not
 * what is expected the line is parsed as it is.
 *
 * @param most distinct specs that are kept; the oldest goes first
 */
export function createSpecSharing(most = 512): (line: string) => unknown {
  const known = new Map<string, object>()

  function specOf(text: string): object {
    let spec = known.get(text)
    if (spec === undefined) {
      spec = freeze(JSON.parse(text) as object)
      const [oldest] = known.size >= most ? known.keys() : []
      if (oldest !== undefined) known.delete(oldest)
      known.set(text, spec)
    }
    return spec
  }

  return (line) => {
    // Neither text can be inside a string, where quotes are escaped.
    const from = line.indexOf(key)
    const end = line.indexOf(next, from)
    if (from < 0 || end < 0) return JSON.parse(line)
    const at = from + key.length - 1
    try {
      const event = JSON.parse(line.slice(0, at) + placeholderText + line.slice(end + 1)) as Line
      if (event.object?.spec === placeholder) {
        event.object.spec = specOf(line.slice(at, end + 1))
        return event
      }
    } catch {
      // Cut in the wrong place, or not JSON at all, which is said below.
    }
    return JSON.parse(line)
  }
}

const key = ',"spec":{'
const next = '},"status":{'
/** No object has such a spec. */
const placeholder = '\0shared'
const placeholderText = JSON.stringify(placeholder)

type Line = { readonly object?: { spec?: unknown } }

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const one of Object.values(value)) freeze(one)
    Object.freeze(value)
  }
  return value
}
