import type { PodTemplate } from '../validation/kube-types.ts'

/** The hash that names a Deployment's ReplicaSets, in the form of the real one (its value is not the real one's). */

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, sorted(member)]),
  )
}

/** FNV-1a of the template, 32 bits, written with letters that make no words. `collisions` as in the Deployment's status. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  const text = `${JSON.stringify(sorted(template))}${collisions === 0 ? '' : collisions}`
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return [...String(hash)].map((digit) => LETTERS.charAt(digit.charCodeAt(0) % LETTERS.length)).join('')
}
