import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { spawnPodyard } from '../e2e/support/server-process.ts'

const run = promisify(execFile)

export type ExportFigures = {
  readonly seconds: number
  readonly fileBytes: number
  /** Of the exporting process: resident after a tenth of the file, and at most from there on. */
  readonly earlyBytes: number
  readonly mostBytes: number
}

/** `podyard export` of business 1 in a process of its own, its memory looked at four times a second. */
export async function measureExport(url: string): Promise<ExportFigures> {
  const dir = await mkdtemp(join(tmpdir(), 'podyard-export-'))
  const file = join(dir, 'business.ndjson')
  try {
    const startedAt = performance.now()
    const { child, output } = spawnPodyard(['export', '--biz', '1', '--server', url, '-o', file])
    let exitCode: number | null | undefined
    const ended = once(child, 'exit').then(([code]) => {
      exitCode = code
    })
    const looks: { readonly resident: number; readonly written: number }[] = []
    while (exitCode === undefined) {
      const [resident, written] = await Promise.all([residentBytes(child.pid ?? 0), sizeOf(file)])
      if (resident > 0) looks.push({ resident, written })
      await Promise.race([delay(250), ended])
    }
    const seconds = (performance.now() - startedAt) / 1_000
    if (exitCode !== 0) throw new Error(`the export failed: ${output()}`)
    const fileBytes = await sizeOf(file)
    const later = looks.filter(({ written }) => written > fileBytes / 10).map(({ resident }) => resident)
    return { seconds, fileBytes, earlyBytes: later[0] ?? Number.NaN, mostBytes: Math.max(...later) }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  )

/** 0 when the process has just ended. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]).catch(() => ({ stdout: '0' }))
  return Number(stdout) * 1_024
}
