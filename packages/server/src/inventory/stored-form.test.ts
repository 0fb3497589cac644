import {
  containerPort,
  environmentVariable,
  labelSelector,
  list,
  oneOrMany,
  podIp,
  probe,
  quantities,
  resourceQuota,
  rollingUpdateStrategies,
  text,
  textMap,
  toleration,
  volume,
} from '@podyard/contract'
import { describe, expect, test } from 'vitest'
import { storedForm } from './stored-form.ts'

describe('storedForm', () => {
  test.each([
    [
      'unknown members go, zero members go, given pointers stay',
      toleration,
      { key: '', operator: 'Exists', x: 1, tolerationSeconds: 0, value: null },
      { operator: 'Exists', tolerationSeconds: 0 },
    ],
    ['members that are always written', containerPort, { name: 'http' }, { name: 'http', containerPort: 0 }],
    [
      'a volume with its source',
      volume,
      { name: 'a', emptyDir: {}, configMap: { name: 'c', optional: false, items: [], defaultMode: 0, y: 2 } },
      { name: 'a', emptyDir: {}, configMap: { name: 'c', optional: false, defaultMode: 0 } },
    ],
    [
      'identifying members of a source',
      volume,
      { hostPath: { type: '' } },
      { name: '', hostPath: { type: '', path: '' } },
    ],
    [
      'a bare probe port and an object one',
      probe,
      { httpGet: { port: 8080, path: '/' }, tcpSocket: { port: { int_val: 80 } }, grpc: {} },
      {
        httpGet: { port: 8080, path: '/' },
        tcpSocket: { port: { type: 0, int_val: 80, str_val: '' } },
        grpc: { port: 0, service: '' },
      },
    ],
    [
      'an absent probe port',
      probe,
      { httpGet: { path: '/' } },
      { httpGet: { path: '/', port: { type: 0, int_val: 0, str_val: '' } } },
    ],
    [
      'null where a selector has nothing',
      labelSelector,
      { match_labels: { a: 'b' } },
      { match_labels: { a: 'b' }, match_expressions: null },
    ],
    [
      'strategies',
      rollingUpdateStrategies.statefulSet ?? text(),
      { max_surge: {}, partition: 0 },
      { partition: 0, max_unavailable: null },
    ],
    [
      'a strategy without its partition',
      rollingUpdateStrategies.statefulSet ?? text(),
      {},
      { partition: null, max_unavailable: null },
    ],
    ['quotas', resourceQuota, {}, { hard: null, scopes: null, scope_selector: null }],
    [
      'environment',
      environmentVariable,
      { name: 'A', value: '', valueFrom: { fieldRef: {} } },
      { name: 'A', valueFrom: { fieldRef: { fieldPath: '' } } },
    ],
    ['one object where an array belongs', oneOrMany(toleration), { key: 'a' }, [{ key: 'a' }]],
    ['an array where an array belongs', oneOrMany(toleration), [{ key: 'a' }, null], [{ key: 'a' }, {}]],
    ['nulls in lists and maps', list(text()), ['a', null], ['a', '']],
    ['nulls in maps', textMap(), { a: null, b: 'c' }, { a: '', b: 'c' }],
    ['quantities as sent', quantities(), { cpu: '100m', memory: 5.5 }, { cpu: '100m', memory: 5.5 }],
    ['addresses', list(podIp), [{ ip: '10.0.0.1', z: 1 }, { ip: '' }], [{ ip: '10.0.0.1' }, {}]],
  ])('%s', (_name, schema, sent, stored) => expect(storedForm(schema)(sent)).toEqual(stored))

  test('a member called __proto__ is data like any other', () => {
    const sent = JSON.parse('{"a":null,"__proto__":"x"}')
    expect(JSON.stringify(storedForm(textMap())(sent))).toBe('{"a":"","__proto__":"x"}')
    expect(JSON.stringify(storedForm(toleration)(JSON.parse('{"__proto__":{"key":"x"},"key":"k"}')))).toBe(
      '{"key":"k"}',
    )
  })
})
