/**
 * Kubernetes quantities: parsing with the API server's errors, comparison, and the canonical text that the server
 * stores (`1000m` becomes `1`, `1024Mi` becomes `1Gi`). After apimachinery's pkg/api/resource.
 */

/** Nano units, so that every quantity is a whole number. */
export type Quantity = { readonly nano: bigint; readonly text: string }

const FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const SUFFIX_WRONG = "unable to parse quantity's suffix"
const NANO = 1_000_000_000n
const MAX_BINARY = (1n << 63n) - 1n

type Format = 'decimal' | 'binary' | 'exponent'
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const DECIMAL_NAMES = new Map(Object.entries(DECIMAL).map(([name, exponent]) => [exponent, name]))
const BINARY: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

const cache = new Map<string, Quantity>()

/** Parses the text, or gives the server's error as a string. Results are cached: pools repeat few values. */
export function parseQuantity(text: string): Quantity | string {
  const known = cache.get(text)
  if (known !== undefined) return known
  const parsed = parse(text)
  if (typeof parsed !== 'string') {
    if (cache.size > 10_000) cache.clear()
    cache.set(text, parsed)
  }
  return parsed
}

/** A quantity that validation already accepted; anything else counts as zero. */
export function quantityNano(text: unknown): bigint {
  if (text === undefined || text === null) return 0n
  const parsed = parseQuantity(String(text))
  return typeof parsed === 'string' ? 0n : parsed.nano
}

function parse(text: string): Quantity | string {
  if (text === '') return FORMAT_WRONG
  if (text === '0') return { nano: 0n, text }
  const match = /^([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/.exec(text)
  if (match === null) return FORMAT_WRONG
  const [, sign = '', digits = '', fraction = '', suffix = ''] = match
  const format = formatOf(suffix)
  if (format === undefined) return SUFFIX_WRONG
  const number = BigInt(`${digits === '' ? '0' : digits}${fraction}`)
  const scaled = scale(number, fraction.length, format)
  let amount = scaled
  let kind = format.kind
  if (kind === 'binary' && amount > MAX_BINARY * NANO) amount = MAX_BINARY * NANO
  if (kind === 'binary' && amount < NANO) kind = 'decimal'
  const nano = sign === '-' ? -amount : amount
  const shifted = `${digits === '' ? '0' : digits}${fraction}`
  const exponentOf = format.exponent - fraction.length
  // Texts in canonical form are kept as they came, the sign and leading zeros included.
  if (
    kind !== 'binary' &&
    exponentOf >= -9 &&
    exponentOf % 3 === 0 &&
    !shifted.endsWith('000') &&
    !shifted.startsWith('0')
  ) {
    if (shifted.length + format.exponent <= 18) return { nano, text }
  }
  return { nano, text: canonical(nano, kind) }
}

type Suffix = { readonly kind: Format; readonly exponent: number }

function formatOf(suffix: string): Suffix | undefined {
  const decimal = Object.hasOwn(DECIMAL, suffix) ? DECIMAL[suffix] : undefined
  if (decimal !== undefined) return { kind: 'decimal', exponent: decimal }
  const binary = BINARY.indexOf(suffix)
  if (binary > 0) return { kind: 'binary', exponent: binary * 10 }
  const exponent = /^[eE]([-+]?[0-9]+)$/.exec(suffix)
  if (exponent?.[1] === undefined || Math.abs(Number(exponent[1])) > 1000) return undefined
  return { kind: 'exponent', exponent: Number(exponent[1]) }
}

/** number x 10^-fraction x suffix in nano units; what is smaller than one nano rounds up. */
function scale(number: bigint, fraction: number, suffix: Suffix): bigint {
  let value = number * NANO
  let divisor = 10n ** BigInt(fraction)
  if (suffix.kind === 'binary') value <<= BigInt(suffix.exponent)
  else if (suffix.exponent >= 0) value *= 10n ** BigInt(suffix.exponent)
  else divisor *= 10n ** BigInt(-suffix.exponent)
  return value % divisor === 0n ? value / divisor : value / divisor + 1n
}

function canonical(nano: bigint, kind: Format): string {
  if (nano === 0n) return '0'
  const whole = nano % NANO === 0n ? nano / NANO : undefined
  if (kind === 'binary' && whole !== undefined && (whole <= -1024n || whole >= 1024n)) {
    let mantissa = whole
    let step = 0
    while (mantissa % 1024n === 0n && step < 6) {
      mantissa /= 1024n
      step++
    }
    return `${mantissa}${BINARY[step]}`
  }
  let mantissa = nano
  let exponent = -9
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n
    exponent += 3
  }
  if (kind === 'exponent') return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`
  return `${mantissa}${DECIMAL_NAMES.get(exponent)}`
}

/** The canonical text of a number of nano units in the decimal form. */
export const decimalQuantity = (nano: bigint): string => canonical(nano, 'decimal')

/** The canonical text of a number of whole units in the binary form. */
export const binaryQuantity = (units: bigint): string => canonical(units * NANO, 'binary')
