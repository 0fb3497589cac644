import { serverlessErrors } from '../errors.ts'
import { WrittenNumber } from '../http/serverless-body.ts'
import type { Autoscaling, ScheduleEntry } from './autoscaling.ts'
import type { PoolSpec, TextMap } from './pool.ts'

/**
 * From a parsed body to what a client asks for: types only, the rules come later. A member of a wrong type makes the
 * whole request undecodable (130600, pool API reference 1.2), and the text names it. null is the same as absent.
 */

/** A pool as sent. Nothing is checked but types; absent text is '', absent numbers are 0. */
export type PoolDraft = Omit<PoolSpec, 'resources'> & {
  readonly id: string
  readonly resources: { readonly requests: TextMap | null; readonly limits: TextMap | null } | null
}

/** A change as sent. `undefined` in `sizes`: the body has only members of Podyard's own, sizes stay. */
export type PoolPatch = {
  readonly sizes: { readonly size: number; readonly maxSize: number } | undefined
  /** Empty: keep what is stored. */
  readonly horizontalPodAutoscalerSpec: string
  /** Absent: keep what is stored; null: none any more. */
  readonly autoscaling?: Autoscaling | null
  /** Absent: as it is. */
  readonly drain?: boolean
}

/** The pools of a create body, in order. */
export function readCreateBody(body: unknown): PoolDraft[] {
  const pools = members(body, 'the body').get('pools')
  if (pools === undefined) return []
  if (!Array.isArray(pools)) throw serverlessErrors.undecodable('pools must be an array')
  return pools.map((pool, i) => readPool(pool, `pools[${i}]`))
}

/** The body of an update. */
export function readUpdateBody(body: unknown): PoolPatch {
  const from = members(body, 'the body')
  const size = integer(from.get('size'), 'size')
  const maxSize = integer(from.get('max_size'), 'max_size')
  const horizontalPodAutoscalerSpec = text(from.get('horizontal_pod_autoscaler_spec'), 'horizontal_pod_autoscaler_spec')
  const original = ['size', 'max_size', 'horizontal_pod_autoscaler_spec'].some((name) => from.has(name))
  const autoscaling = readAutoscaling(from.get('autoscaling'), 'autoscaling')
  const isCleared = autoscaling === null && isNull(body, 'autoscaling')
  const own = isCleared || ['drain', 'autoscaling'].some((name) => from.has(name))
  return {
    sizes: own && !original ? undefined : { size, maxSize },
    horizontalPodAutoscalerSpec,
    ...(autoscaling !== null || isCleared ? { autoscaling } : {}),
    ...(from.has('drain') ? { drain: boolean(from.get('drain'), 'drain') } : {}),
  }
}

function readPool(value: unknown, path: string): PoolDraft {
  const from = members(value, path)
  const at = (name: string) => `${path}.${name}`
  const textOf = (name: string) => text(from.get(name), at(name))
  const integerOf = (name: string) => integer(from.get(name), at(name))
  const mapOf = (name: string) => textMap(from.get(name), at(name))
  const idle = members(from.get('idle_recycle_time'), at('idle_recycle_time'))
  const resources = from.has('resources') ? members(from.get('resources'), at('resources')) : undefined
  return {
    id: textOf('id'),
    group: textOf('group'),
    size: integerOf('size'),
    maxSize: integerOf('max_size'),
    reuse: boolean(from.get('reuse'), at('reuse')),
    image: textOf('image'),
    initImage: textOf('init_image'),
    labels: textMap(from.get('labels'), at('labels'), 'numbers too'),
    environment: mapOf('environment'),
    resources:
      resources === undefined
        ? null
        : {
            requests: textMap(resources.get('requests'), at('resources.requests')),
            limits: textMap(resources.get('limits'), at('resources.limits')),
          },
    nodeSelector: mapOf('node_selector'),
    volumes: textOf('volumes'),
    volumeMounts: textOf('volume_mounts'),
    affinities: textOf('affinities'),
    tolerations: textOf('tolerations'),
    topologySpreadConstraints: textOf('topology_spread_constraints'),
    horizontalPodAutoscalerSpec: textOf('horizontal_pod_autoscaler_spec'),
    runtimeClassName: textOf('runtime_class_name'),
    podPendingDurationThreshold: integerOf('pod_pending_duration_threshold'),
    idleRecycleTime: {
      reserved: integer(idle.get('reserved'), at('idle_recycle_time.reserved')),
      scaled: integer(idle.get('scaled'), at('idle_recycle_time.scaled')),
    },
    autoscaling: readAutoscaling(from.get('autoscaling'), at('autoscaling')),
  }
}

