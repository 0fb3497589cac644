import { ConfigError, exitCodes, readConfig, showConfig } from '@podyard/server'

/** Prints the effective settings; returns the exit code. */
export async function printConfig(
  flags: Readonly<Record<string, string | undefined>>,
  output: 'table' | 'json',
): Promise<number> {
  try {
    const loaded = readConfig(flags)
    const shown = showConfig(loaded)
    for (const warning of loaded.warnings) process.stderr.write(`podyard: warning: ${warning}\n`)
    if (output === 'json') {
      const members = shown.map(({ name, value, source }) => [name, { value, source }])
      process.stdout.write(`${JSON.stringify(Object.fromEntries(members), null, 2)}\n`)
      return exitCodes.stopped
    }
    const width = (of: readonly string[]) => Math.max(...of.map((text) => text.length))
    const names = width(shown.map((setting) => setting.name))
    const values = Math.min(60, width(shown.map((setting) => setting.value || '-')))
    for (const { name, value, source } of shown)
      process.stdout.write(`${name.padEnd(names)}  ${(value || '-').padEnd(values)}  ${source}\n`)
    return exitCodes.stopped
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) process.stderr.write(`podyard: ${problem}\n`)
    return exitCodes.usage
  }
}
