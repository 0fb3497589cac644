/**
 * Outlives its parent by a moment: when the other end of its standard input closes, however the parent died, it ends what
 * runs from the run folder. Arguments: the run folder, and `remove` to remove the folder too. A parent that says `done` before
 * it closes has seen to everything itself.
 */
import { rm } from 'node:fs/promises'
import { endAll } from './processes.ts'

const [runDir, afterwards] = process.argv.slice(2)
if (runDir === undefined) process.exit(2)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let said = ''
for await (const chunk of process.stdin) said += chunk
if (said === 'done') process.exit()

await endAll(runDir, { signal: 'SIGKILL' })
if (afterwards === 'remove') await rm(runDir, { recursive: true, force: true })
