import type { StoredObject } from '../store/types.ts'
import { type Pod, type StringMap, viewAs } from '../validation/kube-types.ts'
import { quantityNano } from '../validation/quantity.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { holds } from './node-filter.ts'
import { isFinished } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'

const SOURCE = 'persistentvolume-controller'
const PROTECTED = 'kubernetes.io/pvc-protection'
const VOLUME_PROTECTED = 'kubernetes.io/pv-protection'

type ClaimSpec = {
  readonly accessModes?: readonly string[]
  readonly storageClassName?: string
  readonly volumeName?: string
  readonly resources?: { readonly requests?: StringMap }
}
type Claim = StoredObject & { readonly spec?: ClaimSpec; readonly status?: { readonly phase?: string } }
type VolumeSpec = {
  readonly capacity?: StringMap
  readonly accessModes?: readonly string[]
  readonly storageClassName?: string
  readonly persistentVolumeReclaimPolicy?: string
  readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string }
}
type Volume = StoredObject & { readonly spec?: VolumeSpec; readonly status?: { readonly phase?: string } }

const asClaim = (object: StoredObject) => object as Claim
const asVolume = (object: StoredObject) => object as Volume

/** Binds claims to volumes that suit them, or makes volumes for a storage class; protects what is in use. */
export class VolumeClaimController {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue
  /** Claims that running pods use, by how many. */
  readonly #users = new Map<string, Set<string>>()

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('volume claim', (item) => this.#sync(item))
    context.follow('pods', ({ type, object }) => this.#noteUser(type === 'DELETED', object))
    context.follow('persistentvolumeclaims', ({ type, object }) => {
      if (type === 'DELETED') this.#addAllVolumes()
      else this.#queue.add(`claim ${keyOf(object)}`)
    })
    context.follow('persistentvolumes', ({ type, object }) => {
      if (type !== 'DELETED') this.#queue.add(`volume ${object.metadata.name}`)
      for (const claim of context.store.list('persistentvolumeclaims')) {
        if (asClaim(claim).status?.phase !== 'Bound') this.#queue.add(`claim ${keyOf(claim)}`)
      }
    })
  }

  #addAllVolumes(): void {
    for (const volume of this.#context.store.list('persistentvolumes'))
      this.#queue.add(`volume ${volume.metadata.name}`)
  }

  #noteUser(deleted: boolean, object: StoredObject): void {
    const pod = viewAs<Pod>(object)
    const uses = !deleted && !isFinished(pod)
    for (const { persistentVolumeClaim } of pod.spec.volumes ?? []) {
      if (persistentVolumeClaim === undefined) continue
      const key = `${pod.metadata.namespace ?? ''}/${persistentVolumeClaim.claimName}`
      const users = this.#users.get(key) ?? new Set()
      if (uses) users.add(pod.metadata.uid)
      else users.delete(pod.metadata.uid)
      if (users.size === 0) {
        this.#users.delete(key)
        this.#queue.add(`claim ${key}`)
      } else this.#users.set(key, users)
    }
  }

