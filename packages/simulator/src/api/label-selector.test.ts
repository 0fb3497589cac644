import { expect, test } from 'vitest'
import { matchesLabels, parseLabelSelector } from './label-selector.ts'

const matches = (selector: string, labels: Readonly<Record<string, string>>) =>
  matchesLabels(parseLabelSelector(selector), labels)

test('the grammar', () => {
  const labels = { app: 'web', tier: '5', 'example.com/x': 'y', empty: '' }
  const true_ = ['', 'app', 'app=web', 'app==web', 'app!=db', 'none!=x', '!none', 'app in (db, web)', 'none notin (a)']
  const more = ['example.com/x=y', 'tier>4', 'tier<6', ' app = web , tier ', 'empty=', 'empty in ()', 'none notin ()']
  for (const selector of [...true_, ...more]) expect(matches(selector, labels), selector).toBe(true)
  const false_ = ['none', 'app=db', 'app!=web', '!app', 'app notin (web)', 'none in (a)', 'tier>5', 'app>1', 'app,none']
  for (const selector of false_) expect(matches(selector, labels), selector).toBe(false)
})

test('inherited members are no labels', () => {
  expect(matches('constructor', {})).toBe(false)
  expect(matches('!toString', {})).toBe(true)
})

test('refusals in the words of the real server', () => {
  const cases: Readonly<Record<string, string>> = {
    'a b': "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    'a in (x': "unable to parse requirement: found '', expected: ',' or ')'",
    ',': "found ',', expected: !, identifier, or 'end of string'",
    'a===b': "unable to parse requirement: found '=', expected: identifier",
    'i>x':
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    'a=-b':
      "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    '-a': "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  }
  for (const [selector, message] of Object.entries(cases)) {
    expect(() => parseLabelSelector(selector), selector).toThrow(message)
  }
})