function readAutoscaling(value: unknown, path: string): Autoscaling | null {
  if (value === undefined) return null
  const from = members(value, path)
  const buffer = from.get('buffer')
  const schedule = from.get('schedule')
  if (schedule !== undefined && !Array.isArray(schedule))
    throw serverlessErrors.undecodable(`${path}.schedule must be an array`)
  const demand = from.has('demand') ? members(from.get('demand'), `${path}.demand`) : undefined
  return {
    ...(buffer === undefined
      ? {}
      : { buffer: typeof buffer === 'string' ? buffer : integer(buffer, `${path}.buffer`) }),
    ...(schedule === undefined
      ? {}
      : { schedule: schedule.map((entry, i) => readScheduleEntry(entry, `${path}.schedule[${i}]`)) }),
    ...(demand === undefined
      ? {}
      : { demand: { window_seconds: integer(demand.get('window_seconds'), `${path}.demand.window_seconds`) } }),
  }
}

function readScheduleEntry(value: unknown, path: string): ScheduleEntry {
  const from = members(value, path)
  const timeZone = from.get('time_zone')
  return {
    cron: text(from.get('cron'), `${path}.cron`),
    ...(timeZone === undefined ? {} : { time_zone: text(timeZone, `${path}.time_zone`) }),
    size: integer(from.get('size'), `${path}.size`),
  }
}

/** Whether the body says null for a member, which for some means something else than to leave it out. */
function isNull(body: unknown, name: string): boolean {
  return typeof body === 'object' && body !== null && (body as Record<string, unknown>)[name] === null
}

/** The members that are there: own ones that are not null. null itself has none. */
function members(value: unknown, path: string): ReadonlyMap<string, unknown> {
  if (value === undefined || value === null) return new Map()
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof WrittenNumber)
    throw serverlessErrors.undecodable(`${path} must be an object`)
  return new Map(Object.entries(value).filter(([, member]) => member !== null))
}

function text(value: unknown, path: string): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') throw serverlessErrors.undecodable(`${path} must be a string`)
  return value
}

function integer(value: unknown, path: string): number {
  if (value === undefined) return 0
  if (typeof value !== 'number') throw serverlessErrors.undecodable(`${path} must be an integer`)
  // -0 becomes 0
  return value + 0
}

function boolean(value: unknown, path: string): boolean {
  if (value === undefined) return false
  if (typeof value !== 'boolean') throw serverlessErrors.undecodable(`${path} must be a boolean`)
  return value
}

function textMap(value: unknown, path: string, numbers?: 'numbers too'): TextMap | null {
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof WrittenNumber)
    throw serverlessErrors.undecodable(`${path} must be an object`)
  return Object.fromEntries(
    Object.entries(value).map(([key, member]): [string, string] => {
      if (typeof member === 'string') return [key, member]
      if (member === null) return [key, '']
      if (numbers !== undefined && typeof member === 'number') return [key, String(member)]
      if (numbers !== undefined && member instanceof WrittenNumber) return [key, member.text]
      throw serverlessErrors.undecodable(`${path}[${JSON.stringify(key)}] must be a string`)
    }),
  )
}
