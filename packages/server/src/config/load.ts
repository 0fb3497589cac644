import { createHash } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import { Value } from 'typebox/value'
import { type Address, isLoopback, parseAddress } from './address.ts'
import { type Setting, type Settings, settings } from './settings.ts'

/** What a Podyard runs with: validated once at start, frozen, handed down. */
export type Config = Omit<Settings, 'listen' | 'dataDir' | 'simulatorListen'> & {
  readonly listen: Address
  /** Absolute. */
  readonly dataDir: string
  readonly simulatorListen: Address
  /**
   * `open`: the quick start (embedded database, simulated cluster, loopback only, no token given): every request acts as
   * `admin`. `token`: every request must carry the admin token.
   */
  readonly access: 'open' | 'token'
  /** Where the API server is, when kubeconfig says in-cluster: Kubernetes tells each pod by its environment. */
  readonly inCluster?: { readonly host: string; readonly port: string }
}

export type Source = 'default' | 'file' | 'environment' | 'flag'

export type LoadedConfig = {
  readonly config: Config
  /** Where each setting's value comes from, by name. */
  readonly sources: ReadonlyMap<string, Source>
  /** The file that was read. */
  readonly file: string | undefined
  /** One line each: what was not understood but does no harm. */
  readonly warnings: readonly string[]
}

export type ConfigInput = {
  /** By the setting's name, as typed; `config` names the file. */
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
  /** What relative paths of flags and the environment start from. */
  readonly workingDirectory: string
  /** Root of the source tree: part of the data directory's default. */
  readonly checkout: string
  readonly isRoot: boolean
}

/** The settings cannot be used. One line each: which setting, where it came from, what is wrong, what would be right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

type Given = { readonly source: Source; readonly from: string; readonly value: unknown; readonly base: string }

/** Defaults, then the file, then the environment, then flags; the last that gives a value wins. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const problems: string[] = []
  const warnings: string[] = []
  const file = readSettingsFile(input)
  const given = new Map<string, Given>()
  for (const { name, default: value } of settings)
    if (value !== undefined) given.set(name, { source: 'default', from: 'default', value, base: '' })
  const byName = new Map(settings.map((setting) => [setting.name, setting]))

  for (const [name, value] of Object.entries(file?.members ?? {})) {
    if (!byName.has(name)) problems.push(`${name} (${file?.path}): there is no such setting${suggestion(name)}`)
    else given.set(name, { source: 'file', from: file?.path ?? '', value, base: dirname(file?.path ?? '') })
  }
  for (const setting of settings) {
    const text = input.environment[setting.variable]
    // Empty is "not set": what compose files and charts write for an absent value.
    if (text !== undefined && text !== '')
      given.set(setting.name, {
        source: 'environment',
        from: `environment ${setting.variable}`,
        value: text,
        base: input.workingDirectory,
      })
  }
  for (const setting of settings) {
    const text = input.flags[setting.name]
    if (text !== undefined)
      given.set(setting.name, {
        source: 'flag',
        from: `flag --${setting.name}`,
        value: text,
        base: input.workingDirectory,
      })
  }
  const variables = new Set(['PODYARD_CONFIG', ...settings.map((setting) => setting.variable)])
  for (const variable of Object.keys(input.environment).sort()) {
    if (variable.startsWith('PODYARD_') && !variables.has(variable))
      warnings.push(`${variable}: there is no such setting, it is ignored${suggestion(variable)}`)
  }

  const values = new Map<string, unknown>()
  for (const setting of settings) {
    const from = given.get(setting.name)
    if (from !== undefined) values.set(setting.key, read(setting, from, problems))
  }
  if (values.get('kubeconfig') === 'in-cluster') {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = input.environment
    if (host && port) values.set('inCluster', Object.freeze({ host, port }))
    else
      problems.push(
        `kubeconfig (${given.get('kubeconfig')?.from}): in-cluster, but KUBERNETES_SERVICE_HOST and _PORT are not set; expected the path of a kubeconfig outside of a pod`,
      )
  }
  readWebhookSecret(input, given, values, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  values.set('dataDir', values.get('dataDir') ?? defaultDataDir(input.checkout, input.isRoot))
  return {
    config: freeze(values),
    sources: new Map(settings.map((setting) => [setting.name, given.get(setting.name)?.source ?? 'default'])),
    file: file?.path,
    warnings,
  }
}

/** Two checkouts never share a data directory; root's database runs as another user, who may not enter root's home. */
export function defaultDataDir(checkout: string, isRoot: boolean): string {
  if (!isRoot) return join(checkout, 'podyard-data')
  return join('/var/lib/podyard', createHash('sha256').update(checkout).digest('hex').slice(0, 12))
}

