import type { Area, Case } from './case.ts'
import { limits } from './limits.ts'
import type { TargetName } from './target.ts'

/** What the suite found of one case. */
export type Finding = 'passed' | 'failed' | 'not run'

const columns: readonly TargetName[] = ['simulator', 'kube-apiserver']

/** docs/guide/simulator.md, from what the suite found. Pure. */
export function simulatorGuide(areas: readonly Area[], found: (item: Case, on: TargetName) => Finding): string {
  return `${[
    '# The simulated cluster',
    '',
    'Without a kubeconfig, Podyard runs on a simulated cluster: an API server on loopback with controllers, a scheduler and',
    'kubelets behind it (`podyard simulate` runs it alone). What it answers is compared with a real kube-apiserver 1.36 by one',
    'suite that runs on both, `npm run test:cluster`: the same requests, the same assertions, and beside them the whole answers,',
    'status, reason and message included, but for uids, versions, times and generated suffixes.',
    '',
    '<!-- Made by UPDATE_DOCS=1 npm run test:cluster; a run fails when this is out of date. -->',
    '',
    '## What it does as the real one does',
    '',
    ...areas.flatMap((area) => [`### ${area.title}`, '', ...rows(area, found), '']),
    '## What it does not do',
    '',
    ...limits.map((limit) => `- ${limit}`),
  ].join('\n')}\n`
}

function rows(area: Area, found: (item: Case, on: TargetName) => Finding): readonly string[] {
  const row = (item: Case) =>
    `| ${capital(item.title)} | ${columns.map((on) => cell(item, on, found(item, on))).join(' | ')} |`
  return [`| Operation | ${columns.join(' | ')} |`, '|---|---|---|', ...area.cases.map(row)]
}

function cell({ only }: Case, on: TargetName, finding: Finding): string {
  if (only !== undefined && only.on !== on) return `no: ${only.because}`
  return finding === 'passed' ? 'yes' : finding
}

function capital(title: string): string {
  return title.slice(0, 1).toUpperCase() + title.slice(1)
}