  #sync(item: string): void {
    const [kind = '', key = ''] = item.split(' ')
    this.#queue.forget(item)
    if (kind === 'volume') this.#syncVolume(key)
    else this.#syncClaim(key)
  }

  #syncClaim(key: string): void {
    const stored = this.#context.store.get('persistentvolumeclaims', parseKey(key))
    if (stored === undefined) return
    const claim = asClaim(stored)
    if (claim.metadata.deletionTimestamp !== undefined) {
      if (this.#users.has(key)) return
      this.#unprotect('persistentvolumeclaims', stored, PROTECTED)
      return
    }
    if (claim.status?.phase === 'Bound') return
    const named = claim.spec?.volumeName
    const volume =
      named === undefined || named === ''
        ? this.#suiting(claim)
        : this.#usable(claim, this.#context.store.get('persistentvolumes', { name: named }))
    if (volume !== undefined) this.#bind(key, claim, volume)
    else if (named === undefined || named === '') this.#provision(key, stored, claim)
  }

  #usable(claim: Claim, found: StoredObject | undefined): Volume | undefined {
    if (found === undefined) return undefined
    const volume = asVolume(found)
    const ref = volume.spec?.claimRef
    if (ref === undefined) return volume
    const same = ref.namespace === claim.metadata.namespace && ref.name === claim.metadata.name
    return same && (ref.uid === undefined || ref.uid === claim.metadata.uid) ? volume : undefined
  }

  /** The smallest free volume of the claim's class that is large enough and offers its access modes. */
  #suiting(claim: Claim): Volume | undefined {
    const request = claim.spec?.resources?.requests?.storage
    const modes = claim.spec?.accessModes ?? []
    const size = (volume: Volume) => quantityNano(volume.spec?.capacity?.storage)
    const suiting: Volume[] = []
    for (const object of this.#context.store.list('persistentvolumes')) {
      const volume = this.#usable(claim, object)
      if (volume === undefined || volume.metadata.deletionTimestamp !== undefined) continue
      if (volume.status?.phase === 'Released' || volume.status?.phase === 'Failed') continue
      if ((volume.spec?.storageClassName ?? '') !== (claim.spec?.storageClassName ?? '')) continue
      if (!holds(volume.spec?.capacity?.storage, request)) continue
      if (modes.every((mode) => (volume.spec?.accessModes ?? []).includes(mode))) suiting.push(volume)
    }
    return suiting.toSorted((a, b) => (size(a) < size(b) ? -1 : size(a) > size(b) ? 1 : 0))[0]
  }

  #bind(key: string, claim: Claim, volume: Volume): void {
    const { store } = this.#context
    const { namespace = '', name, uid, resourceVersion } = claim.metadata
    store.update('persistentvolumes', { name: volume.metadata.name }, (current) => ({
      ...current,
      spec: {
        ...asVolume(current).spec,
        claimRef: { kind: 'PersistentVolumeClaim', namespace, name, uid, apiVersion: 'v1', resourceVersion },
      },
      status: { phase: 'Bound', lastPhaseTransitionTime: this.#context.timestamp() },
    }))
    store.update('persistentvolumeclaims', parseKey(key), (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        annotations: { ...current.metadata.annotations, 'pv.kubernetes.io/bind-completed': 'yes' },
      },
      spec: { ...asClaim(current).spec, volumeName: volume.metadata.name },
      status: { phase: 'Bound', accessModes: volume.spec?.accessModes ?? [], capacity: volume.spec?.capacity ?? {} },
    }))
  }

  /** Every named storage class can make volumes here; without a class a claim waits for a volume. */
  #provision(key: string, stored: StoredObject, claim: Claim): void {
    const storageClass = claim.spec?.storageClassName ?? ''
    if (storageClass === '') {
      const message = 'no persistent volumes available for this claim and no storage class is set'
      this.#context.events.record(stored, { type: 'Normal', reason: 'FailedBinding', message, source: SOURCE })
      return
    }
    const name = `pvc-${claim.metadata.uid}`
    const { store } = this.#context
    const volume =
      store.get('persistentvolumes', { name }) ??
      store.create('persistentvolumes', {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name, finalizers: [VOLUME_PROTECTED] },
        spec: {
          capacity: claim.spec?.resources?.requests ?? {},
          hostPath: { path: `/var/lib/simulated/${name}`, type: '' },
          accessModes: claim.spec?.accessModes ?? [],
          persistentVolumeReclaimPolicy: 'Delete',
          storageClassName: storageClass,
          volumeMode: 'Filesystem',
        },
        status: { phase: 'Pending' },
      })
    this.#bind(key, claim, asVolume(volume))
  }

  #syncVolume(name: string): void {
    const { store } = this.#context
    const stored = store.get('persistentvolumes', { name })
    if (stored === undefined) return
    const volume = asVolume(stored)
    const ref = volume.spec?.claimRef
    const claim =
      ref?.name === undefined
        ? undefined
        : store.get('persistentvolumeclaims', { namespace: ref.namespace, name: ref.name })
    const bound = claim !== undefined && (ref?.uid === undefined || ref.uid === claim.metadata.uid)
    if (volume.metadata.deletionTimestamp !== undefined) {
      if (!bound) this.#unprotect('persistentvolumes', stored, VOLUME_PROTECTED)
      return
    }
    const phase = volume.status?.phase ?? 'Pending'
    if (ref?.uid !== undefined && !bound) {
      if (volume.spec?.persistentVolumeReclaimPolicy === 'Delete') store.remove('persistentvolumes', { name })
      else if (phase !== 'Released') this.#setPhase(name, 'Released')
    } else if (ref === undefined && phase === 'Pending') this.#setPhase(name, 'Available')
  }

  #setPhase(name: string, phase: string): void {
    this.#context.store.update('persistentvolumes', { name }, (current) => ({
      ...current,
      status: { phase, lastPhaseTransitionTime: this.#context.timestamp() },
    }))
  }

  #unprotect(plural: string, object: StoredObject, finalizer: string): void {
    if (!(object.metadata.finalizers ?? []).includes(finalizer)) return
    this.#context.store.update(plural, object.metadata, (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        finalizers: (current.metadata.finalizers ?? []).filter((other) => other !== finalizer),
      },
    }))
  }
}
