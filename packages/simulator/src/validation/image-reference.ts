import { goQuote } from './field.ts'

/** Image references, parsed as the container runtimes' reference library does, with its error texts. */

const HOST = String.raw`(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?`
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*'
const PATH = String.raw`${COMPONENT}(?:\/${COMPONENT})*`
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'
const pattern = new RegExp(String.raw`^(?:(${HOST})\/)?(${PATH})(?::([\w][\w.-]{0,127}))?(?:@(${DIGEST}))?$`)

export type ImageReference = { readonly repository: string; readonly tag: string; readonly digest: string }

function splitDomain(name: string): readonly [string, string] {
  const slash = name.indexOf('/')
  if (slash < 0) return ['docker.io', `library/${name}`]
  const first = name.slice(0, slash)
  const rest = name.slice(slash + 1)
  const isDomain = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first
  const domain = isDomain && first !== 'index.docker.io' ? first : 'docker.io'
  const remote = isDomain ? rest : name
  return [domain, domain === 'docker.io' && !remote.includes('/') ? `library/${remote}` : remote]
}

function problemOf(image: string): string | ImageReference {
  if (/^[a-f0-9]{64}$/.test(image)) {
    return `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`
  }
  const [domain, rest] = splitDomain(image)
  const remote = rest.split(':', 1)[0] ?? rest
  if (remote.toLowerCase() !== remote) return `invalid reference format: repository name (${remote}) must be lowercase`
  const whole = `${domain}/${rest}`
  const match = pattern.exec(whole)
  if (match === null) {
    return pattern.test(whole.toLowerCase()) ? 'repository name must be lowercase' : 'invalid reference format'
  }
  const [, host = '', path = '', tag = '', digest = ''] = match
  if (path.length > 255) return 'repository name must not be more than 255 characters'
  const problem = digestProblem(digest)
  if (problem !== undefined) return problem
  return { repository: `${host}/${path}`, tag: tag === '' && digest === '' ? 'latest' : tag, digest }
}

const DIGEST_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 }

function digestProblem(digest: string): string | undefined {
  if (digest === '') return undefined
  const [algorithm = '', encoded = ''] = digest.split(':')
  const length = Object.hasOwn(DIGEST_LENGTH, algorithm) ? DIGEST_LENGTH[algorithm] : undefined
  if (length === undefined) return 'unsupported digest algorithm'
  if (encoded.length !== length) return 'invalid checksum digest length'
  return /^[a-f0-9]+$/.test(encoded) ? undefined : 'invalid checksum digest format'
}

const cache = new Map<string, ImageReference | string>()

/** The parts of an image reference (the tag `latest` when it has neither tag nor digest), or the parser's error text. */
export function parseImage(image: string): ImageReference | string {
  const known = cache.get(image)
  if (known !== undefined) return known
  const parsed = problemOf(image)
  const result = typeof parsed === 'string' ? `couldn't parse image name ${goQuote(image)}: ${parsed}` : parsed
  if (cache.size > 10_000) cache.clear()
  cache.set(image, result)
  return result
}
