import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { admissionArea } from './admission.ts'
import { applyArea } from './apply.ts'
import { autoscalerArea } from './autoscalers.ts'
import type { Area, Bench, Case } from './case.ts'
import { createArea } from './create.ts'
import { deleteArea } from './delete.ts'
import { deploymentArea } from './deployments.ts'
import { differences } from './differences.ts'
import { historyArea } from './history.ts'
import { listArea } from './list.ts'
import { normal } from './normal.ts'
import { overloadArea } from './overload.ts'
import { patchArea } from './patch.ts'
import { podArea } from './pods.ts'
import { schedulerArea } from './scheduler.ts'
import { type Finding, simulatorGuide } from './table.ts'
import { controlPlaneTarget, simulatorTarget, type Target, type TargetName } from './target.ts'
import { validationArea } from './validation.ts'
import { watchArea } from './watch.ts'

/**
 * One suite for the simulator and a real kube-apiserver: the same operations, the same assertions. What a case has
 * `seen` on both is compared beside that. The table in docs/guide/simulator.md is made of the results.
 */
const areas: readonly Area[] = [
  listArea,
  watchArea,
  historyArea,
  createArea,
  patchArea,
  applyArea,
  deleteArea,
  validationArea,
  admissionArea,
  deploymentArea,
  schedulerArea,
  podArea,
  autoscalerArea,
  overloadArea,
]

const guideFile = new URL('../../../docs/guide/simulator.md', import.meta.url)

const openers: Readonly<Record<TargetName, () => Promise<Target>>> = {
  simulator: simulatorTarget,
  'kube-apiserver': () => controlPlaneTarget(inject('controlPlaneRunDir')),
}
const targetNames = Object.keys(openers) as readonly TargetName[]

const seen: Readonly<Record<TargetName, Map<string, unknown>>> = { simulator: new Map(), 'kube-apiserver': new Map() }

const all = areas.flatMap((area, at) =>
  area.cases.map((item, number) => ({ area, item, id: `contract-${at}-${number}` })),
)

/** Cases that were tried before: they get another namespace, since the first one may go slowly. */
const tried = new Set<string>()

function benchOf(target: Target, id: string): Bench {
  const list: Record<string, unknown> = {}
  let namespace: Promise<string> | undefined
  const name = tried.has(`${id} ${target.name}`) ? `${id}-again` : id
  tried.add(`${id} ${target.name}`)
  return {
    ...target,
    namespaceName: name,
    namespace: (labels) => {
      namespace ??= target.namespace(name, labels)
      return namespace
    },
    seen(what, given) {
      const value = normal(given)
      const isOther = name !== id && value !== undefined
      list[what] = isOther ? JSON.parse(JSON.stringify(value).replaceAll(name, id)) : value
      seen[target.name].set(id, list)
    },
  }
}

/** What became of each case: on each target, and of the comparison. */
const findings = new Map<string, Finding>()
const keyOf = (id: string, what: TargetName | 'both') => `${id} ${what}`

/** Remembers a passed case; whatever else becomes of one is a failure. */
async function remembered(key: string, run: () => Promise<void> | void): Promise<void> {
  findings.set(key, 'failed')
  await run()
  findings.set(key, 'passed')
}

const runsOn = ({ only }: Case, name: TargetName) => only === undefined || only.on === name

describe.each(targetNames)('%s', (name) => {
  let target: Target
  beforeAll(async () => {
    target = await openers[name]()
  })
  afterAll(() => target?.close())

  for (const alone of [false, true]) {
    for (const { area, item, id } of all) {
      if (!runsOn(item, name) || (item.alone ?? false) !== alone) continue
      const run = () => remembered(keyOf(id, name), () => item.run(benchOf(target, id)))
      if (alone) test(`${area.title}: ${item.title}`, run)
      else test.concurrent(`${area.title}: ${item.title}`, run)
    }
  }
})

describe('both have seen the same', () => {
  for (const { area, item, id } of all) {
    if (item.only !== undefined) continue
    test(`${area.title}: ${item.title}`, (context) => {
      const [simulator, real] = targetNames.map((name) => seen[name].get(id))
      // A case without such values, or one that was not selected.
      if (simulator === undefined && real === undefined) return
      if (simulator === undefined || real === undefined) return context.skip()
      return remembered(keyOf(id, 'both'), () => {
        expect(differences(simulator, real), 'simulator here, kube-apiserver there').toEqual([])
      })
    })
  }
})

test('docs/guide/simulator.md says what was found', async (context) => {
  const found = (item: Case, on: TargetName): Finding => {
    const id = all.find((one) => one.item === item)?.id ?? ''
    if (!runsOn(item, on)) return 'not run'
    const compared = findings.get(keyOf(id, 'both')) ?? 'passed'
    const own = findings.get(keyOf(id, on)) ?? 'not run'
    return own === 'passed' ? compared : own
  }
  const ran = all.flatMap(({ item }) => targetNames.filter((on) => runsOn(item, on)).map((on) => found(item, on)))
  // Some were not selected: there is nothing to say about the whole.
  if (ran.includes('not run')) return context.skip()
  const guide = simulatorGuide(areas, found)
  if (process.env.UPDATE_DOCS === '1') await writeFile(guideFile, guide)
  expect(await readFile(guideFile, 'utf8'), 'UPDATE_DOCS=1 npm run test:cluster writes it anew').toBe(guide)
})
