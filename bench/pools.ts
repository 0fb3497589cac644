import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startServerProcess } from '../e2e/support/server-process.ts'
import { type Bench, median, round, spread } from './report.ts'

const pools = 200
const podsPerPool = 2

/** Clock ticks to milliseconds; 100 a second on every Linux that Node runs on. */
const msPerTick = 10

/**
 * 200 pools of two pods in one request, half of them scalable, on the simulator without kubelet delay: the time until every
 * one is Running with its pods ready, and what a pool costs. The CPU is the whole server process's: HTTP, controller, sync
 * of the pods into the inventory, and the simulated cluster itself, which runs in it. The database's is not in it.
 */
export const bench: Bench = {
  describe: '200 pools in one request until all are Running, on the simulator; and querying them',
  async run({ quick, progress }) {
    const rounds = quick ? 2 : 5
    const seconds: number[] = []
    const cpuMs: number[] = []
    const created: number[] = []
    const queried: number[] = []
    for (let r = 0; r < rounds; r += 1) {
      const dir = await mkdtemp(join(tmpdir(), 'podyard-bench-'))
      await chmod(dir, 0o755)
      const server = await startServerProcess({
        dataDir: dir,
        args: ['--log-level', 'warn'],
        env: {
          PODYARD_SIMULATOR_SCHEDULE_MS: '0',
          PODYARD_SIMULATOR_PULL_MS: '0',
          PODYARD_SIMULATOR_READY_MS: '0',
          PODYARD_SIMULATOR_TERMINATE_MS: '0',
        },
      })
      try {
        const body = JSON.stringify({ pools: Array.from({ length: pools }, (_, i) => poolBody(i)) })
        const before = await cpuOf(server.child.pid)
        const startedAt = performance.now()
        const answer = await fetch(`${server.url}/serverless/v1/podpools`, { method: 'POST', body })
        if (answer.status !== 200) throw new Error(`creating the pools: ${answer.status} ${await answer.text()}`)
        await answer.arrayBuffer()
        created.push(performance.now() - startedAt)
        for (;;) {
          const page = await queryAll(server.url)
          queried.push(page.ms)
          const running = page.pools.filter((pool) => pool.status === 4 && pool.ready_count === podsPerPool).length
          if (running === pools) break
          if (performance.now() - startedAt > 120_000)
            throw new Error(`only ${running} of ${pools} pools run after 120 s`)
          await delay(50)
        }
        seconds.push((performance.now() - startedAt) / 1000)
        cpuMs.push((await cpuOf(server.child.pid)) - before)
        progress(`round ${r + 1} of ${rounds}: ${seconds.at(-1)?.toFixed(2)} s`)
      } finally {
        await server.stop()
        await rm(dir, { recursive: true, force: true })
      }
    }
    const figures = { seconds: round(median(seconds)), cpu_ms_per_pool: round(median(cpuMs) / pools, 1) }
    return {
      columns: ['what', 'median (min-max)'],
      rows: [
        ['create 200 pools, ms until answered', spread(created, 0)],
        ['all Running and ready, s', spread(seconds, 2)],
        [
          'CPU of the server process, ms a pool',
          spread(
            cpuMs.map((ms) => ms / pools),
            1,
          ),
        ],
        ['query all 200 meanwhile, ms', spread(queried, 0)],
      ],
      figures,
      limits: [{ name: 'seconds', figure: figures.seconds, atMost: 10 }],
    }
  },
}

function poolBody(i: number) {
  return {
    id: `bench-${i}`,
    size: podsPerPool,
    max_size: i % 2 === 0 ? podsPerPool : podsPerPool + 2,
    image: 'runtime-manager:v1',
    resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } },
  }
}

async function queryAll(url: string) {
  const startedAt = performance.now()
  const answer = await fetch(`${url}/serverless/v1/podpools?limit=${pools}`)
  const body = (await answer.json()) as {
    readonly result: { readonly pools: readonly { readonly status: number; readonly ready_count: number }[] }
  }
  return { ms: performance.now() - startedAt, pools: body.result.pools }
}

/** User and system time of a process so far, in milliseconds. */
async function cpuOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}
