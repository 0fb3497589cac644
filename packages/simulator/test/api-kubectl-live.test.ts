import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Simulator, startSimulator, zeroDelays } from '../src/index.ts'

/**
 * What people do with kubectl, done with the real one (tried with 1.32 and 1.36). Needs the program: KUBECTL, or one on
 * the PATH; skipped without. `.ci/run` gives it the control plane's.
 */

const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'))
const kubectl = process.env.KUBECTL ?? onPath.find((path) => existsSync(path))

/** Each call is a program of 60 MB that starts. */
const timeout = 300_000

type Result = { readonly code: number; readonly out: string; readonly err: string }

describe.skipIf(kubectl === undefined)(
  `kubectl${kubectl === undefined ? ' (skipped: none on the PATH, no KUBECTL)' : ''}`,
  () => {
    let directory: string
    let simulator: Simulator
    let config: string

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'podyard-kubectl-'))
      simulator = await startSimulator({ delays: zeroDelays })
      config = join(directory, 'config')
      await writeFile(config, simulator.kubeconfig())
    })

    afterAll(async () => {
      await simulator?.stop()
      await rm(directory, { recursive: true })
    })

    function attempt(...args: readonly string[]): Promise<Result> {
      const env = { PATH: process.env.PATH ?? '', HOME: directory, KUBECONFIG: config, KUBECACHEDIR: directory }
      return new Promise((resolve) => {
        execFile(kubectl ?? '', args, { env, timeout: 150_000 }, (error, out, err) => {
          resolve({
            code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1,
            out: out.trim(),
            err: err.trim(),
          })
        })
      })
    }

    async function run(...args: readonly string[]): Promise<string> {
      const { code, out, err } = await attempt(...args)
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${code}: ${err}`)
      return out
    }

    async function file(name: string, object: object): Promise<string> {
      const path = join(directory, name)
      await writeFile(path, JSON.stringify(object))
      return path
    }

    const jsonpath = (what: string, path: string) => run('get', what, '-o', `jsonpath={${path}}`)
    const rolledOut = (name: string) => run('rollout', 'status', `deployment/${name}`, '--timeout=120s')

    function manifest(
      name: string,
      given: { readonly image?: string; readonly env?: readonly string[]; readonly replicas?: number } = {},
    ) {
      const { image = 'i:1', env = ['A', 'B'], replicas = 1 } = given
      const variables = env.map((variable) => ({ name: variable, value: '1' }))
      return {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 80 }], env: variables }] },
          },
        },
      }
    }

    test('create: a deployment, a config map, a secret, a namespace, a service account, a file', {
      timeout,
    }, async () => {
      expect(await run('create', 'deployment', 'made', '--image=nginx', '--replicas=2', '--port=80')).toBe(
        'deployment.apps/made created',
      )
      await rolledOut('made')
      expect(await jsonpath('deployment/made', '.spec.template.spec.containers[0].ports')).toBe(
        '[{"containerPort":80,"protocol":"TCP"}]',
      )
      expect(await run('create', 'configmap', 'made', '--from-literal=a=b')).toBe('configmap/made created')
      expect(await run('create', 'secret', 'generic', 'made', '--from-literal=a=b')).toBe('secret/made created')
      expect(await jsonpath('secret/made', '.data.a')).toBe('Yg==')
      expect(await run('create', 'namespace', 'made')).toBe('namespace/made created')
      expect(await run('create', 'serviceaccount', 'made')).toBe('serviceaccount/made created')
      const path = await file('created.json', manifest('filed'))
      expect(await run('create', '-f', path)).toBe('deployment.apps/filed created')
      const again = await attempt('create', '-f', path)
      expect([again.code, again.err]).toEqual([
        1,
        `Error from server (AlreadyExists): error when creating ${JSON.stringify(path)}: deployments.apps "filed" already exists`,
      ])
      const typo = { ...manifest('typo'), spec: { ...manifest('typo').spec, replicaz: 1 } }
      expect((await attempt('create', '-f', await file('typo.json', typo))).err).toContain(
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicaz"',
      )
    })

    test('patch, scale, label, annotate, set, restart, undo', { timeout }, async () => {
      await run('create', '-f', await file('changed.json', manifest('changed')))
      const at = 'deployment/changed'
      const strategic = {
        spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'C', value: '2' }] }] } } },
      }
      expect(await run('patch', at, '-p', JSON.stringify(strategic))).toBe('deployment.apps/changed patched')
      expect((await jsonpath(at, '.spec.template.spec.containers[*].env[*].name')).split(' ').toSorted()).toEqual([
        'A',
        'B',
        'C',
      ])
      const gone = {
        spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'A', $patch: 'delete' }] }] } } },
      }
      await run('patch', at, '-p', JSON.stringify(gone))
      expect((await jsonpath(at, '.spec.template.spec.containers[*].env[*].name')).split(' ').toSorted()).toEqual([
        'B',
        'C',
      ])
      await run('patch', at, '--type=merge', '-p', '{"metadata":{"labels":{"x":"y"}}}')
      await run('patch', at, '--type=json', '-p', '[{"op":"replace","path":"/metadata/labels/x","value":"z"}]')
      await run('label', at, 'l=1')
      await run('annotate', at, 'podyard.test/a=1')
      expect(await jsonpath(at, '.metadata.labels')).toBe('{"l":"1","x":"z"}')
      const warned = await attempt('patch', at, '-p', '{"spec":{"foo":1}}')
      expect(warned.err).toBe('Warning: unknown field "spec.foo"')
      expect(await run('scale', at, '--replicas=3')).toBe('deployment.apps/changed scaled')
      await rolledOut('changed')
      expect(await jsonpath(at, '.status.readyReplicas')).toBe('3')
      await run('set', 'image', at, 'main=i:2')
      await run('set', 'env', at, 'D=4')
      expect(await run('rollout', 'restart', at)).toBe('deployment.apps/changed restarted')
      await rolledOut('changed')
      await run('rollout', 'undo', at)
      expect(await jsonpath(at, '.spec.template.spec.containers[0].image')).toBe('i:2')
    })

    test('describe and get -o yaml', { timeout }, async () => {
      await run('create', '-f', await file('described.json', manifest('described')))
      await rolledOut('described')
      const hpa = {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'described' },
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'described' }, maxReplicas: 3 },
      }
      await run('create', '-f', await file('hpa.json', hpa))
      expect(await run('describe', 'deployment', 'described')).toMatch(
        /^NewReplicaSet: +described-\w+ \(1\/1 replicas created\)$/m,
      )
      expect(await run('describe', 'pod', '-l', 'app=described')).toMatch(/^Status: +Running$/m)
      expect(await run('describe', 'node', 'node-1')).toMatch(/^Non-terminated Pods:/m)
      expect(await run('describe', 'hpa', 'described')).toMatch(/^Reference: +Deployment\/described$/m)
      expect(await run('describe', 'pvc', 'test-client-pvc-claim')).toMatch(/^Status: +Bound$/m)
      expect(await run('describe', 'namespace', 'default')).toMatch(/^Status: +Active$/m)
      const yaml = await run('get', 'deployment', 'described', '-o', 'yaml')
      expect(yaml).toMatch(/^kind: Deployment$/m)
      expect(yaml).not.toContain('managedFields')
      expect(await run('get', 'deployment', 'described', '-o', 'yaml', '--show-managed-fields')).toContain(
        'manager: kubectl-create',
      )
    })

    test('apply and diff, on the client and on the server', { timeout }, async () => {
      const first = await file('applied.json', manifest('applied'))
      expect(await run('apply', '-f', first)).toBe('deployment.apps/applied created')
      const changed = await file('applied.json', manifest('applied', { image: 'i:2', env: ['A'] }))
      const diff = await attempt('diff', '-f', changed)
      expect([diff.code, diff.err]).toEqual([1, ''])
      expect(diff.out).toMatch(/^-\s+image: i:1$/m)
      expect(diff.out).toMatch(/^-\s+- name: B$/m)
      expect(await run('apply', '-f', changed)).toBe('deployment.apps/applied configured')
      expect(await run('apply', '-f', changed)).toBe('deployment.apps/applied unchanged')
      expect(await jsonpath('deployment/applied', '.spec.template.spec.containers[0].env[*].name')).toBe('A')
      expect((await attempt('diff', '-f', changed)).code).toBe(0)
      expect(await run('apply', '--dry-run=server', '-f', first)).toBe(
        'deployment.apps/applied unchanged (server dry run)',
      )

      expect(await run('apply', '--server-side', '-f', changed)).toBe('deployment.apps/applied serverside-applied')
      const more = await file('applied.json', manifest('applied', { image: 'i:2', env: ['A'], replicas: 2 }))
      const refused = await attempt('apply', '--server-side', '--field-manager=other', '-f', more)
      expect(refused.code).toBe(1)
      expect(refused.err).toContain('.spec.replicas')
      expect(refused.err).toContain('--force-conflicts')
      await run('apply', '--server-side', '--field-manager=other', '--force-conflicts', '-f', more)
      expect(await jsonpath('deployment/applied', '.spec.replicas')).toBe('2')
    })

    test('wait, cordon, drain', { timeout }, async () => {
      await run('create', '-f', await file('drained.json', manifest('drained', { replicas: 3 })))
      await run('wait', '--for=condition=Available', 'deployment/drained', '--timeout=120s')
      await rolledOut('drained')
      const node = (await jsonpath('pods', '.items[0].spec.nodeName')).trim()
      expect(await run('cordon', node)).toBe(`node/${node} cordoned`)
      const drained = await run(
        'drain',
        node,
        '--ignore-daemonsets',
        '--force',
        '--delete-emptydir-data',
        '--timeout=120s',
      )
      expect(drained).toContain(`node/${node} drained`)
      const left = await run('get', 'pods', '-A', '--field-selector', `spec.nodeName=${node}`, '-o', 'name')
      expect(left).toBe('')
      expect(await run('uncordon', node)).toBe(`node/${node} uncordoned`)
      await rolledOut('drained')
    })

    test('delete: waiting, foreground, orphan, forced', { timeout }, async () => {
      for (const name of ['gone-a', 'gone-b', 'gone-c'])
        await run('create', '-f', await file(`${name}.json`, manifest(name)))
      for (const name of ['gone-a', 'gone-b', 'gone-c']) await rolledOut(name)
      await run('delete', 'deployment', 'gone-a', '--cascade=foreground', '--wait', '--timeout=120s')
      expect(await run('get', 'replicasets,pods', '-l', 'app=gone-a', '-o', 'name')).toBe('')
      await run('delete', 'deployment', 'gone-b', '--cascade=orphan')
      expect(await run('get', 'replicasets,pods', '-l', 'app=gone-b', '-o', 'name')).toMatch(
        /^replicaset\.apps\/gone-b-\w+\npod\/gone-b-/,
      )
      await run('delete', 'replicaset', '-l', 'app=gone-b')
      const forced = await attempt('delete', 'pod', '-l', 'app=gone-c', '--grace-period=0', '--force')
      expect([forced.code, forced.err]).toEqual([0, expect.stringContaining('Warning: Immediate deletion')])
      await run('run', 'single', '--image=i', '--restart=Never')
      await run('wait', '--for=condition=Ready', 'pod/single', '--timeout=120s')
      await run('delete', 'pod', 'single', '--wait=true', '--timeout=120s')
      expect((await attempt('get', 'pod', 'single')).err).toBe('Error from server (NotFound): pods "single" not found')
      await run('create', 'namespace', 'gone')
      await run('delete', 'namespace', 'gone', '--timeout=120s')
      expect(await run('get', 'namespace', 'gone', '--ignore-not-found')).toBe('')
    })
  },
)
