import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addPods, makeBusiness } from './support/business.ts'
import { type InventoryServer, useInventoryServer } from './support/inventory-server.ts'
import { podyard } from './support/podyard.ts'
import { type ImportOptions, type Run, runExport, runImport } from './support/transfer.ts'

const source = useInventoryServer()
const target = useInventoryServer()

let dir: string
let files = 0
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-transfer-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))
beforeEach(() => Promise.all([source.empty(), target.empty()]))
const newFile = () => join(dir, `${++files}.ndjson`)

/** As a process of its own: for what can only be seen there. */
async function run(...args: string[]): Promise<Run> {
  const command = podyard(args)
  const code = await command.ended
  return { code, stdout: command.stdout(), stderr: command.stderr() }
}

async function exported(server: InventoryServer, biz: number | string, output?: string): Promise<string> {
  const { code, stdout, stderr } = await runExport(server.url, String(biz), output === undefined ? {} : { output })
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('exported business') })
  return stdout
}
const imported = (file: string, options: ImportOptions = {}) => runImport(target.url, file, options)
const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { type: string; data: Record<string, unknown> })

/** What is in the tables, but for stamps and events. */
async function contentOf(server: InventoryServer): Promise<string> {
  const hash = createHash('sha256')
  for (const table of ['business', 'host', 'cluster', 'namespace', 'node', 'workload', 'pod', 'container'])
    for (const row of await server.db.query<{ row: string }>(
      `select (to_jsonb(r) - 'valid_from' - 'last_time' - 'modifier' - 'create_time')::text as row from ${table} r order by 1`,
    ))
      hash.update(`${table} ${row.row}\n`)
  return hash.digest('hex')
}

