import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planPool } from './plan.ts'
import type {
  DeploymentView,
  Failure,
  HpaView,
  PodView,
  PoolAction,
  PoolDesired,
  PoolObserved,
  Step,
} from './plan-types.ts'
import type { PoolSpec } from './pool.ts'

/**
 * A cluster as small as it can be, a client and an operator who do what they like, and a controller that performs what
 * the plan says. Whatever happens, the rules hold at every step; and once nobody interferes any more, the plan ends.
 * (Over 300 lines: one model.)
 */
type Model = {
  now: number
  pool: PoolDesired | undefined
  deployment: DeploymentView | undefined
  hpa: HpaView | undefined
  wantsHpa: boolean
  pods: PodView[]
  creating: number
  steps: number
  owed: number
  isClosed: boolean
  failures: Partial<Record<Step, Failure>>
  /** What the cluster answers to the next write. */
  refuses: Omit<Failure, 'retryAt'> | undefined
  uids: number
}

type Move =
  | { readonly kind: 'step' }
  | { readonly kind: 'pods-start' | 'pod-dies' | 'pod-fails' | 'pod-busy' | 'gc' | 'time' }
  | { readonly kind: 'creations'; readonly isLost: boolean }
  | { readonly kind: 'refuse'; readonly isFinal: boolean }
  | { readonly kind: 'accept' | 'delete' | 'remove-deployment' | 'replace-deployment' | 'edit' | 'forget' }
  | { readonly kind: 'request' | 'drain' | 'undrain' }
  | { readonly kind: 'scale'; readonly replicas: number }
  | { readonly kind: 'put'; readonly size: number; readonly more: number }

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Move>({ kind: 'step' }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Move>(
      { kind: 'pods-start' },
      { kind: 'pod-dies' },
      { kind: 'pod-fails' },
      { kind: 'pod-busy' },
      { kind: 'gc' },
      { kind: 'time' },
      { kind: 'request' },
      { kind: 'creations', isLost: false },
      { kind: 'creations', isLost: true },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.constantFrom<Move>(
        { kind: 'refuse', isFinal: true },
        { kind: 'refuse', isFinal: false },
        { kind: 'accept' },
        { kind: 'edit' },
        { kind: 'forget' },
      ),
      fc.record({ kind: fc.constant('scale' as const), replicas: fc.nat(6) }),
      fc.record({ kind: fc.constant('put' as const), size: fc.nat(5), more: fc.nat(3) }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move>(
      { kind: 'delete' },
      { kind: 'drain' },
      { kind: 'undrain' },
      { kind: 'remove-deployment' },
      { kind: 'replace-deployment' },
    ),
  },
)

function observe(model: Model): PoolObserved {
  const { deployment } = model
  const uid = deployment?.isOurs === true ? deployment.uid : undefined
  return {
    deployment,
    hpa: model.hpa,
    hpaWanted: { kind: model.wantsHpa ? 'wanted' : 'none' },
    pods: model.pods.filter((pod) => pod.ownerUid === uid),
    strays: model.pods.filter((pod) => pod.ownerKind === 'Deployment' && pod.ownerUid !== uid),
    creating: model.creating,
    steps: model.steps,
    owed: model.owed,
    isClosed: model.isClosed,
    mayCreate: 4 - model.creating,
    fieldNotes: [],
    failures: model.failures,
  }
}

const ownPods = (model: Model) =>
  observe(model).pods.filter((pod) => pod.ownerKind === 'Deployment' && !pod.isDeleting && !pod.isFinished)

/** Performs one action as the controller and the cluster do, and checks what must never happen. */
function perform(model: Model, action: PoolAction): void {
  const { pool } = model
  if (pool === undefined) throw new Error(`${action.kind} for a pool that is gone`)
  const { deployment } = model
  const isWrite = !['write-status', 'remove-pool', 'wait-until', 'create-pods', 'take-steps'].includes(action.kind)
  if (isWrite && model.refuses !== undefined) {
    const step = /^(delete|close)/.test(action.kind) ? 'delete' : action.kind.endsWith('hpa') ? 'hpa' : 'deployment'
    model.failures = { ...model.failures, [step]: { ...model.refuses, retryAt: model.now + 1_000 } }
    return
  }
  switch (action.kind) {
    case 'create-hpa':
      expect(model.hpa).toBeUndefined()
      model.hpa = { isOurs: true, isDeleting: false, drift: [] }
      break
    case 'patch-hpa':
      expect(model.hpa?.isOurs).toBe(true)
      model.hpa = { isOurs: true, isDeleting: false, drift: [] }
      break
    case 'delete-hpa':
      expect(model.hpa?.isOurs).toBe(true)
      model.hpa = undefined
      break
    case 'create-deployment':
      expect(deployment).toBeUndefined()
      expect([0, 1, 2, 3]).toContain(pool.status)
      model.deployment = {
        uid: `d${model.uids++}`,
        isOurs: true,
        isMadeHere: true,
        isDeleting: false,
        replicas: pool.scalable ? 0 : pool.spec.size,
        drift: [],
        trouble: undefined,
      }
      break
    case 'restore-deployment':
    case 'scale-deployment':
      expect(deployment?.isOurs).toBe(true)
      expect([5, 6]).not.toContain(pool.status)
      if (deployment !== undefined)
        model.deployment =
          action.kind === 'scale-deployment' ? { ...deployment, replicas: action.to } : { ...deployment, drift: [] }
      break
    case 'delete-deployment':
      expect(deployment?.isOurs).toBe(true)
      expect(pool.status).toBe(6)
      expect(model.isClosed).toBe(true)
      if (deployment !== undefined) model.deployment = { ...deployment, isDeleting: true }
      break
    case 'create-pods': {
      expect(pool.scalable).toBe(true)
      expect([0, 2, 1, 3, 4]).toContain(pool.status)
      expect(pool.draining).toBe(false)
      model.creating += action.count
      const most = action.isReserved ? pool.spec.size : pool.spec.maxSize
      expect(ownPods(model).length + model.creating).toBeLessThanOrEqual(most)
      if (!action.isReserved) model.owed -= action.count
      expect(model.owed).toBeGreaterThanOrEqual(0)
      expect(pool.spec.size).toBeLessThanOrEqual(pool.spec.maxSize)
      break
    }
    case 'take-steps': {
      expect(pool.scalable).toBe(true)
      expect(pool.draining).toBe(false)
      expect(action.limit).toBeGreaterThan(0)
      const taken = Math.min(action.limit, model.steps)
      model.steps -= taken
      model.owed += taken
      break
    }
    case 'close-pool':
      expect(pool.status).toBe(6)
      model.isClosed = true
      break
    case 'delete-pods': {
      const gone = new Set(action.pods.map((pod) => pod.uid))
      const living = ownPods(model)
      for (const pod of action.pods) {
        expect(pod.ownerKind).toBe('Deployment')
        if (action.reason !== 'deployment is gone') expect(pod.isBusy).toBe(false)
      }
      if (action.reason === 'above max_size')
        expect(living.length - gone.size + model.creating).toBeGreaterThanOrEqual(pool.spec.maxSize)
      model.pods = model.pods.map((pod) => (gone.has(pod.uid) ? { ...pod, isDeleting: true, isReady: false } : pod))
      break
    }
    case 'write-status': {
      const { events: _, ...write } = action.write
      if (pool.status === 6) expect(write.status).toBeUndefined()
      if (pool.status === 5) expect(write.status).toBeUndefined()
      if (pool.status === 4) expect([undefined, 5]).toContain(write.status)
      expect(Object.keys(action.write).length).toBeGreaterThan(0)
      model.pool = { ...pool, ...write, observed: { ...(write.observed ?? pool.observed) } }
      break
    }
    case 'remove-pool':
      expect(pool.status).toBe(6)
      expect(deployment?.isOurs).not.toBe(true)
      expect(model.hpa?.isOurs).not.toBe(true)
      expect(model.creating).toBe(0)
      model.pool = undefined
      break
    case 'wait-until':
      expect(action.time).toBeGreaterThan(model.now)
  }
}

function step(model: Model): readonly PoolAction[] {
  if (model.pool === undefined) return []
  const plan = planPool(model.pool, observe(model), model.now)
  for (const action of plan) perform(model, action)
  return plan
}

function play(model: Model, move: Move): void {
  const { pool, deployment } = model
  const first = model.pods.find((pod) => !pod.isDeleting)
  const change = (change: Partial<PodView>) => {
    model.pods = model.pods.map((pod) => (pod === first ? { ...pod, ...change } : pod))
  }
  const client = (change: Partial<PoolDesired>) => {
    if (pool === undefined || pool.status === 6) return
    model.pool = { ...pool, ...change }
    model.failures = {}
  }
  switch (move.kind) {
    case 'step':
      step(model)
      break
    case 'pods-start':
      replicate(model)
      break
    case 'pod-dies':
      change({ isDeleting: true, isReady: false })
      break
    case 'pod-fails':
      change({ isFinished: true, isReady: false })
      break
    case 'pod-busy':
      change({ isBusy: true })
      break
    case 'gc':
      collect(model)
      break
    case 'time':
      model.now += 60_000
      break
    case 'request':
      model.steps += 1
      break
    case 'drain':
    case 'undrain':
      client({ draining: move.kind === 'drain' })
      break
    case 'creations':
      finishCreations(model, move.isLost)
      break
    case 'refuse':
      model.refuses = { code: move.isFinal ? 422 : undefined, message: 'no', isFinal: move.isFinal }
      break
    case 'accept':
      model.refuses = undefined
      break
    case 'edit':
      if (deployment?.isOurs === true) model.deployment = { ...deployment, drift: ['x'] }
      break
    case 'forget':
      // The controller was killed: what it only held in memory is gone, what was on its way has arrived.
      finishCreations(model, false)
      model.failures = {}
      model.owed = 0
      model.isClosed = false
      if (deployment !== undefined) model.deployment = { ...deployment, isMadeHere: false }
      break
    case 'scale':
      if (deployment?.isOurs === true) model.deployment = { ...deployment, replicas: move.replicas }
      break
    case 'put': {
      if (pool === undefined || pool.status === 0 || pool.status === 2) break
      const maxSize = pool.scalable ? move.size + move.more : move.size
      client({ status: 2, spec: { ...pool.spec, size: move.size, maxSize } })
      break
    }
    case 'delete':
      client({ status: 6 })
      break
    case 'remove-deployment':
      model.deployment = undefined
      break
    case 'replace-deployment':
      model.deployment = {
        uid: `f${model.uids++}`,
        isOurs: false,
        isMadeHere: false,
        isDeleting: false,
        replicas: 1,
        drift: [],
        trouble: undefined,
      }
  }
}

/** The ReplicaSet controller, and a kubelet that starts everything. */
function replicate(model: Model): void {
  const { deployment } = model
  if (deployment !== undefined && !deployment.isDeleting) {
    const living = model.pods.filter(
      (pod) => pod.ownerUid === deployment.uid && pod.ownerKind === 'ReplicaSet' && !pod.isDeleting && !pod.isFinished,
    )
    for (let i = living.length; i < deployment.replicas; i += 1) addPod(model, 'ReplicaSet')
    const surplus = new Set(living.slice(deployment.replicas))
    model.pods = model.pods.map((pod) => (surplus.has(pod) ? { ...pod, isDeleting: true, isReady: false } : pod))
  }
  model.pods = model.pods.map((pod) => ({ ...pod, isReady: !pod.isDeleting && !pod.isFinished }))
}

function addPod(model: Model, ownerKind: string): void {
  const name = `p${model.uids++}`
  model.pods.push({
    uid: name,
    name,
    ownerKind,
    ownerUid: model.deployment?.uid ?? 'gone',
    createdAt: model.uids,
    isReady: false,
    isDeleting: false,
    isFinished: false,
    isBusy: false,
    trouble: undefined,
  })
}

function finishCreations(model: Model, isLost: boolean): void {
  for (; model.creating > 0; model.creating -= 1) if (!isLost) addPod(model, 'Deployment')
}

/** The garbage collector, and the end of every grace period. */
function collect(model: Model): void {
  if (model.deployment?.isDeleting === true) model.deployment = undefined
  model.pods = model.pods.filter((pod) => !pod.isDeleting && pod.ownerUid === model.deployment?.uid)
}

const start = fc.record({ size: fc.nat(4), more: fc.nat(3), wantsHpa: fc.boolean() }).map(
  ({ size, more, wantsHpa }): Model => ({
    now: Date.parse('2026-01-01T00:00:00Z'),
    pool: {
      id: 'p',
      uid: 'u',
      spec: { size, maxSize: size + more, podPendingDurationThreshold: 0 } as PoolSpec,
      scalable: more > 0,
      draining: false,
      status: 0,
      word: '',
      notes: [],
      readyCount: 0,
      observed: {},
    },
    deployment: undefined,
    hpa: undefined,
    wantsHpa: wantsHpa && more === 0,
    pods: [],
    creating: 0,
    steps: 0,
    owed: 0,
    isClosed: false,
    failures: {},
    refuses: undefined,
    uids: 0,
  }),
)

test('whatever happens the rules hold, and in peace every pool comes to rest', () => {
  fc.assert(
    fc.property(start, fc.array(move, { maxLength: 40 }), (begin, moves) => {
      const model = structuredClone(begin)
      for (const move of moves) play(model, move)

      model.refuses = undefined
      let plan: readonly PoolAction[] = []
      for (let round = 0; round < 40; round += 1) {
        model.now += 2_000
        finishCreations(model, false)
        collect(model)
        replicate(model)
        model.failures = {}
        plan = step(model)
      }
      expect(plan.filter((action) => action.kind !== 'wait-until')).toEqual([])
      if (model.pool?.scalable === true && model.pool.status === 4 && !model.pool.draining) {
        // Whoever could be served by a step has got it.
        const full = model.steps + model.owed === 0 || ownPods(model).length >= model.pool.spec.maxSize
        expect(full).toBe(true)
      }

      const { pool, deployment } = model
      if (pool === undefined || pool.status === 5) return
      const there = observe(model).pods.filter((pod) => !pod.isDeleting)
      const living = there.filter((pod) => !pod.isFinished)
      expect(pool.status).toBe(4)
      expect(deployment?.isOurs).toBe(true)
      if (pool.draining) {
        expect(living.every((pod) => pod.isBusy)).toBe(true)
        return
      }
      if (pool.scalable) {
        expect(living.length).toBeGreaterThanOrEqual(pool.spec.size)
        if (living.every((pod) => !pod.isBusy)) expect(living.length).toBeLessThanOrEqual(pool.spec.maxSize)
        expect(deployment?.replicas).toBe(0)
      } else if (!model.wantsHpa) {
        // One that failed under its instance counts until it is taken away.
        const busy = there.filter((pod) => pod.isBusy).length
        expect(deployment?.replicas).toBe(Math.max(busy, pool.spec.size))
      }
      expect(pool.readyCount).toBe(living.length)
    }),
    { numRuns: 2_000 },
  )
}, 120_000)
