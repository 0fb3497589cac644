import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger } from 'pino'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** JSON lines on stdout, or to `destination`. Members that could hold a secret are left out wherever they stand. */
export function createLogger(options: { readonly level: LogLevel; readonly destination?: DestinationStream }): Logger {
  const config = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: ['token', '*.token', 'password', '*.password', 'headers.authorization', '*.bk_app_secret', '*.bk_token'],
      remove: true,
    },
  }
  return options.destination === undefined ? pino(config) : pino(config, options.destination)
}
