/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number }

/** `host:port`, `:port` (every IPv4 address) or `[IPv6]:port`; undefined when it is none of these. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)?):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  if (port > 65_535) return undefined
  const ipv6 = match[1]
  if (ipv6 !== undefined && !URL.canParse(`http://[${ipv6}]/`)) return undefined
  const host = ipv6 ?? match[2] ?? '0.0.0.0'
  // Four numbers are meant as an address: 127.0.0.300 is not a host name.
  if (ipv6 === undefined && /^[\d.]+$/.test(host) && !isIpv4(host)) return undefined
  return { host, port }
}

/** The address as it is written in a URL. */
export function formatAddress(address: Address): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** Only this machine can reach it. */
export function isLoopback(address: Address): boolean {
  const host = address.host.toLowerCase()
  if (host.includes(':')) return new URL(`http://[${host}]/`).hostname === '[::1]'
  return host === 'localhost' || (isIpv4(host) && host.startsWith('127.'))
}

function isIpv4(host: string): boolean {
  const parts = host.split('.')
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
}
