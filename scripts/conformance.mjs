/**
 * The conformance table of the guide, made from a test run: every endpoint of the inventory, every code of its section,
 * and a test that shows it. A test says what it shows by its name, `<path>: <code> ...` (as often as it likes), and it
 * counts only where the endpoint gave that code while the test ran (`packages/server/test/support/answers-seen.ts`).
 */

/**
 * From `{file, name, answers}` of every test that passed: which tests show what (by `<endpoint> <code>`), and which names
 * say more than was so.
 */
export function evidenceOf(tests, endpoints) {
  const shown = new Map()
  const problems = []
  const paths = [...new Set(endpoints.map(pathOf))]
  for (const { file, name, answers } of tests)
    for (const { path, code } of claimsOf(name, paths)) {
      const seen = endpoints.filter((endpoint) => pathOf(endpoint) === path && answers.includes(`${endpoint} ${code}`))
      if (seen.length === 0) problems.push(`${file}: "${name}" got no ${code} from ${path}`)
      for (const endpoint of seen) {
        const key = `${endpoint} ${code}`
        shown.set(key, [...(shown.get(key) ?? []), { file, name }])
      }
    }
  return { shown, problems }
}

const pathOf = (endpoint) => endpoint.slice(endpoint.indexOf(' ') + 1)

/** The endpoints and codes that a test's name speaks of. */
export function claimsOf(name, paths) {
  const found = [...name.matchAll(/[\w/{}]+(?=: )/g)]
    .filter(([path]) => paths.includes(path))
    .map((match) => ({ path: match[0], from: match.index + match[0].length }))
  return found.flatMap(({ path, from }, i) => {
    const text = name.slice(from, found[i + 1]?.from)
    const codes = [...text.matchAll(/(?<![\w.])(1[0-9]{6}|9900403)(?!\w)/g)].map(([code]) => Number(code))
    return [...(/^: 0(?!\w)/.test(text) ? [0] : []), ...new Set(codes)].map((code) => ({ path, code }))
  })
}

/**
 * The document, and which of its cells are empty without a reason. A cell keeps the test that it has in `previous` for as
 * long as that shows it: a test that is added elsewhere changes nothing here.
 */
export function documentOf({ shown, endpoints, names, codes, reasons, texts, shared, previous = '' }) {
  const empty = []
  const rowOf = (endpoint, code) => {
    const row = (cell) => `| ${code} | ${plain(texts(code))} | ${cell} |`
    const rows = (shown.get(`${endpoint} ${code}`) ?? [])
      .toSorted((a, b) => a.name.length - b.name.length || (`${a.file} ${a.name}` < `${b.file} ${b.name}` ? -1 : 1))
      .map((test) => row(testCell(test, pathOf(endpoint))))
    if (rows.length > 0) return rows.find((one) => previous.includes(`${one}\n`)) ?? rows[0]
    const reason = reasons[`${endpoint} ${code}`]
    if (reason === undefined) empty.push(`${endpoint}: ${code}`)
    return row(`not shown: ${reason ?? ''}`)
  }
  const sections = endpoints.map((endpoint) => {
    const wanted = (codes[endpoint] ?? []).toSorted((a, b) => a - b)
    if (wanted.length === 0) empty.push(`${endpoint}: its codes are not listed in scripts/conformance-codes.mjs`)
    const rows = wanted.map((code) => rowOf(endpoint, code))
    return `### ${endpoint}\n\n\`${names[endpoint]}\`\n\n| Code | Text | Shown by |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  })
  const common = shared.map(
    ({ code, status, when, file, name }) => `| ${code} | ${status} | ${when} | ${testCell({ file, name }, '')} |`,
  )
  const text = `${head}
## Codes that every endpoint shares

| Code | HTTP | When | Shown by |
| --- | --- | --- | --- |
${common.join('\n')}

## Endpoints

${sections.join('\n')}`
  return { text, empty }
}

const head = `# Conformance of the container API

Made by the test run, not by hand: \`UPDATE_DOCS=1 npm test\` writes this file, and \`npm test\` fails when it is not what the tests
show. Each row is an endpoint and a code of its section; the test beside it passed, and the endpoint gave that code while it ran.
Paths follow \`/api/v3/\`; the other roots and ESB lead to the same routes.
`

function testCell({ file, name }, path) {
  const own = name.startsWith(`${path}: `) ? name.slice(path.length + 2) : name
  return `${file}: ${plain(own.length > 160 ? `${own.slice(0, 157)}...` : own)}`
}

/** Text that a table's cell holds as it is. */
const plain = (text) =>
  text
    .replace(/[|\\]/g, (sign) => `\\${sign}`)
    .replace(/</g, '&lt;')
    .replace(/\s+/g, ' ')
