import { expect, test } from 'vitest'
import { strictProblems } from './strict-fields.ts'

const pod = { plural: 'pods' }
const of = (text: string) => strictProblems(pod, text)

test('members that the kind does not have, and members that are there twice, in the order of the text', () => {
  expect(
    of(`{"metadata":{"zap":2,"name":"a","labels":{"a":"1","a":"2"}},
      "foo": 1 , "foo":[{"x":1},"}"], "spec":{"containers":[{"name":"a","foo":{"a":{}},"env":[{"name":"A","valu":"b"}]},{"name":"b","name":"c"}]},"spec":{}}`),
  ).toEqual([
    'unknown field "metadata.zap"',
    'duplicate field "metadata.labels.a"',
    'unknown field "foo"',
    'unknown field "spec.containers[0].foo"',
    'unknown field "spec.containers[0].env[0].valu"',
    'duplicate field "spec.containers[1].name"',
    'duplicate field "spec"',
  ])
})

test('nothing is said of what is right, of wrong types, and of kinds without a table', () => {
  expect(
    of('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a\\"b"},"spec":{"containers":[]},"status":null}'),
  ).toEqual([])
  expect(of('{"metadata":[{"name":1}],"spec":"x{"}')).toEqual([])
  expect(of('{}')).toEqual([])
  expect(strictProblems({ plural: 'nothing' }, '{"a":1}')).toEqual([])
})

test('a very deep value is skipped', () => {
  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`
  expect(of(`{"foo":${deep},"bar":1}`)).toEqual(['unknown field "foo"', 'unknown field "bar"'])
})
