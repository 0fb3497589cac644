import { chooseVictims, deletePods, planPods, planRoom, wantedReplicas } from './plan-pods.ts'
import { settle, words } from './plan-settle.ts'
import type {
  DeploymentView,
  Failure,
  PoolAction,
  PoolDesired,
  PoolMemory,
  PoolObserved,
  StatusWrite,
} from './plan-types.ts'
import { countReady, mayTry, waits, warning, write } from './plan-write.ts'
import { poolStatus } from './pool.ts'

/**
 * What to do about a pool, from what was declared, what the cluster shows and the time. Pure; the controller performs it
 * and asks again, until nothing is left to do. Status values and words are those of pool API reference 1.7; what differs
 * from the original:
 *
 * - 6 only ever leads to the row's removal. Errors while deleting are said and tried again.
 * - 5 stays until a PUT or a DELETE. What belongs to somebody else is never touched.
 * - 4 stays, too; too few ready pods for longer than the threshold are said beside it.
 */
export function planPool(desired: PoolDesired, observed: PoolObserved, now: number): readonly PoolAction[] {
  if (desired.status === poolStatus.deleted) return planRemoval(desired, observed, now)
  if (desired.status === poolStatus.failed) return planFailed(desired, observed, now)
  return planLiving(desired, observed, now)
}

function planRemoval(desired: PoolDesired, observed: PoolObserved, now: number): PoolAction[] {
  const { deployment, hpa, failures } = observed
  const ours = deployment?.isOurs === true ? deployment : undefined
  const oursHpa = hpa?.isOurs === true ? hpa : undefined
  const strays = observed.strays.filter((pod) => !pod.isDeleting)
  // A creation that is still under way may yet leave a pod behind.
  if (ours === undefined && oursHpa === undefined && strays.length === 0 && observed.creating === 0)
    return [{ kind: 'remove-pool' }]

  const failure = failures.delete
  const actions: PoolAction[] = []
  if (mayTry(failure, now)) {
    if (observed.isClosed === false) return [{ kind: 'close-pool' }]
    if (ours !== undefined && !ours.isDeleting) actions.push({ kind: 'delete-deployment' })
    if (oursHpa !== undefined && !oursHpa.isDeleting) actions.push({ kind: 'delete-hpa' })
    if (ours === undefined && strays.length > 0) actions.push(deletePods(observed, strays, 'deployment is gone'))
  }
  const said = failure === undefined ? {} : { notes: [failure.message], ...deleteWord(failure) }
  return [...actions, ...write(desired, { ...said, readyCount: countReady(observed) }), ...waits(now, failure)]
}

function deleteWord(failure: Failure): StatusWrite {
  return failure.code === undefined ? {} : { word: `Delete Deployment Failed, ErrorCode is ${failure.code}` }
}

function planFailed(desired: PoolDesired, observed: PoolObserved, now: number): PoolAction[] {
  const { deployment, hpa, failures } = observed
  // An autoscaler without its Deployment would scale whatever gets that name next.
  const isLeftOver = hpa?.isOurs === true && !hpa.isDeleting && deployment?.isOurs !== true
  return [
    ...(isLeftOver && mayTry(failures.delete, now) ? [{ kind: 'delete-hpa' } as const] : []),
    ...write(desired, { readyCount: countReady(observed) }),
    ...(isLeftOver ? waits(now, failures.delete) : []),
  ]
}

function planLiving(desired: PoolDesired, observed: PoolObserved, now: number): readonly PoolAction[] {
  const { deployment, failures } = observed
  const memory: PoolMemory = desired.observed
  const isAsked = isAskedFor(desired)

  if (isAsked && observed.hpaWanted.kind === 'invalid')
    return fail(desired, observed, `invalid HPA spec, ${hpaVerb(desired)} HPA failed`, [observed.hpaWanted.reason])
  if (deployment?.isOurs === false)
    return fail(desired, observed, 'pool already exists', [
      `a Deployment function-agent-${desired.id} is there that was not made for this pool`,
    ])
  const living = deployment?.isDeleting === true ? undefined : deployment
  if (living === undefined && !isAsked && memory.deploymentUid !== undefined)
    return fail(desired, observed, 'deployment is deleted', [])

  const hpa = planHpa(desired, observed, now)
  if (hpa.failed !== undefined) return fail(desired, observed, hpa.failed.word, [hpa.failed.note])
  // Step by step, as the original: first the autoscaler, then the Deployment.
  if ((isAsked || living === undefined) && !hpa.isDone) return [...hpa.actions, ...waitNotes(desired, observed, now)]

  if (living === undefined) {
    const failure = failures.deployment
    if (failure?.isFinal === true)
      return fail(desired, observed, `Create Deployment Failed, ErrorCode is ${failure.code}`, [failure.message])
    // One that is on its way out has to be gone before the next can have its name.
    if (deployment !== undefined) return waitNotes(desired, observed, now)
    return mayTry(failure, now) ? [{ kind: 'create-deployment' }] : waitNotes(desired, observed, now)
  }

  const upkeep = planDeployment(desired, observed, living, now)
  // A change that was asked for is made before it is said to be under way; one that failed is said.
  if (isAsked && upkeep.length > 0) return upkeep
  const planOwn = desired.scalable ? planPods : planRoom
  const pods = needsPatch(desired, observed, living) ? [] : planOwn(desired, observed, now)
  // A try that failed without an answer may have been carried out all the same: then nothing is left to be said of it.
  const { hpa: hpaFailure, deployment: patchFailure, ...others } = failures
  const open = {
    ...others,
    ...(hpaFailure === undefined || hpa.isDone ? {} : { hpa: hpaFailure }),
    ...(patchFailure === undefined || !needsPatch(desired, observed, living) ? {} : { deployment: patchFailure }),
  }
  return [...hpa.actions, ...upkeep, ...pods, ...settle(desired, { ...observed, failures: open }, living, now)]
}

