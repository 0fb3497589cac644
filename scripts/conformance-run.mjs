/** Compares docs/guide/conformance.md with what a test run showed; with UPDATE_DOCS=1 writes it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { documentOf, evidenceOf } from './conformance.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'packages/server/test')
const path = join(root, 'docs/guide/conformance.md')
const suffix = '.test.ts'

/** What is wrong, in words. Only a run of all the inventory's tests can tell, and only when they passed: else nothing. */
export async function conformanceProblems(modules, config) {
  const ran = new Map(modules.map((module) => [module.moduleId, module]))
  const files = readdirSync(folder).filter((name) => /^(inventory-|events-watch)/.test(name) && name.endsWith(suffix))
  const isWhole = files.every((name) => ran.get(join(folder, name))?.state() === 'passed')
  if (!isWhole || config?.testNamePattern !== undefined) return []
  const tests = files.flatMap((name) =>
    [...ran.get(join(folder, name)).children.allTests('passed')].map((test) => ({
      file: basename(name, suffix),
      name: test.name,
      answers: test.meta().answers ?? [],
    })),
  )
  const facts = await import('./conformance-codes.mjs')
  const { shown, problems } = evidenceOf(tests, facts.endpoints)
  const previous = read(path)
  const { text, empty } = documentOf({ ...facts, shown, previous })
  const missing = facts.shared.filter((one) => !tests.some(({ file, name }) => file === one.file && name === one.name))
  if (process.env.UPDATE_DOCS === '1') writeFileSync(path, text)
  return [
    ...problems,
    ...empty.map((cell) => `no test shows ${cell}`),
    ...missing.map(({ file, name }) => `there is no test "${name}" in ${file}`),
    ...(read(path) === text ? [] : ['docs/guide/conformance.md is not what the tests show: UPDATE_DOCS=1 npm test']),
  ]
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
