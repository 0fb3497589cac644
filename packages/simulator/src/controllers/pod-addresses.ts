/** Addresses for pods out of their node's range; beyond it out of a common one, so that no pod goes without. */

const OVERFLOW = '10.128.0.0/9'

type Range = { readonly base: number; readonly size: number; next: number }

function parseRange(cidr: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr)
  if (match === null) return undefined
  const [a, b, c, d, bits] = match.slice(1).map(Number) as [number, number, number, number, number]
  const size = 2 ** (32 - bits)
  const address = ((a * 256 + b) * 256 + c) * 256 + d
  return { base: address - (address % size), size, next: 2 }
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

export class PodAddresses {
  readonly #ranges = new Map<string, Range>()
  readonly #used = new Set<string>()

  take(address: string): void {
    this.#used.add(address)
  }

  release(address: string): void {
    this.#used.delete(address)
  }

  /** A free address of the range, later ones first, so that one that was just freed rests. */
  allocate(cidr: string | undefined): string {
    return this.#from(cidr ?? OVERFLOW) ?? this.#from(OVERFLOW) ?? '10.128.0.2'
  }

  #from(cidr: string): string | undefined {
    const range = this.#ranges.get(cidr) ?? parseRange(cidr)
    if (range === undefined) return undefined
    this.#ranges.set(cidr, range)
    const free = range.size - 3
    for (let tried = 0; tried < free; tried++) {
      const offset = range.next
      range.next = offset + 1 >= range.size - 1 ? 2 : offset + 1
      const address = textOf(range.base + offset)
      if (this.#used.has(address)) continue
      this.#used.add(address)
      return address
    }
    return undefined
  }
}
