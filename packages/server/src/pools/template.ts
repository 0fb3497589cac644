import { readFile } from 'node:fs/promises'
import type { V1Deployment, V1PodSpec } from '@kubernetes/client-node'
import { defaultTemplate } from './default-template.ts'
import { isObject, own, parseJson } from './json-shape.ts'
import { agentContainer, initContainer, runtimeContainer } from './names.ts'

/** A Deployment that was checked to have what pools write into: the three containers. */
export type PoolTemplate = V1Deployment & {
  readonly spec: { readonly template: { readonly spec: V1PodSpec } }
}

/** The template file cannot be used; the message is one line for the operator. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

/**
 * Reads the Deployment that pools are copied from.
 *
 * @param path a JSON file; without it the built-in template
 * @throws TemplateError
 */
export async function loadTemplate(path?: string): Promise<PoolTemplate> {
  if (path === undefined) return checkTemplate(defaultTemplate, 'the built-in pool template')
  const where = `the pool template ${path}`
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'there is no such file' : error.message
    throw new TemplateError(`${where} cannot be read: ${why}`, { cause: error })
  })
  const parsed = parseJson(text)
  if (!parsed.ok) throw new TemplateError(`${where} is not JSON`)
  return checkTemplate(parsed.value, where)
}

/** Pure. `where` begins the message of the error. */
export function checkTemplate(value: unknown, where: string): PoolTemplate {
  const fail = (what: string) => new TemplateError(`${where} ${what}`)
  if (!isObject(value)) throw fail('is not an object')
  if (value.kind !== 'Deployment' || value.apiVersion !== 'apps/v1') throw fail('is not an apps/v1 Deployment')
  let pod: unknown = value
  for (const name of ['spec', 'template', 'spec']) pod = isObject(pod) ? own(pod, name) : undefined
  if (!isObject(pod)) throw fail('has no spec.template.spec')
  const containers = namesIn(pod.containers)
  for (const name of [runtimeContainer, agentContainer])
    if (!containers.includes(name)) throw fail(`has no container ${name}`)
  if (!namesIn(pod.initContainers).includes(initContainer)) throw fail(`has no init container ${initContainer}`)
  if (pod.restartPolicy !== undefined && pod.restartPolicy !== 'Always')
    throw fail(`has restartPolicy ${String(pod.restartPolicy)}, a Deployment's can only be Always`)
  // Checked as far as pools need it; the cluster checks the rest when the first pool is made.
  return value as unknown as PoolTemplate
}

function namesIn(containers: unknown): unknown[] {
  return Array.isArray(containers) ? containers.map((c: unknown) => (isObject(c) ? c.name : undefined)) : []
}
