import { startSimulator } from '../src/index.ts'

/** A simulator to be killed: serves from the journal that the first argument names and prints its address. */
const simulator = await startSimulator({ journal: process.argv[2] as string, controllers: false })
process.stdout.write(`${simulator.url}\n`)
