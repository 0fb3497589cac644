/** What the command line needs of the server. Light to import: the server itself is loaded by `serve`. */
export {
  ConfigError,
  formatAddress,
  parseAddress,
  type Setting,
  type ShownSetting,
  settings,
  showConfig,
} from './config.ts'
export { exitCodes, readConfig, serve } from './main.ts'
