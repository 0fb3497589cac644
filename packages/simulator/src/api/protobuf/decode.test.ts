import { expect, test } from 'vitest'
import { protobufToJson } from './decode.ts'
import { ProtobufError } from './wire.ts'

/** Bodies as kubectl 1.36 sends them. */
const createDeployment =
  'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErQBCh0KAnBiEgAaACIAKgAyADgAQgBaCQoDYXBwEgJwYhKEAQgCEgsKCQoDYXBwEgJwYhprChsKABIAGgAiACoAMgA4AEIAWgkKA2FwcBICcGISTBIuCgVuZ2lueBIFbmdpbngqADIKCgAQABhQIgAqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA=='
const createSecret = 'azhzAAoMCgJ2MRIGU2VjcmV0Eh8KEwoDcGJzEgAaACIAKgAyADgAQgASBgoBYRIBYhoAGgAiAA=='
const autoscale =
  'azhzAAopCg5hdXRvc2NhbGluZy92MhIXSG9yaXpvbnRhbFBvZEF1dG9zY2FsZXISXwoSCgJwYhIAGgAiACoAMgA4AEIAEkMKGQoKRGVwbG95bWVudBICcGIaB2FwcHMvdjEQARgEIiIKCFJlc291cmNlIhYKA2NwdRIPCgtVdGlsaXphdGlvbiAyGgQYACAAGgAiAA=='

const decoded = (base64: string) => JSON.parse(protobufToJson(Buffer.from(base64, 'base64'))) as unknown

test('kubectl create deployment pb --image=nginx --replicas=2 --port=80', () => {
  expect(decoded(createDeployment)).toMatchObject({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'pb', labels: { app: 'pb' }, creationTimestamp: null },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'pb' } },
      template: {
        metadata: { labels: { app: 'pb' } },
        spec: { containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }] }] },
      },
    },
  })
})

test('kubectl create secret generic pbs --from-literal=a=b', () => {
  expect(decoded(createSecret)).toMatchObject({ apiVersion: 'v1', kind: 'Secret', data: { a: 'Yg==' } })
})

test('kubectl autoscale deploy pb --min=1 --max=4 --cpu=50%', () => {
  expect(decoded(autoscale)).toMatchObject({
    kind: 'HorizontalPodAutoscaler',
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'pb', apiVersion: 'apps/v1' },
      minReplicas: 1,
      maxReplicas: 4,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  })
})

/** A field with bytes. */
const bytes = (number: number, value: Buffer | string) => {
  const content = Buffer.from(value)
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
}
const varint = (number: number, ...value: readonly number[]) => Buffer.from([number << 3, ...value])
const object = (apiVersion: string, kind: string, raw: Buffer) =>
  Buffer.concat([Buffer.from('k8s\0'), bytes(1, Buffer.concat([bytes(1, apiVersion), bytes(2, kind)])), bytes(2, raw)])
const read = (body: Buffer) => JSON.parse(protobufToJson(body)) as unknown

test('times, negative numbers, quantities, embedded structs', () => {
  // 1477958400 seconds.
  const time = Buffer.concat([varint(1, 0x80, 0xb6, 0xdf, 0xc0, 0x05), varint(2, 0)])
  const minusOne = varint(4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
  const limit = bytes(1, Buffer.concat([bytes(1, 'cpu'), bytes(2, bytes(1, '500m'))]))
  const container = Buffer.concat([
    bytes(1, 'a'),
    bytes(8, limit),
    bytes(10, bytes(1, bytes(3, bytes(1, bytes(3, 'web'))))),
  ])
  const pod = Buffer.concat([
    bytes(1, Buffer.concat([bytes(1, 'p'), bytes(8, time)])),
    bytes(2, Buffer.concat([minusOne, bytes(2, container)])),
  ])
  expect(read(object('v1', 'Pod', pod))).toMatchObject({
    metadata: { name: 'p', creationTimestamp: '2016-11-01T00:00:00Z' },
    spec: {
      terminationGracePeriodSeconds: -1,
      containers: [{ name: 'a', resources: { limits: { cpu: '500m' } }, livenessProbe: { tcpSocket: { port: 0 } } }],
    },
  })
})

test('deletions and evictions', () => {
  const options = Buffer.concat([varint(1, 5), bytes(2, bytes(1, 'u')), bytes(4, 'Orphan'), bytes(5, 'All')])
  const expected = { gracePeriodSeconds: 5, preconditions: { uid: 'u' }, propagationPolicy: 'Orphan', dryRun: ['All'] }
  expect(read(object('v1', 'DeleteOptions', options))).toEqual({ apiVersion: 'v1', kind: 'DeleteOptions', ...expected })
  const eviction = Buffer.concat([bytes(1, bytes(1, 'p')), bytes(2, options)])
  expect(read(object('policy/v1', 'Eviction', eviction))).toMatchObject({
    metadata: { name: 'p' },
    deleteOptions: expected,
  })
})

test('whatever the bytes are, the answer is an object or a ProtobufError', () => {
  const whole = Buffer.from(createDeployment, 'base64')
  let seed = 1
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed
  }
  for (let round = 0; round < 3_000; round += 1) {
    const body = Buffer.from(whole.subarray(0, round % 2 === 0 ? whole.length : next() % whole.length))
    for (let change = 0; change < 3 && body.length > 4; change += 1)
      body[4 + (next() % (body.length - 4))] = next() % 256
    try {
      expect(read(body)).toBeTypeOf('object')
    } catch (error) {
      expect(error).toBeInstanceOf(ProtobufError)
    }
  }
  expect(() => protobufToJson(Buffer.from('{}'))).toThrow('does not appear to be a protobuf message')
  expect(() => read(object('v1', 'Nothing', Buffer.alloc(0)))).toThrow(
    'no kind "Nothing" is registered for version "v1"',
  )
})