type HpaPlan = {
  readonly actions: readonly PoolAction[]
  /** The autoscaler is as wanted, or none is. */
  readonly isDone: boolean
  readonly failed?: { readonly word: string; readonly note: string }
}

function planHpa(desired: PoolDesired, observed: PoolObserved, now: number): HpaPlan {
  const { hpa, failures } = observed
  if (observed.hpaWanted.kind !== 'wanted') return { actions: [], isDone: true }
  const isAsked = isAskedFor(desired)
  const failed = (note: string): HpaPlan => ({
    actions: [],
    isDone: false,
    ...(isAsked ? { failed: { word: `${hpaVerb(desired)} HPA failed`, note } } : {}),
  })
  if (hpa?.isOurs === false)
    return failed(`a HorizontalPodAutoscaler function-agent-${desired.id}-hpa is there that was not made for this pool`)
  if (hpa !== undefined && !hpa.isDeleting && hpa.drift.length === 0) return { actions: [], isDone: true }
  if (failures.hpa?.isFinal === true && isAsked) return failed(failures.hpa.message)
  const isResting = !isAsked && !mayTry(failures.restore, now)
  if (hpa?.isDeleting === true || isResting || !mayTry(failures.hpa, now)) return { actions: [], isDone: false }
  return {
    actions: [hpa === undefined ? { kind: 'create-hpa' } : { kind: 'patch-hpa', fields: hpa.drift }],
    isDone: false,
  }
}

/** A client waits for it: a new pool, a change, or either of them while the cluster did not answer. */
function isAskedFor(desired: PoolDesired): boolean {
  const memory: PoolMemory = desired.observed
  return desired.status === poolStatus.new || desired.status === poolStatus.update || memory.deploymentUid === undefined
}

const isCreation = (desired: PoolDesired) => desired.status === poolStatus.new || desired.status === poolStatus.creating

const hpaVerb = (desired: PoolDesired) => (isCreation(desired) ? 'create' : 'update')

/** Restores what somebody edited, and brings replicas to what the pool wants. */
function planDeployment(
  desired: PoolDesired,
  observed: PoolObserved,
  deployment: DeploymentView,
  now: number,
): PoolAction[] {
  if (!mayTry(observed.failures.deployment, now)) return []
  // Taken back at once, but not again and again without end: somebody else may be just as stubborn.
  if (!isAskedFor(desired) && !mayTry(observed.failures.restore, now)) return []
  const actions: PoolAction[] = []
  if (deployment.drift.length > 0) actions.push({ kind: 'restore-deployment', fields: deployment.drift })
  const replicas = wantedReplicas(desired, observed)
  if (replicas !== undefined && replicas !== deployment.replicas)
    actions.push({
      kind: 'scale-deployment',
      from: deployment.replicas,
      to: replicas,
      ...(desired.scalable || replicas > deployment.replicas
        ? { victims: [], leaving: [] }
        : chooseVictims(observed, replicas)),
    })
  return actions
}

function needsPatch(desired: PoolDesired, observed: PoolObserved, deployment: DeploymentView): boolean {
  const replicas = wantedReplicas(desired, observed)
  return deployment.drift.length > 0 || (replicas !== undefined && replicas !== deployment.replicas)
}

function fail(desired: PoolDesired, observed: PoolObserved, word: string, notes: readonly string[]): PoolAction[] {
  const { deployment } = observed
  return write(desired, {
    status: poolStatus.failed,
    word,
    notes,
    readyCount: countReady(observed),
    observed: deployment?.isOurs === true && !deployment.isDeleting ? { deploymentUid: deployment.uid } : {},
    events: [warning('Failed', [word, ...notes].join('; '))],
  })
}

/** Something that must be done before the rest cannot be done now: says why, and when it is tried again. */
function waitNotes(desired: PoolDesired, observed: PoolObserved, now: number): PoolAction[] {
  const failures = [observed.failures.hpa, observed.failures.deployment].filter((f) => f !== undefined)
  if (failures.length === 0) return []
  const notes = failures.map((failure) => failure.message)
  return [
    ...write(desired, {
      // An update that waits keeps its status: it is not under way before the Deployment has it.
      ...(isCreation(desired) ? { status: poolStatus.creating } : {}),
      word: isCreation(desired) ? words[1] : words[3],
      notes,
      events: notes.filter((note) => !desired.notes.includes(note)).map((note) => warning('ClusterError', note)),
    }),
    ...waits(now, ...failures),
  ]
}
