/** Quantities as Kubernetes writes them: `600m`, `0.5`, `512Mi`, `6Gi`, `1e3`. Pure. */

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

const form = /^\+?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?$/

/** The number that a quantity says; undefined when it is none. Never negative. */
export function parseQuantity(text: string): number | undefined {
  const match = form.exec(text)
  if (match === null) return undefined
  const [, digits = '', exponent, suffix = ''] = match
  const scale = exponent === undefined ? suffixes[suffix] : 10 ** Number(exponent)
  return scale === undefined ? undefined : Number(digits) * scale
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
