import { expect, test } from 'vitest'
import { summaryOf } from './summary-reporter.mjs'

type Parts = { tests?: string[]; suiteErrors?: number; errors?: number; state?: string }

const file = ({ tests = [], suiteErrors = 0, errors = 0, state = 'passed' }: Parts) => ({
  state: () => state,
  errors: () => Array(errors).fill(new Error('x')),
  children: {
    allTests: () => tests.map((outcome) => ({ result: () => ({ state: outcome }) })),
    allSuites: () => [{ errors: () => Array(suiteErrors).fill(new Error('x')) }],
  },
})

test.each<[string, Parts[], number, string]>([
  [
    'each outcome',
    [{ tests: ['passed', 'failed', 'skipped'] }, { tests: ['passed'] }],
    0,
    '2 passed, 1 failed, 1 skipped',
  ],
  ['a file that could not be loaded', [{ errors: 1, state: 'failed' }], 0, '0 passed, 1 failed, 0 skipped'],
  [
    'a suite whose setup failed',
    [{ tests: ['skipped'], suiteErrors: 1, state: 'failed' }],
    0,
    '0 passed, 1 failed, 1 skipped',
  ],
  [
    'a file that failed for no told reason',
    [{ tests: ['passed'], state: 'failed' }],
    0,
    '1 passed, 1 failed, 0 skipped',
  ],
  ['a test that never ended', [{ tests: ['pending'] }], 0, '0 passed, 1 failed, 0 skipped'],
  ['errors outside of any test', [{ tests: ['passed'] }], 2, '1 passed, 2 failed, 0 skipped'],
  ['nothing', [], 0, '0 passed, 0 failed, 0 skipped'],
])('counts %s', (_name, files, unhandled, line) => {
  expect(summaryOf(files.map(file), Array(unhandled).fill(new Error('x')))).toBe(line)
})
