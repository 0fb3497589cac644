import { formatAddress } from './address.ts'
import type { LoadedConfig, Source } from './load.ts'
import { type Setting, settings } from './settings.ts'

/** One line of `podyard config show`. `value` is text as it could be given again, secrets masked; '' when not set. */
export type ShownSetting = { readonly name: string; readonly value: string; readonly source: Source }

/** The effective settings with their sources; nothing secret is among them. */
export function showConfig(loaded: LoadedConfig): ShownSetting[] {
  return settings.map((setting) => ({
    name: setting.name,
    value: shown(setting, loaded.config[setting.key]),
    source: loaded.sources.get(setting.name) ?? 'default',
  }))
}

const mask = '********'

function shown(setting: Setting, value: LoadedConfig['config'][Setting['key']]): string {
  if (value === undefined) return ''
  if (typeof value === 'object') return formatAddress(value)
  if (setting.form === 'secret') return mask
  if (setting.form === 'url') return maskUrl(String(value))
  // Receivers put their keys into the path.
  if (setting.form === 'webhook') return `${new URL(String(value)).origin}/${mask}`
  return String(value)
}

/** The URL without its password, wherever that stands; wholly masked when it cannot be taken apart. */
export function maskUrl(text: string): string {
  if (!URL.canParse(text)) return mask
  const url = new URL(text)
  if (url.password !== '') url.password = mask
  for (const name of [...url.searchParams.keys()])
    if (/password|secret|token/i.test(name)) url.searchParams.set(name, mask)
  return url.href
}
