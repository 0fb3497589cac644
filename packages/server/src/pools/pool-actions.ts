import { isAlreadyExists, isNotFound } from '../kube/status.ts'
import { KubeError, type KubeObject, type Resource, resources } from '../kube/types.ts'
import { hpaDrift } from './drift.ts'
import { autoscalerName, deploymentName } from './names.ts'
import { isOurs } from './observed.ts'
import type { DeleteReason, PodView, PoolAction } from './plan-types.ts'
import type { PodActions } from './pod-actions.ts'
import { createPodMaker } from './pod-maker.ts'
import { type PoolEventDraft, poolStatus } from './pool.ts'
import { driftOf, type PoolEntry } from './pool-entry.ts'
import type { PoolSteps } from './pool-steps.ts'

/**
 * Carries out what the plan says, one API call per step. Nothing here rejects for what the cluster answers: a refusal is
 * remembered in the entry, and the next plan says what follows from it.
 */
export type PoolActions = {
  /** Resolves when the step was carried out or refused. Creations of pods go on in the background. */
  perform(entry: PoolEntry, action: ClusterAction): Promise<void>
  /** Looks past the reflectors whether something of the pool is left on the cluster, and takes it in. */
  findRemains(entry: PoolEntry): Promise<boolean>
  /** Resolves when nothing goes on in the background. */
  idle(): Promise<void>
}

export type ClusterAction = Exclude<PoolAction, { kind: 'write-status' | 'remove-pool' | 'wait-until' }>