describe('export and import', () => {
  test('into an empty Podyard and out again is the same file, whatever the ids', async () => {
    await source.api.ok('/biz/0', { bk_biz_name: 'other', bk_biz_maintainer: 'ann' })
    const biz = await makeBusiness(source, 'shop')
    await addPods(source, biz, 450)
    const file = newFile()
    const text = await exported(source, biz)
    await writeFile(file, text)
    const lines = linesOf(text)
    expect(lines[0]).toEqual({ type: 'podyard-export', version: 1, business: 'shop' })
    expect(lines.at(-1)).toEqual({
      type: 'end',
      counts: { business: 1, host: 4, cluster: 2, namespace: 2, node: 3, workload: 11, pod: 453 },
    })
    // Names only: nothing in the file is an id of the system that it comes from.
    expect(text).not.toMatch(/"(id|bk_biz_id|bk_cluster_id|bk_host_id|bk_pod_id|create_time|creator)":/)

    const done = await imported(file)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(/^pod: +453 created$/m)
    expect(await exported(target, 'shop')).toBe(text)
    expect((await readdir(dir)).filter((name) => name.endsWith('checkpoint'))).toEqual([])
  })

  test('a second import changes nothing and doubles nothing', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    await exported(source, 'shop', file)
    await imported(file)
    const before = await contentOf(target)
    const again = await imported(file)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).not.toContain('created')
    expect(await contentOf(target)).toBe(before)
    const skipped = await imported(file, { onDuplicate: 'skip' })
    expect(skipped.stdout).toMatch(/^pod: +3 left as they were$/m)
    const failed = await imported(file, { onDuplicate: 'fail' })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain(`${file}:3: host 10.1.0.1 exists already`)
    expect(await contentOf(target)).toBe(before)
  })

  test('an import updates what differs, and ids stay', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    await exported(source, 'shop', file)
    await imported(file)
    const [pod] = await target.db.query<{ id: number }>(`select id from pod where name = 'web-1'`)
    const changed = (await readFile(file, 'utf8'))
      .replace('"ip":"10.5.0.7","ips"', '"ip":"10.5.0.8","ips"')
      .replace('"version":"1.34"', '"version":"1.35"')
      .replace('"bk_host_name":"h1"', '"bk_host_name":"h1-renamed"')
      .replace('"bk_biz_maintainer":"ann,bob"', '"bk_biz_maintainer":"eve"')
    await writeFile(file, changed)
    expect(await imported(file)).toMatchObject({ code: 0, stderr: '' })
    expect(await exported(target, 'shop')).toBe(changed)
    expect(await target.db.query(`select id, ip from pod where name = 'web-1'`)).toEqual([{ ...pod, ip: '10.5.0.8' }])
  })

  test('a shared cluster: its owner first, then those who use it', async () => {
    await makeBusiness(source, 'platform')
    const user = await source.api.ok<{ bk_biz_id: number }>('/biz/0', { bk_biz_name: 'user', bk_biz_maintainer: 'ann' })
    const [cluster] = await source.db.query<{ id: number }>(`select id from cluster where type = 'SHARE_CLUSTER'`)
    const { ids } = await source.api.ok<{ ids: number[] }>('/createmany/kube/namespace', {
      bk_biz_id: user.bk_biz_id,
      data: [{ bk_cluster_id: cluster?.id, name: 'theirs' }],
    })
    const work = await source.api.ok<{ ids: number[] }>('/createmany/kube/workload/deployment', {
      bk_biz_id: user.bk_biz_id,
      data: [{ bk_namespace_id: ids[0], name: 'app' }],
    })
    const [node] = await source.db.query<{ id: number; bk_host_id: number }>(
      `select id, bk_host_id from node where name = 'node-2'`,
    )
    const spec = {
      bk_cluster_id: cluster?.id,
      bk_namespace_id: ids[0],
      bk_node_id: node?.id,
      ref: { kind: 'deployment', id: work.ids[0] },
    }
    await source.api.ok('/createmany/kube/pod', {
      data: [
        { bk_biz_id: user.bk_biz_id, pods: [{ spec, bk_host_id: node?.bk_host_id, name: 'app-1', operator: ['ann'] }] },
      ],
    })
    const [ofPlatform, ofUser] = [newFile(), newFile()]
    const platformText = await exported(source, 'platform')
    const userText = await exported(source, 'user')
    await writeFile(ofPlatform, platformText)
    await writeFile(ofUser, userText)
    expect(platformText).not.toContain('theirs')
    expect(linesOf(userText).find(({ type }) => type === 'cluster')).toEqual({
      type: 'cluster',
      owner: 'platform',
      data: { uid: 'prod-uid' },
    })
    const early = await imported(ofUser)
    expect(early.code).toBe(1)
    expect(early.stderr).toContain(
      'cluster prod-uid belongs to business platform, which is not there: import that one first',
    )
    expect(await imported(ofPlatform)).toMatchObject({ code: 0 })
    expect(await imported(ofUser)).toMatchObject({ code: 0 })
    expect(await exported(target, 'platform')).toBe(platformText)
    expect(await exported(target, 'user')).toBe(userText)
  })

  test('from a CMDB that knows no cursors', async () => {
    const biz = await makeBusiness(source, 'shop')
    await addPods(source, biz, 1_200)
    const text = await exported(source, biz)
    source.rewrite = (path, answer) =>
      path.startsWith('/findmany/') ? answer.replace(/,?"next_cursor":"[^"]*"/, '') : answer
    expect(await exported(source, biz)).toBe(text)
  })

  test('through a pipe, into a business of another name', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    await exported(source, 'shop', file)
    await target.api.ok('/biz/0', { bk_biz_name: 'mine', bk_biz_maintainer: 'ann' })
    const piped = podyard(['import', '-', '--server', target.url, '--biz', 'mine'], { stdin: await readFile(file) })
    expect({ code: await piped.ended, stderr: piped.stderr() }).toEqual({ code: 0, stderr: '' })
    const text = (await readFile(file, 'utf8')).split('\n').slice(2, -2)
    expect((await exported(target, 'mine')).split('\n').slice(2, -2)).toEqual(text)
  })
})

