/** Members that differ between two clusters by nature. */
const byNature = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'lastTransitionTime',
  'lastUpdateTime',
  'lastProbeTime',
  'startTime',
  'startedAt',
  'finishedAt',
  'podIP',
  'hostIP',
  'ip',
])

/**
 * A value without what differs between any two clusters: uids, versions, times and addresses become a word (so that
 * their presence still counts), generated suffixes five X. The object that a refused patch shows, and the diff of
 * internal structs that a refused change of a pod shows, are left out of messages. Nothing else is touched; who owns which field is
 * compared by its own cases only.
 */
export function normal(value: unknown, name = ''): unknown {
  if (byNature.has(name) && value !== null && value !== undefined) return `<${name}>`
  if (typeof value === 'string') return normalText(value)
  if (Array.isArray(value)) return value.map((item) => normal(item))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([key, member]) => key !== 'managedFields' && member !== undefined)
  return Object.fromEntries(members.map(([key, member]) => [normalText(key), normal(member, key)]))
}

/** The alphabet of generated names leaves out vowels and the digits 0, 1 and 3. */
const suffix = '[bcdfghjklmnpqrstvwxz2456789]{5}'
const generated = new RegExp(`(kube-api-access-|-|_)${suffix}(?![\\w-])`, 'g')
/** The object is a JSON string in the text. */
const patchedObject = /((?:^|patch: )Invalid value: )"\{(?:[^"\\]|\\.)*\}"/g
const structDiff = /(if it was previously negative\))\n.*$/s

function normalText(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(generated, '$1XXXXX')
    .replace(patchedObject, '$1<object>')
    .replace(structDiff, '$1')
}
