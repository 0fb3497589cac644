import { expect, test } from 'vitest'
import { claimsOf, documentOf, evidenceOf } from './conformance.mjs'

const pods = 'POST createmany/kube/pod'
const batch = ['PUT hosts/batch', 'DELETE hosts/batch']
const endpoints = [pods, ...batch, 'POST createmany/kube/workload/{kind}']
const paths = ['createmany/kube/pod', 'hosts/batch', 'createmany/kube/workload/{kind}']

test.each([
  ['createmany/kube/pod: 0 with the ids', [['createmany/kube/pod', 0]]],
  [
    'createmany/kube/pod: 1199010 and 1199035 for ids',
    [
      ['createmany/kube/pod', 1199010],
      ['createmany/kube/pod', 1199035],
    ],
  ],
  [
    'hosts/batch: 0 changes, and createmany/kube/pod: 0',
    [
      ['hosts/batch', 0],
      ['createmany/kube/pod', 0],
    ],
  ],
  ['POST createmany/kube/workload/{kind}: 1199998 when "x"', [['createmany/kube/workload/{kind}', 1199998]]],
  ['createmany/kube/pod: 20 pods at 1767225600 or 1.1199010', []],
  ['another/createmany/kube/pod: 0', []],
  ['createmany/kube/pod is refused: 1199010', []],
])('%s', (name, claims) => {
  expect(claimsOf(name, paths).map(({ path, code }) => [path, code])).toEqual(claims)
})

const seen = (name: string, ...answers: string[]) => ({ file: 'f', name, answers })

test('a name counts where the endpoint gave the code, whichever its method; a name that says more is a problem', () => {
  const { shown, problems } = evidenceOf(
    [
      seen('hosts/batch: 1199011 for a word', 'DELETE hosts/batch 1199011'),
      seen('createmany/kube/pod: 0 and more', 'POST createmany/kube/pod 1199010'),
      seen('says nothing', 'POST createmany/kube/pod 0'),
    ],
    endpoints,
  )
  expect([...shown.keys()]).toEqual(['DELETE hosts/batch 1199011'])
  expect(problems).toEqual(['f: "createmany/kube/pod: 0 and more" got no 0 from createmany/kube/pod'])
})

const facts = {
  endpoints: [pods],
  names: { [pods]: 'batch_create_kube_pod' },
  codes: { [pods]: [1199010, 0, 1199998] },
  reasons: { [`${pods} 1199998`]: 'nobody does' },
  texts: (code: number) => `text | ${code}`,
  shared: [],
}
const rows = (text: string) => text.split('\n').filter((line) => /^\| \d/.test(line))

test('every cell has a test or a reason, in the order of the codes; else it is named', () => {
  const { shown } = evidenceOf([seen('createmany/kube/pod: 0 <ids>', `${pods} 0`)], endpoints)
  const { text, empty } = documentOf({ ...facts, shown })
  expect(rows(text)).toEqual([
    '| 0 | text \\| 0 | f: 0 &lt;ids> |',
    '| 1199010 | text \\| 1199010 | not shown:  |',
    '| 1199998 | text \\| 1199998 | not shown: nobody does |',
  ])
  expect(empty).toEqual([`${pods}: 1199010`])
})

test('a cell keeps its test while that shows it, whatever is added and in whatever order the tests ran', () => {
  const long = seen('createmany/kube/pod: 0 with the longest of names', `${pods} 0`)
  const short = seen('createmany/kube/pod: 0 b', `${pods} 0`)
  const of = (tests: readonly (typeof long)[], previous?: string) =>
    documentOf({ ...facts, shown: evidenceOf(tests, endpoints).shown, ...(previous === undefined ? {} : { previous }) })
      .text
  const first = of([long])
  expect(of([short, long], first)).toBe(first)
  expect(of([short, long])).toBe(of([long, short]))
  expect(rows(of([short, long]))[0]).toContain('f: 0 b')
  expect(rows(of([short], first))[0]).toContain('f: 0 b')
})