describe('what is interrupted', () => {
  test.each([
    ['a pod batch in the middle', '/createmany/kube/pod', 3],
    ['the namespaces', '/createmany/kube/namespace', 1],
    ['the hosts', '/hosts/add', 1],
  ])('an import that is killed in %s goes on, and ends as if nothing had been', async (_, path, nth) => {
    const biz = await makeBusiness(source, 'shop')
    await addPods(source, biz, 900)
    const file = newFile()
    const text = await exported(source, biz)
    await writeFile(file, text)
    const command = podyard(['import', file, '--server', target.url])
    let calls = 0
    // After the commit, before the answer: the importer does not know that it was done.
    target.onAnswer = (asked) => {
      if (asked !== path || ++calls !== nth) return undefined
      command.child.kill('SIGKILL')
      return command.ended
    }
    expect(await command.ended).toBe(128)
    expect(calls).toBe(nth)
    const again = await imported(file)
    expect(again.code).toBe(0)
    if (path !== '/hosts/add') expect(again.stderr).toMatch(/going on after line [\d,]+; --restart begins anew/)
    expect(await exported(target, 'shop')).toBe(text)
  })

  test('an import that is asked to stop says how to go on', async () => {
    const biz = await makeBusiness(source, 'shop')
    await addPods(source, biz, 600)
    const file = newFile()
    const text = await exported(source, biz)
    await writeFile(file, text)
    const command = podyard(['import', file, '--server', target.url])
    target.onAnswer = (asked) => {
      if (asked !== '/createmany/kube/pod') return undefined
      command.child.kill('SIGINT')
      return command.ended
    }
    expect(await command.ended).toBe(130)
    expect(command.stderr()).toBe('podyard: interrupted; the same command goes on where it stopped\n')
    target.onAnswer = () => undefined
    await imported(file)
    expect(await exported(target, 'shop')).toBe(text)
  })

  test('an export that is killed goes on, and writes the same file', async () => {
    const biz = await makeBusiness(source, 'shop')
    await addPods(source, biz, 1_700)
    const whole = await exported(source, biz)
    const file = newFile()
    const args = ['export', '--biz', String(biz), '--server', source.url, '-o', file]
    const command = podyard(args)
    let pages = 0
    source.onAnswer = (path) => {
      if (path !== '/findmany/kube/container' || ++pages !== 3) return undefined
      command.child.kill('SIGKILL')
      return command.ended
    }
    expect(await command.ended).toBe(128)
    source.onAnswer = () => undefined
    const again = await runExport(source.url, String(biz), { output: file })
    expect(again.stderr).toMatch(/going on after [\d,]+ rows; --restart begins anew/)
    expect(await readFile(file, 'utf8')).toBe(whole)
    expect((await readdir(dir)).filter((name) => name.includes('checkpoint'))).toEqual([])
  })

  test('a checkpoint of another export or file is not gone on with', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    const state = { server: 'http://elsewhere', business: 9, place: { section: 'pod' }, bytes: 0, counts: {} }
    await writeFile(`${file}.checkpoint`, JSON.stringify(state))
    const refused = await runExport(source.url, 'shop', { output: file })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('is of another export (business 9 of http://elsewhere)')
    expect((await runExport(source.url, 'shop', { output: file, restart: true })).code).toBe(0)
    const last = { start: 0, bytes: 10, hash: 'other' }
    await writeFile(`${file}.import-checkpoint`, JSON.stringify({ server: target.url, line: 2, end: 10, last }))
    expect((await imported(file)).stderr).toContain('is of another file or server')
    expect((await imported(file, { restart: true })).code).toBe(0)
  })

  test('a server that is away for a moment is waited for', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    const text = await exported(source, 'shop')
    await writeFile(file, text)
    let refusals = 2
    target.isAway = (path) => path === '/createmany/kube/pod' && refusals-- > 0
    const done = await imported(file)
    expect(done.code).toBe(0)
    expect(done.stderr.match(/answered 503; trying again/g)).toHaveLength(2)
    expect(await exported(target, 'shop')).toBe(text)
  })
})

describe('a dry run', () => {
  test('tells what would be made in an empty Podyard, and makes nothing', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    await exported(source, 'shop', file)
    const before = await contentOf(target)
    const dry = await imported(file, { dryRun: true, verbose: true })
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain('create business shop\n')
    expect(dry.stdout).toContain('create customResource prod-uid/shop/training\n')
    expect(dry.stdout).toContain('create pod prod-uid/shop/web/web-2\n')
    expect(dry.stdout).toMatch(/^host: +4 would be created$/m)
    expect(dry.stdout).toMatch(/^pod: +3 would be created$/m)
    expect(await contentOf(target)).toBe(before)
    expect((await imported(file, { dryRun: true })).stdout).not.toContain('create pod')
  })

  test('tells what would change, by name and member; the import then does exactly that', async () => {
    await makeBusiness(source, 'shop')
    const file = newFile()
    await exported(source, 'shop', file)
    await imported(file)
    const unchanged = await imported(file, { dryRun: true, verbose: true })
    expect(unchanged.stdout).not.toMatch(/create|update/)
    await target.api.ok('/updatemany/kube/pod', { bk_biz_id: 1, ids: [1], data: { labels: {} } }, { method: 'PUT' })
    await target.api.ok('/deletemany/kube/pod', { data: [{ bk_biz_id: 1, ids: [3] }] }, { method: 'DELETE' })
    await target.api.ok(
      '/updatemany/kube/cluster',
      { bk_biz_id: 1, ids: [1], data: { version: '2' } },
      { method: 'PUT' },
    )
    await target.api.ok('/updatemany/kube/node', { bk_biz_id: 1, ids: [1], data: { roles: 'node' } }, { method: 'PUT' })
    await target.db.query(`update container set image = 'other', valid_from = now() where container_uid = 'web-2-main'`)
    await target.db.query(
      `update pod set bk_node_id = 1, node_name = 'node-1', valid_from = now() where name = 'web-2'`,
    )
    const dry = await imported(file, { dryRun: true, verbose: true })
    expect(dry.stdout.split('\n').filter((line) => /^(create|update)/.test(line))).toEqual([
      'update cluster prod-uid (version)',
      'update node prod-uid/node-1 (roles)',
      'update pod prod-uid/shop/web/web-1 (labels)',
      'update pod prod-uid/shop/web/web-2 (node, containers)',
      'create pod prod-uid/shop/training/worker',
    ])
    await imported(file)
    expect(await exported(target, 'shop')).toBe(await exported(source, 'shop'))
    expect((await imported(file, { dryRun: true, verbose: true })).stdout).not.toMatch(/create|update/)
  })
})

