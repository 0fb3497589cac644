/** Quantities as Kubernetes writes them: `600m`, `0.5`, `512Mi`, `6Gi`, `1e3`. Pure. */

const scale: Readonly<Record<string, number>> = {
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

/** The number that a quantity says; undefined when it is none. */
export function amount(value: unknown): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/.exec(String(value))
  if (match === null) return undefined
  const suffix = match[2] ?? ''
  const factor = scale[suffix] ?? 10 ** Number(suffix.slice(1))
  return Number(match[1]) * factor
}