/** The value of one setting, or undefined after adding a problem. */
function read(setting: Setting, from: Given, problems: string[]): unknown {
  let value = from.value
  if (setting.form === 'integer' && from.source !== 'file' && /^-?\d{1,15}$/.test(String(value))) value = Number(value)
  const address = setting.form === 'address' && typeof value === 'string' ? parseAddress(value) : undefined
  const right =
    Value.Check(setting.schema, value) &&
    (setting.form !== 'address' || address !== undefined) &&
    (setting.form !== 'url' || /^postgres(ql)?:\/\/\S+$/.test(String(value))) &&
    (setting.form !== 'webhook' || (/^https?:\/\/\S+$/.test(String(value)) && URL.canParse(String(value))))
  if (!right) {
    problems.push(`${setting.name} (${from.from}): ${described(setting, value)}; expected ${setting.expects}`)
    return undefined
  }
  if (address !== undefined) return Object.freeze(address)
  if (setting.form === 'path' || (setting.form === 'kubeconfig' && value !== 'in-cluster'))
    return resolve(from.base, String(value))
  return value
}

/** The key of the webhook may come from a file, as orchestrators hand secrets over; without one nothing can be signed. */
function readWebhookSecret(
  input: ConfigInput,
  given: ReadonlyMap<string, Given>,
  values: Map<string, unknown>,
  problems: string[],
): void {
  const path = values.get('alarmWebhookSecretFile') as string | undefined
  const from = (name: string) => `${name} (${given.get(name)?.from})`
  if (path !== undefined && given.has('alarm-webhook-secret'))
    problems.push(`${from('alarm-webhook-secret-file')}: alarm-webhook-secret is given as well; expected one of them`)
  else if (path !== undefined) {
    const setting = settings.find(({ key }) => key === 'alarmWebhookSecret')
    try {
      const value = input.readFile(path).trim()
      if (setting !== undefined)
        values.set('alarmWebhookSecret', read(setting, { source: 'file', from: path, value, base: '' }, problems))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'error'
      problems.push(`${from('alarm-webhook-secret-file')}: cannot read ${path} (${code})`)
    }
  } else if (given.has('alarm-webhook-url') && !given.has('alarm-webhook-secret'))
    problems.push(
      `${from('alarm-webhook-url')}: there is nothing to sign with; expected alarm-webhook-secret or alarm-webhook-secret-file`,
    )
}

function described(setting: Setting, value: unknown): string {
  if (['secret', 'url', 'webhook'].includes(setting.form)) return 'the value given is not one'
  const text = JSON.stringify(value)
  return `${text.length > 100 ? `${text.slice(0, 100)}...` : text} is not right`
}

function freeze(values: ReadonlyMap<string, unknown>): Config {
  const read = Object.fromEntries(values) as Omit<Config, 'access'>
  return Object.freeze({ ...read, access: accessOf(read) })
}

function accessOf(config: Omit<Config, 'access'>): 'open' | 'token' {
  const quickStart =
    config.databaseUrl === undefined &&
    config.kubeconfig === undefined &&
    isLoopback(config.listen) &&
    isLoopback(config.simulatorListen)
  return quickStart && config.adminToken === undefined ? 'open' : 'token'
}

function readSettingsFile(input: ConfigInput): { path: string; members: Record<string, unknown> } | undefined {
  const flag = input.flags.config
  const named = flag ?? input.environment.PODYARD_CONFIG
  if (named === undefined || named === '') return undefined
  const path = resolve(input.workingDirectory, named)
  const from = flag === undefined ? 'environment PODYARD_CONFIG' : 'flag --config'
  let text: string
  try {
    text = input.readFile(path)
  } catch (error) {
    throw new ConfigError([
      `config (${from}): cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    ])
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    // V8's text quotes the file around the place, which may be a secret: only the place is told.
    const place = /\(line \d+ column \d+\)|at position \d+/.exec((error as Error).message)?.[0] ?? ''
    throw new ConfigError([`config (${from}): ${path} is not JSON ${place}`.trimEnd()])
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError([`config (${from}): ${path} must hold one JSON object such as {"listen": "127.0.0.1:8080"}`])
  return { path, members: parsed as Record<string, unknown> }
}

/** `; did you mean ...?` when a known name is at most two letters away. */
function suggestion(name: string): string {
  const asVariable = name.startsWith('PODYARD_')
  const known = settings.map((setting) => (asVariable ? setting.variable : setting.name))
  const wanted = asVariable ? name : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-')
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0]
  return nearest !== undefined && nearest.distance <= 2 ? `; did you mean ${nearest.candidate}?` : ''
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substituted, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