describe('bad files', () => {
  const start = async (): Promise<{ file: string; lines: string[] }> => {
    await makeBusiness(source, 'shop')
    return { file: newFile(), lines: (await exported(source, 'shop')).trimEnd().split('\n') }
  }
  const write = (file: string, lines: readonly string[]) => writeFile(file, `${lines.join('\n')}\n`)
  const indexOf = (lines: readonly string[], part: string) => lines.findIndex((line) => line.includes(part))

  test('a line that is no JSON is named with its number; what came before is done, and the mended file goes on', async () => {
    const { file, lines } = await start()
    const bad = indexOf(lines, '"type":"pod"')
    await write(file, lines.with(bad, '{"type":"pod",'))
    const first = await imported(file)
    expect(first.code).toBe(1)
    expect(first.stderr).toMatch(new RegExp(`^podyard: ${file}:${bad + 1}: no JSON \\(`))
    expect(first.stderr).toContain(
      'put it right and run the same command again, or leave such lines out with --keep-going',
    )
    await write(file, lines)
    expect((await imported(file)).code).toBe(0)
    expect((await exported(target, 'shop')).trimEnd().split('\n')).toEqual(lines)
  })

  test.each([
    ['"type":"pod"', (line: string) => line.replace('"node":"node-1"', '"node":"gone"'), 'node gone is not there'],
    ['"type":"pod"', (line: string) => line.replace('"name":"web"}', '"name":"gone"}'), 'deployment gone is not there'],
    [
      '"type":"node"',
      (line: string) => line.replace('"ip":"10.1.0.1"', '"ip":"9.9.9.9"'),
      'host 9.9.9.9 (area 0) is not there',
    ],
    [
      '"type":"workload"',
      (line: string) => line.replace('"namespace":"shop"', '"namespace":"gone"'),
      'namespace gone is not there',
    ],
    [
      '"type":"namespace"',
      (line: string) => line.replace('"cluster":"prod-uid"', '"cluster":"gone"'),
      'cluster gone is not there',
    ],
    [
      '"type":"namespace"',
      (line: string) => line.replace('"type":"namespace"', '"type":"name"'),
      '"type" must be one of',
    ],
    ['"type":"pod"', (line: string) => line.replace('"node":"node-1",', ''), '"node" is missing or has the wrong type'],
    ['"type":"pod"', (line: string) => line.replace('"container_uid":"web-1-main",', ''), 'container_uid'],
    [
      '"type":"workload"',
      (line: string) => line.replace('"kind":"deployment"', '"kind":"Deployment"'),
      'kind: Deployment',
    ],
    ['"type":"host"', (line: string) => line.replace('"bk_cpu":8', '"bk_cpu":"many"'), 'bk_cpu'],
  ])('%s: %s', async (part, spoil, words) => {
    const { file, lines } = await start()
    const bad = indexOf(lines, part)
    await write(file, lines.with(bad, spoil(lines[bad] as string)))
    const before = await contentOf(target)
    const done = await imported(file)
    expect(done.code).toBe(1)
    expect(done.stderr).toContain(`${file}:${bad + 1}: `)
    expect(done.stderr).toContain(words)
    expect(done.stderr).not.toMatch(/^\s+at /m)
    expect(await contentOf(target)).not.toBe(before)
    await write(file, lines)
    expect((await imported(file)).code).toBe(0)
    expect((await exported(target, 'shop')).trimEnd().split('\n')).toEqual(lines)
  })

  test('--keep-going leaves out what is bad and what hangs on it, names each line, and imports the rest', async () => {
    const { file, lines } = await start()
    const node = indexOf(lines, '"name":"node-2"')
    const custom = indexOf(lines, '"cr_kind":"TFJob"')
    const spoiled = lines
      .with(node, (lines[node] as string).replace('"ip":', '"it":'))
      .with(custom, (lines[custom] as string).replace('"cr_kind":"TFJob",', ''))
    await write(file, spoiled)
    const done = await imported(file, { keepGoing: true })
    expect(done.code).toBe(1)
    const web2 = indexOf(lines, '"name":"web-2"')
    expect(done.stderr.split('\n').filter((line) => line.includes(file))).toEqual([
      expect.stringContaining(`${file}:${node + 1}: "host" is missing or has the wrong type`),
      expect.stringContaining(`${file}:${custom + 1}: `),
      expect.stringContaining(`${file}:${web2 + 1}: pod prod-uid/shop/web/web-2: node node-2 is not there`),
    ])
    expect(done.stderr).toContain('3 lines were left out')
    expect(done.stdout).toMatch(/^pod: +2 created$/m)
  })

  test.each([
    ['an empty file', () => [], 'the file ends without its last line'],
    ['another file', () => ['{"type":"host","data":{}}'], 'line 1: this is no file of podyard export'],
    [
      'a newer format',
      () => ['{"type":"podyard-export","version":2,"business":"shop"}'],
      '"version" is missing or has the wrong type',
    ],
    [
      'a file that was cut',
      (lines: string[]) => lines.slice(0, -1),
      'the file ends without its last line: its export was not finished',
    ],
    [
      'a file that lost a line',
      (lines: string[]) => lines.toSpliced(-2, 1),
      'the file should have 3 lines of type pod, and had 2',
    ],
    ['two files', (lines: string[]) => [...lines, ...lines], 'there must be nothing after the line of type "end"'],
    ['no business', (lines: string[]) => lines.toSpliced(1, 1), 'line 2 must be of type "business"'],
  ])('%s', async (_, spoil, words) => {
    const { file, lines } = await start()
    await write(file, spoil(lines))
    const done = await imported(file)
    expect(done.code).toBe(1)
    expect(done.stderr).toContain(words)
  })

  test('a host of another business is not taken away from it', async () => {
    const { file, lines } = await start()
    await write(file, lines)
    await target.api.ok('/biz/0', { bk_biz_name: 'other', bk_biz_maintainer: 'ann' })
    await target.api.ok('/hosts/add', { bk_biz_id: 1, host_info: { '0': { bk_host_innerip: '10.1.0.9' } } })
    for (const dryRun of [true, false]) {
      const done = await imported(file, { dryRun })
      expect(done.code).toBe(1)
      expect(done.stderr).toContain(`${file}:3: host 10.1.0.1`)
    }
  })
})

