#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'

// The command's words come at once: what is heavy (schemas 0.1 s, the server 0.5 s) is imported by the command that
// needs it, and the flags of the settings are made only for the commands that have them.

const usageError = 2

type Flags = Readonly<Record<string, string | undefined>>

async function main(args: readonly string[]): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const program = new Command('podyard')
    .description('Keeps Kubernetes pods ready before they are needed, and knows where every one of them is.')
    .version(version, '-V, --version')
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()

  const serve = program
    .command('serve')
    .description('run the server')
    .action(async () => (await import('@podyard/server')).serve(given(serve)))

  const config = program.command('config').description('about the settings')
  const show = config
    .command('show')
    .description('print the effective settings and where each comes from; secrets are masked')
    .addOption(new Option('-o, --output <form>', 'form of the output').choices(['table', 'json']).default('table'))
    .action(async () => {
      const { output, ...flags } = given(show)
      const { printConfig } = await import('./config-show.ts')
      process.exitCode = await printConfig(flags, output === 'json' ? 'json' : 'table')
    })

  const simulate = program
    .command('simulate')
    .description('run a simulated Kubernetes cluster alone and print a kubeconfig for it')
    .option('--listen <address>', 'address of its API server', '127.0.0.1:0')
    .option('--kubeconfig <file>', 'write the kubeconfig to this file, not to stdout')
    .option('--journal <file>', 'keep the objects in this file (default: in memory only)')
    .option('--namespace <name>', "the kubeconfig's namespace", 'default')
    .option('--nodes <count>', 'how many nodes', '3')
    .option('--schedule-ms <ms>', 'milliseconds until a pod has its node')
    .option('--pull-ms <ms>', 'milliseconds to pull images and start containers')
    .option('--ready-ms <ms>', 'milliseconds from running to ready')
    .option('--terminate-ms <ms>', 'milliseconds that a deleted pod takes to go')
    .action(async () => (await import('./simulate.ts')).simulate(simulate.opts()))

  const connection = (command: Command) =>
    command
      .option('--server <url>', 'where the API is, such as http://127.0.0.1:8080', 'http://127.0.0.1:8080')
      .option('--token-file <file>', 'file with the token (default: PODYARD_ADMIN_TOKEN)')
      .option(
        '--header <header>',
        'a header of every request, "Name: value"; may be given again',
        (value, all: string[]) => [...all, value],
        [],
      )

  const exporting = connection(
    program
      .command('export')
      .description('write everything that a business owns as lines of JSON')
      .requiredOption('--biz <id>', 'id or name of the business'),
  )
    .option('-o, --output <file>', 'write to this file, not to stdout; an export that was stopped goes on')
    .option('--restart', 'begin anew although an export of this file was stopped')
    .action(async () => {
      const { runTransfer } = await import('./transfer/transfer-command.ts')
      const { exportBusiness } = await import('./transfer/export.ts')
      process.exitCode = await runTransfer((io) => exportBusiness(exporting.opts(), io))
    })

  const importing = connection(
    program
      .command('import')
      .description('bring a file of podyard export into a Podyard; rows are found again by their names')
      .argument('<file>', 'the file, - for stdin'),
  )
    .option('--biz <id>', "id or name of the business to import into (default: the file's, made when absent)")
    .addOption(
      new Option('--on-duplicate <what>', 'what becomes of rows that exist already')
        .choices(['update', 'skip', 'fail'])
        .default('update'),
    )
    .option('--dry-run', 'report what would change, and change nothing')
    .option('--verbose', 'with --dry-run: name each row that would be created or updated')
    .option('--keep-going', 'leave out lines that cannot be imported, and say which')
    .option('--restart', 'begin anew although an import of this file was stopped')
    .action(async (file: string) => {
      const { runTransfer } = await import('./transfer/transfer-command.ts')
      const { importFile } = await import('./transfer/import.ts')
      process.exitCode = await runTransfer((io) => importFile(file, importing.opts(), io))
    })

  const wanted = args.filter((arg) => !arg.startsWith('-')).slice(0, 2)
  if (wanted[0] === 'serve' || wanted[0] === 'config' || (wanted[0] === 'help' && wanted[1] !== undefined)) {
    const { settings } = await import('@podyard/server')
    for (const command of [serve, show]) {
      command.option('--config <file>', 'JSON file of settings, keys as the flags (PODYARD_CONFIG)')
      for (const setting of settings) {
        const preset = setting.default === undefined ? '' : `, default ${setting.default}`
        command.option(`--${setting.name} <value>`, `${setting.description} (${setting.variable}${preset})`)
      }
    }
  }

  try {
    await program.parseAsync(args as string[], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : usageError
  }
}

/** The flags that were typed, by their names as typed. */
function given(command: Command): Flags {
  return Object.fromEntries(
    command.options.map((option) => [option.long?.replace(/^--/, '') ?? '', command.opts()[option.attributeName()]]),
  )
}

await main(process.argv.slice(2))