export function createPoolActions(steps: PoolSteps, pods: PodActions): PoolActions {
  const { kube, namespace, limit, now, callOptions, attempt } = steps
  const maker = createPodMaker(steps)

  /** The object in the answer; when the name is taken, the object that has it (ours from an answer that got lost, or somebody else's). */
  async function createOrFind<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    object: T,
  ): Promise<{ readonly object: T; readonly isNew: boolean }> {
    try {
      return { object: await kube.create(resource, object, { namespace, ...callOptions }), isNew: true }
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const found = await kube.get(resource, { namespace, name }, callOptions).catch((reason: unknown) => {
        // It went in between: the conflict is what happened, and trying again is right.
        throw isNotFound(reason) ? error : reason
      })
      return { object: found, isNew: false }
    }
  }

  async function createHpa(entry: PoolEntry): Promise<void> {
    const { hpa } = entry.built
    if (hpa.kind !== 'wanted') return
    await attempt(entry, 'hpa', async () => {
      const { object, isNew } = await createOrFind(
        resources.horizontalPodAutoscalers,
        autoscalerName(entry.pool.id),
        hpa.hpa,
      )
      entry.hpa = { object, atMs: now() }
      const what = `HorizontalPodAutoscaler ${autoscalerName(entry.pool.id)}`
      const isRestored = entry.pool.status === poolStatus.running
      if (isNew && isRestored) steps.restored(entry, autoscalerName(entry.pool.id))
      if (isNew) entry.events.push(told(isRestored ? 'Restored' : 'HpaCreated', `${what} was created`))
    })
  }

  async function patchHpa(entry: PoolEntry, fields: readonly string[]): Promise<void> {
    const current = steps.hpaOf(entry)
    const { hpa } = entry.built
    if (hpa.kind !== 'wanted' || current === undefined) return
    const isAsked = entry.pool.status === poolStatus.update
    await attempt(entry, 'hpa', async () => {
      const object = await kube.patch(
        resources.horizontalPodAutoscalers,
        { namespace, name: autoscalerName(entry.pool.id) },
        { type: 'json', operations: [sameUid(current), ...hpaDrift(hpa.hpa, current).operations] },
        callOptions,
      )
      entry.hpa = { object, atMs: now() }
      if (hpaDrift(hpa.hpa, object).fields.length > 0)
        throw new Error(`something on the cluster changes ${autoscalerName(entry.pool.id)} back`)
      if (!isAsked) steps.restored(entry, `${fields.join(', ')} of ${autoscalerName(entry.pool.id)}`)
      const changed = `HorizontalPodAutoscaler ${autoscalerName(entry.pool.id)}: ${fields.join(', ')}`
      entry.events.push(told(isAsked ? 'HpaUpdated' : 'Restored', changed))
    })
  }

  async function createDeployment(entry: PoolEntry): Promise<void> {
    const name = deploymentName(entry.pool.id)
    await attempt(entry, 'deployment', async () => {
      const { object, isNew } = await createOrFind(resources.deployments, name, entry.built.deployment)
      entry.deployment = { object, atMs: now() }
      if (!isNew) return
      entry.madeHere.add(object.metadata?.uid ?? '')
      entry.events.push(
        told('DeploymentCreated', `Deployment ${name} was created with ${object.spec?.replicas ?? 0} replicas`),
      )
    })
  }

  async function restoreDeployment(entry: PoolEntry, fields: readonly string[]): Promise<void> {
    const current = steps.deploymentOf(entry)
    if (current === undefined) return
    const name = deploymentName(entry.pool.id)
    await attempt(entry, 'deployment', async () => {
      const object = await kube.patch(
        resources.deployments,
        { namespace, name },
        { type: 'json', operations: [sameUid(current), ...driftOf(entry, current).operations] },
        callOptions,
      )
      entry.deployment = { object, atMs: now() }
      // Written again and again it would restart the pool's pods each time: it gets the backoff of a refusal.
      const left = driftOf(entry, object).fields
      if (left.length > 0) throw new Error(`something on the cluster changes ${left.join(', ')} of ${name} back`)
      steps.restored(entry, `${fields.join(', ')} of ${name}`)
      entry.events.push(told('Restored', `Deployment ${name}: ${fields.join(', ')} had been changed`))
    })
  }

  async function scaleDeployment(
    entry: PoolEntry,
    { from, to: wanted, victims, leaving }: Extract<PoolAction, { kind: 'scale-deployment' }>,
  ): Promise<void> {
    const current = steps.deploymentOf(entry)
    if (current === undefined) return
    const name = deploymentName(entry.pool.id)
    // A change that was refused at first is under way when it is tried again.
    const isRetry = entry.pool.status === poolStatus.updating && entry.failures.has('deployment')
    const isAsked = entry.pool.status === poolStatus.update || isRetry
    const kept = wanted < from && !entry.pool.scalable ? await pods.chooseVictims(entry, victims, leaving) : 0
    if (kept === undefined) return
    // What is held stays; the next plan knows of it.
    const to = wanted > from ? wanted : Math.min(from, wanted + kept)
    if (to === from) return
    await attempt(entry, 'deployment', async () => {
      const object = await kube.patch(
        resources.deployments,
        { namespace, name },
        { type: 'json', operations: [sameUid(current), { op: 'replace', path: '/spec/replicas', value: to }] },
        callOptions,
      )
      entry.deployment = { object, atMs: now() }
      const reason = !isAsked ? 'Restored' : to > from ? 'ScaledUp' : 'ScaledDown'
      if (!isAsked) steps.restored(entry, `replicas of ${name}`)
      entry.events.push(told(reason, `Deployment ${name} was scaled from ${from} to ${to} replicas`))
    })
  }

  async function deleteObject(
    entry: PoolEntry,
    resource: Resource,
    name: string,
    object: KubeObject | undefined,
    told: PoolEventDraft,
  ): Promise<void> {
    const uid = object?.metadata?.uid
    if (uid === undefined) return
    const isGone = await attempt(entry, 'delete', () =>
      kube
        .delete(
          resource,
          { namespace, name },
          { preconditions: { uid }, propagationPolicy: 'Background', ...callOptions },
        )
        .catch((error: unknown) => {
          // Another object has the name by now: ours is gone.
          if (!isPreconditionFailure(error)) throw error
        }),
    )
    if (!isGone) return
    entry.deleting.add(uid)
    // What no reflector has shown yet may never be shown, when it was made and deleted while a watch was away.
    if (entry.deployment?.object.metadata?.uid === uid) entry.deployment = undefined
    if (entry.hpa?.object.metadata?.uid === uid) entry.hpa = undefined
    entry.events.push(told)
  }

  async function deletePods(entry: PoolEntry, victims: readonly PodView[], reason: DeleteReason): Promise<void> {
    const retired = await pods.deletePods(entry, victims, reason)
    if (reason === 'not wanted') entry.surplus = Math.max(0, entry.surplus - retired)
  }

  return {
    async perform(entry, action) {
      const { id } = entry.pool
      switch (action.kind) {
        case 'create-hpa':
          return createHpa(entry)
        case 'patch-hpa':
          return patchHpa(entry, action.fields)
        case 'delete-hpa':
          return deleteObject(
            entry,
            resources.horizontalPodAutoscalers,
            autoscalerName(id),
            steps.hpaOf(entry),
            told('HpaDeleted', `HorizontalPodAutoscaler ${autoscalerName(id)} was deleted`),
          )
        case 'create-deployment':
          return createDeployment(entry)
        case 'restore-deployment':
          return restoreDeployment(entry, action.fields)
        case 'scale-deployment':
          return scaleDeployment(entry, action)
        case 'delete-deployment':
          return deleteObject(
            entry,
            resources.deployments,
            deploymentName(id),
            steps.deploymentOf(entry),
            told('Deleting', `Deployment ${deploymentName(id)} was deleted; its pods go with it`),
          )
        case 'create-pods':
          if (!action.isReserved) entry.owed = Math.max(0, entry.owed - action.count)
          return maker.make(entry, action.count, action.isReserved)
        case 'delete-pods':
          return deletePods(entry, action.pods, action.reason)
        case 'take-steps':
          return pods.takeSteps(entry, action.limit)
        case 'make-room':
          return pods.makeRoom(entry, action.limit)
        case 'close-pool':
          return pods.closePool(entry)
      }
    },

    async findRemains(entry) {
      const name = deploymentName(entry.pool.id)
      const find = async <T extends KubeObject>(resource: Resource<T>, at: string): Promise<T | undefined> => {
        try {
          const object = await limit(() => kube.get(resource, { namespace, name: at }, callOptions))
          return isOurs(object, entry.pool.uid) && !entry.deleting.has(object.metadata?.uid ?? '') ? object : undefined
        } catch (error) {
          if (isNotFound(error)) return undefined
          throw error
        }
      }
      const deployment = await find(resources.deployments, name)
      if (deployment !== undefined) entry.deployment = { object: deployment, atMs: now() }
      const hpa =
        entry.pool.spec.horizontalPodAutoscalerSpec === ''
          ? undefined
          : await find(resources.horizontalPodAutoscalers, autoscalerName(entry.pool.id))
      if (hpa !== undefined) entry.hpa = { object: hpa, atMs: now() }
      return deployment !== undefined || hpa !== undefined
    },

    idle: maker.idle,
  }
}

const told = (reason: string, message: string): PoolEventDraft => ({ type: 'Normal', reason, message })

/** The operation that makes a JSON patch fail on any other object of the same name. */
const sameUid = (object: KubeObject) => ({ op: 'test', path: '/metadata/uid', value: object.metadata?.uid }) as const

function isPreconditionFailure(error: unknown): boolean {
  return error instanceof KubeError && error.code === 409
}
