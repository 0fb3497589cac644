/** Kubernetes' name formats. Each function returns what is wrong, in the API server's words; empty when nothing is. */

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`
const labelPattern = new RegExp(`^${LABEL}$`)
const subdomainPattern = new RegExp(`^${SUBDOMAIN}$`)
const KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const keyPattern = new RegExp(`^${KEY}$`)
const valuePattern = new RegExp(`^(${KEY})?$`)

const NONE: readonly string[] = []

const bytes = (text: string) => Buffer.byteLength(text)

function pattern(text: string, regex: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${text} (regex used for validation is '${regex}')`
  return `${text} (e.g. ${examples.map((example) => `'${example}', `).join(' or ')}regex used for validation is '${regex}')`
}

export function dnsLabelProblems(value: string): readonly string[] {
  if (value.length <= 63 && labelPattern.test(value)) return NONE
  const problems = bytes(value) > 63 ? ['must be no more than 63 characters'] : []
  if (!labelPattern.test(value)) {
    problems.push(
      subdomainPattern.test(value)
        ? 'must not contain dots'
        : pattern(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            LABEL,
            'my-name',
            '123-abc',
          ),
    )
  }
  return problems
}

export function dnsSubdomainProblems(value: string): readonly string[] {
  if (value.length <= 253 && subdomainPattern.test(value)) return NONE
  const problems = bytes(value) > 253 ? ['must be no more than 253 characters'] : []
  if (!subdomainPattern.test(value)) {
    problems.push(
      pattern(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        SUBDOMAIN,
        'example.com',
      ),
    )
  }
  return problems
}

const KEY_TEXT =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

/** Label keys, annotation keys, resource names, finalizers. */
export function qualifiedNameProblems(value: string): readonly string[] {
  const parts = value.split('/')
  if (parts.length > 2) {
    return [
      `a valid label key ${pattern(KEY_TEXT, KEY, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const problems: string[] = []
  const name = parts.at(-1) ?? ''
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') problems.push('prefix part must be non-empty')
    else
      problems.push(
        ...dnsSubdomainProblems(prefix).map((problem) => `prefix part ${problem.replace(/characters$/, 'bytes')}`),
      )
  }
  if (name === '') problems.push('name part must be non-empty')
  else if (bytes(name) > 63) problems.push('name part must be no more than 63 bytes')
  if (!keyPattern.test(name)) problems.push(`name part ${pattern(KEY_TEXT, KEY, 'MyName', 'my.name', '123-abc')}`)
  return problems
}

export function labelValueProblems(value: string): readonly string[] {
  if (value.length <= 63 && valuePattern.test(value)) return NONE
  const problems = bytes(value) > 63 ? ['must be no more than 63 bytes'] : []
  if (!valuePattern.test(value)) {
    problems.push(
      pattern(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        `(${KEY})?`,
        'MyValue',
        'my_value',
        '12345',
      ),
    )
  }
  return problems
}

/** Environment variable names in the relaxed form: any printable ASCII but `=`. */
export function environmentNameProblems(value: string): readonly string[] {
  if (value === '') return ['environment variable name must be non-empty']
  if (/^[ -<>-~]+$/.test(value)) return NONE
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

export function configMapKeyProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (bytes(value) > 253) problems.push('must be no more than 253 characters')
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    problems.push(
      pattern(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    )
  }
  if (value === '.') problems.push("must not be '.'")
  else if (value === '..') problems.push("must not be '..'")
  else if (value.startsWith('..')) problems.push("must not start with '..'")
  return problems
}

export function portNameProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (bytes(value) > 15) problems.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  }
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)')
  if (value.includes('--')) problems.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen')
  return problems
}

export function portNumberProblems(value: number): readonly string[] {
  return value >= 1 && value <= 65535 ? NONE : ['must be between 1 and 65535, inclusive']
}

export function percentProblems(value: string): readonly string[] {
  if (/^[0-9]+%$/.test(value)) return NONE
  return [pattern("a valid percent string must be a numeric string followed by an ending '%'", '[0-9]+%', '1%', '93%')]
}

export function httpHeaderNameProblems(value: string): readonly string[] {
  if (/^[-A-Za-z0-9]+$/.test(value)) return NONE
  return [
    pattern("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name'),
  ]
}
