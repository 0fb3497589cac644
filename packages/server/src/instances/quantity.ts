import { amount } from '../kube/quantity.ts'

/** What is asked for and offered, in whole units. Pure. */

function parseQuantity(text: string): number | undefined {
  const value = amount(text)
  return text.startsWith('-') ? undefined : value
}

/** CPU in thousandths of a core, rounded up as Kubernetes does; undefined when it is no quantity that can be counted. */
export function cpuMillisOf(text: string): number | undefined {
  return whole(parseQuantity(text), 1000)
}

/** Memory in bytes, rounded up; undefined when it is no quantity that can be counted. */
export function memoryBytesOf(text: string): number | undefined {
  return whole(parseQuantity(text), 1)
}

function whole(value: number | undefined, scale: number): number | undefined {
  if (value === undefined) return undefined
  const scaled = value * scale
  const nearest = Math.round(scaled)
  // 0.29 * 1000 is 290.00000000000006 or so: what lies that near to a whole number is one.
  const rounded = Math.abs(scaled - nearest) <= scaled * 1e-12 ? nearest : Math.ceil(scaled)
  return Number.isSafeInteger(rounded) ? rounded : undefined
}
