/** Addresses of hosts as they are stored and answered (container API reference 10.3). */

/** Whether the text is an IPv4 address in its usual form, without leading zeros. */
export function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** The full form of an IPv6 address, eight groups of four digits; undefined when the text is none. */
export function fullIpv6(text: string): string | undefined {
  let source = text.toLowerCase()
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(source)
  if (tail !== null) {
    const [, head, dotted] = tail as unknown as [string, string, string]
    if (!isIpv4(dotted)) return undefined
    const [a, b, c, d] = dotted.split('.').map(Number) as [number, number, number, number]
    source = `${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  }
  const halves = source.split('::')
  if (halves.length > 2) return undefined
  const groupsOf = (half: string | undefined) => (half === undefined || half === '' ? [] : half.split(':'))
  const before = groupsOf(halves[0])
  const after = groupsOf(halves[1])
  const missing = 8 - before.length - after.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...before, ...Array<string>(missing).fill('0'), ...after]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined
  return groups.map((group) => group.padStart(4, '0')).join(':')
}

/** A comma separated list of addresses, each once, in order; undefined when one of them is none. */
export function addressList(text: string, version: 4 | 6): string[] | undefined {
  const addresses = new Set<string>()
  for (const part of text.split(',')) {
    const given = part.trim()
    if (given === '') continue
    const address = version === 6 ? fullIpv6(given) : isIpv4(given) ? given : undefined
    if (address === undefined) return undefined
    addresses.add(address)
  }
  return [...addresses]
}
