import { describe, expect, test } from 'vitest'
import { readExecAnswer } from './exec-answer.ts'
import { readExecPlugin } from './exec-plugin.ts'

const v1 = 'client.authentication.k8s.io/v1'
const v1beta1 = 'client.authentication.k8s.io/v1beta1'

function read(exec: object, cluster: Readonly<Record<string, unknown>> = {}) {
  return readExecPlugin(exec, {
    path: '/etc/podyard/config',
    user: 'u',
    cluster,
    caData: 'Y2E=',
    environment: { PATH: '/bin', REGION: 'here', GONE: undefined },
  })
}

describe('readExecPlugin', () => {
  test('a bare name is looked for along the PATH, a path starts at the folder of the kubeconfig', () => {
    const plugin = (command: string) => read({ apiVersion: v1, command, interactiveMode: 'Never' }).command
    expect(plugin('aws')).toBe('aws')
    expect(plugin('./bin/aws')).toBe('/etc/podyard/bin/aws')
    expect(plugin('bin/aws')).toBe('/etc/podyard/bin/aws')
    expect(plugin('/usr/bin/aws')).toBe('/usr/bin/aws')
  })

  test('its variables come after ours', () => {
    const { environment, args } = read({
      apiVersion: v1beta1,
      command: 'aws',
      args: ['a', 'b'],
      env: [
        { name: 'REGION', value: 'there' },
        { name: 'MORE', value: '' },
      ],
    })
    expect(environment).toEqual({ PATH: '/bin', REGION: 'there', MORE: '' })
    expect(args).toEqual(['a', 'b'])
  })

  test('the cluster is told only where the kubeconfig wants it', () => {
    const cluster = {
      server: 'https://h:6443',
      'tls-server-name': 'n',
      extensions: [
        { name: 'other', extension: 1 },
        { name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } },
      ],
    }
    const exec = { apiVersion: v1, command: 'aws', interactiveMode: 'IfAvailable' }
    expect(read(exec, cluster).cluster).toBeUndefined()
    expect(read({ ...exec, provideClusterInfo: true }, cluster).cluster).toEqual({
      server: 'https://h:6443',
      'tls-server-name': 'n',
      'certificate-authority-data': 'Y2E=',
      config: { audience: 'x' },
    })
    expect(read({ ...exec, provideClusterInfo: true }, { server: 'https://h' }).cluster).toMatchObject({ config: null })
  })

  test.each([
    [{ apiVersion: 'client.authentication.k8s.io/v1alpha1', command: 'x' }, `needs apiVersion ${v1} or ${v1beta1}`],
    [{ apiVersion: v1, command: '' }, 'has no command'],
    [{ apiVersion: v1, command: 'x' }, `has no interactiveMode, which ${v1} requires`],
    [{ apiVersion: v1, command: 'x', interactiveMode: 'Always' }, 'needs a terminal (interactiveMode: Always)'],
    [{ apiVersion: v1, command: 'x', interactiveMode: 'never' }, 'is not Never, IfAvailable or Always'],
    [{ apiVersion: v1, command: 'x', args: ['hunter2', 3], interactiveMode: 'Never' }, 'not a list of strings'],
    [
      { apiVersion: v1, command: 'x', env: [{ name: 'A', value: 'hunter2' }, { name: 'B' }] },
      'an env that is not a list of names and values',
    ],
  ])('refuses %j', (exec, expected) => {
    const message = messageOf(() => read(exec))
    expect(message).toMatch(/^the exec plugin of user "u" of the kubeconfig \/etc\/podyard\/config /)
    expect(message).toContain(expected)
    expect(message).not.toContain('hunter2')
  })
})

describe('readExecAnswer', () => {
  const answer = (members: object) => JSON.stringify({ kind: 'ExecCredential', apiVersion: v1, ...members })

  test('tokens, certificates, and when they end', () => {
    expect(readExecAnswer(answer({ status: { token: 't' } }), v1, 'p')).toEqual({ token: 't' })
    const status = {
      clientCertificateData: 'CERT',
      clientKeyData: 'KEY',
      expirationTimestamp: '2024-01-01T00:00:00+01:00',
    }
    expect(readExecAnswer(answer({ status }), v1, 'p')).toEqual({
      certificateData: 'CERT',
      keyData: 'KEY',
      expiresAtMs: Date.parse('2023-12-31T23:00:00Z'),
    })
  })

  test.each([
    ['hunter2', 'did not print an ExecCredential as JSON'],
    ['null', 'did not print an ExecCredential'],
    ['{"kind":"Status","message":"hunter2"}', 'did not print an ExecCredential'],
    [answer({ apiVersion: v1beta1 }), `is configured to use API version ${v1}, but printed another one`],
    [answer({}), "didn't return a status field"],
    [answer({ status: {} }), "didn't return a token or cert/key pair"],
    [answer({ status: { token: 't', clientKeyData: 'hunter2' } }), 'returned only certificate or key, not both'],
    [answer({ status: { token: 'hunter2\n' } }), 'returned a token that no header can carry'],
    [
      answer({ status: { token: 'hunter2', expirationTimestamp: 'soon' } }),
      'an expirationTimestamp that is not a time',
    ],
  ])('refuses %s', (text, expected) => {
    const message = messageOf(() => readExecAnswer(text, v1, 'p'))
    expect(message).toMatch(/^getting credentials: exec plugin p /)
    expect(message).toContain(expected)
    expect(message).not.toContain('hunter2')
  })
})

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('expected a refusal')
}
