import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  parseAffinities,
  parseTolerations,
  parseTopologySpreadConstraints,
  parseVolumeMounts,
  parseVolumes,
} from './fields.ts'

describe('volumes', () => {
  test.each([
    [
      '[{"name":"a","hostPath":{"path":"/x","type":"Directory","more":1}}]',
      { hostPath: { path: '/x', type: 'Directory' } },
    ],
    ['[{"name":"a","persistentVolumeClaim":{"claimName":"c"}}]', { persistentVolumeClaim: { claimName: 'c' } }],
    ['[{"name":"a","emptyDir":{}}]', { emptyDir: {} }],
    ['[{"name":"a","secret":{"secretName":"s"},"hostPath":{"path":"/x"}}]', { hostPath: { path: '/x' } }],
    ['[{"name":"a","hostPath":null,"configMap":{"name":"m"}}]', { configMap: { name: 'm' } }],
  ])('%s is taken', (text, source) => {
    expect(parseVolumes(text)).toEqual({ value: [{ name: 'a', ...source }], notes: [] })
  })
  test.each([
    ['no json', 'volumes is ignored: it is not JSON'],
    ['{}', 'volumes is ignored: it is not a list'],
    ['[5]', 'volumes[0] is ignored: it is not an object'],
    ['[{"hostPath":{"path":"/x"}}]', 'volumes[0] is ignored: it has no name'],
    ['[{"name":"a","hostPath":{"path":7}}]', 'volumes[0] is ignored: hostPath.path is not a string'],
    ['[{"name":"a","hostPath":[]}]', 'volumes[0] is ignored: hostPath is not an object'],
    ['[{"name":"a","nfs":{}}]', expect.stringContaining('volumes[0] is ignored: it has none of the sources hostPath,')],
    ['[{"name":"a","__proto__":{"hostPath":{"path":"/"}}}]', expect.stringContaining('none of the sources')],
  ])('%s is left out and said', (text, note) => {
    expect(parseVolumes(text)).toEqual({ value: [], notes: [note] })
  })
  test('good items beside bad ones are taken', () => {
    const text = '[{"name":"a","emptyDir":{}},{},{"name":"b","emptyDir":{}}]'
    expect(parseVolumes(text).value.map((volume) => volume.name)).toEqual(['a', 'b'])
    expect(parseVolumes(text).notes).toEqual(['volumes[1] is ignored: it has no name'])
  })
})

test('mounts keep the members that are known, and need name and mountPath', () => {
  expect(
    parseVolumeMounts('[{"name":"a","mountPath":"/x","readOnly":true,"odd":1},{"name":"b"},{"mountPath":"/y"}]'),
  ).toEqual({
    value: [{ name: 'a', mountPath: '/x', readOnly: true }],
    notes: ['volume_mounts[1] is ignored: it has no mountPath', 'volume_mounts[2] is ignored: it has no name'],
  })
})

test('a toleration without an effect is left out', () => {
  expect(parseTolerations('[{"key":"a","operator":"Exists"},{"key":"b","effect":"NoSchedule"}]')).toEqual({
    value: [{ key: 'b', effect: 'NoSchedule' }],
    notes: ['tolerations[0] is ignored: it has no effect'],
  })
})

test('a topology constraint without a key is left out', () => {
  expect(
    parseTopologySpreadConstraints('[{"maxSkew":1},{"maxSkew":"1","topologyKey":"k"},{"maxSkew":1,"topologyKey":"k"}]'),
  ).toEqual({
    value: [{ maxSkew: 1, topologyKey: 'k' }],
    notes: [
      'topology_spread_constraints[0] is ignored: it has no topologyKey',
      'topology_spread_constraints[1] is ignored: maxSkew is not an integer',
    ],
  })
})

describe('affinities', () => {
  test('is taken whole', () => {
    const value = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'node-type', operator: 'In', values: ['system'] }] }],
        },
      },
    }
    expect(parseAffinities(JSON.stringify({ ...value, odd: 1 }))).toEqual({ value, notes: [] })
  })
  test.each([
    ['[]', 'it is not an object'],
    ['{', 'it is not JSON'],
    ['{"nodeAffinity":5}', 'nodeAffinity is not an object'],
    [
      '{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":"1"}]}}',
      'podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight is not an integer',
    ],
    [
      '{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":{}}}}',
      'nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms is not a list',
    ],
  ])('%s is ignored as a whole', (text, why) => {
    expect(parseAffinities(text)).toEqual({ value: {}, notes: [`affinities is ignored: ${why}`] })
  })
})

test('whatever the text, nothing is thrown, and what is left out is said', () => {
  const anyText = fc.oneof(
    fc.string(),
    fc.json(),
    fc.array(fc.dictionary(fc.string(), fc.jsonValue())).map((v) => JSON.stringify(v)),
  )
  fc.assert(
    fc.property(anyText, (text) => {
      for (const parse of [parseVolumes, parseVolumeMounts, parseTolerations, parseTopologySpreadConstraints]) {
        const { value, notes } = parse(text)
        if (text !== '' && value.length === 0 && text.trim() !== '[]' && !/^\s*\[\s*\]\s*$/.test(text))
          expect(notes.length).toBeGreaterThan(0)
      }
      parseAffinities(text)
    }),
  )
})
