import { spawn } from 'node:child_process'
import { access, chmod, constants, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../src/store/database.ts'
import { packageNative, prepareRuntime, startEmbedded } from '../../src/store/embedded-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { readonly host: string; readonly port: number }
  }
}

/** One throw-away PostgreSQL for the whole run, in memory where there is /dev/shm, with the migrated template `t0`. */
export default async function setup(project: TestProject) {
  const native = packageNative()
  const runtime = await prepareRuntime(native, join(tmpdir(), 'podyard-postgres-18.4'))
  const base = await access('/dev/shm', constants.W_OK).then(
    () => '/dev/shm',
    () => tmpdir(),
  )
  const dir = await mkdtemp(join(base, 'podyard-test-'))
  await chmod(dir, 0o755) // run as root, the server is another user's process
  const dataDir = join(dir, 'pg')
  const server = await startEmbedded(dataDir, {
    runtime,
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '200',
    },
  })
  // Outlives us by a moment: when our end of the pipe closes, however we died, it stops the server and removes its files.
  const guard = spawn(
    'sh',
    [
      '-c',
      'cat > /dev/null; kill -INT "$1" 2> /dev/null; while kill -0 "$1" 2> /dev/null; do sleep 0.1; done; rm -rf "$2"',
      'guard',
      String(server.pid),
      dir,
    ],
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  guard.unref()
  const at = { host: server.socketDir, port: server.port, user: 'podyard' }
  const admin = new pg.Client({ ...at, database: 'postgres' })
  await admin.connect()
  await admin.query('create database t0')
  const template = openDatabase({ connection: { ...at, database: 't0' }, max: 1 })
  await migrate(template)
  await template.close()
  await admin.query('alter database t0 with is_template true allow_connections false')
  await admin.end()
  project.provide('postgres', { host: server.socketDir, port: server.port })
  return async () => {
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