describe('the server', () => {
  test.each([
    [['--server', 'nowhere'], 'podyard: --server: "nowhere" is not right'],
    [['--header', 'x'], 'podyard: --header: "x" is not right; expected "Name: value"'],
    [['--token-file', '/does/not/exist'], 'podyard: cannot read /does/not/exist (ENOENT)'],
  ])('%j', async (args, words) => {
    const done = await run('export', '--biz', '1', ...args)
    expect(done.code).toBe(1)
    expect(done.stderr).toContain(words)
  })

  test('an unknown business, an address that is no API, a file that is not there', async () => {
    const unknown = await runExport(source.url, 'nobody')
    expect(unknown).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('there is no business nobody'),
    })
    const noApi = await runExport(`${source.url}/a/b`, '1')
    expect(noApi.stderr).toContain('is --server the address of a Podyard')
    const noFile = await imported('/does/not/exist')
    expect(noFile).toMatchObject({ code: 1, stderr: 'podyard: cannot read /does/not/exist (ENOENT)\n' })
  })

  test('help names the commands and their flags', async () => {
    const [general, exporting, importing] = await Promise.all([
      run('--help'),
      run('export', '--help'),
      run('import', '--help'),
    ])
    expect(general.stdout).toMatch(/export[\s\S]*import/)
    for (const flag of ['--biz', '--output', '--server', '--token-file', '--header', '--restart'])
      expect(exporting.stdout).toContain(flag)
    for (const flag of ['--biz', '--on-duplicate', '--dry-run', '--verbose', '--keep-going', '--restart'])
      expect(importing.stdout).toContain(flag)
    expect((await run('export')).code).toBe(2)
  })
})
