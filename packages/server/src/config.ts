/** The settings of a Podyard: see config/settings.ts for what there is, config/load.ts for how they are read. */
export { type Address, formatAddress, isLoopback, parseAddress } from './config/address.ts'
export {
  type Config,
  ConfigError,
  type ConfigInput,
  defaultDataDir,
  type LoadedConfig,
  loadConfig,
  type Source,
} from './config/load.ts'
export { type Setting, type Settings, settings, settingsSchema } from './config/settings.ts'
export { maskUrl, type ShownSetting, showConfig } from './config/show.ts'
