import { wantedReplicas } from './plan-pods.ts'
import type { DeploymentView, PoolAction, PoolDesired, PoolMemory, PoolObserved } from './plan-types.ts'
import { countReady, normal, waits, warning, write } from './plan-write.ts'
import { type PoolEventDraft, type PoolStatus, pendingThresholdSeconds, poolStatus } from './pool.ts'

/** Where the pool stands: status, word, notes, ready pods, and the lines of its story that follow from them. */
export function settle(
  desired: PoolDesired,
  observed: PoolObserved,
  deployment: DeploymentView,
  now: number,
): PoolAction[] {
  const size = desired.draining ? 0 : desired.spec.size
  const ready = countReady(observed)
  const isAutoscaled = observed.hpaWanted.kind === 'wanted'
  const goal = isAutoscaled ? Math.min(size, deployment.replicas) : size
  // Pods that a refused change would have taken away are no sign that it was made.
  const replicas = wantedReplicas(desired, observed)
  const isScaled = isAutoscaled || desired.scalable || deployment.replicas === replicas
  const status = nextStatus(desired.status, ready >= goal && isScaled)
  const before: PoolMemory = desired.observed
  const thresholdSeconds = pendingThresholdSeconds(desired.spec)

  const belowSince = ready >= goal ? undefined : (before.belowSince ?? new Date(now).toISOString())
  const saysAt = belowSince === undefined ? Infinity : Date.parse(belowSince) + thresholdSeconds * 1000
  const isDegraded = now >= saysAt
  const isMissed = ready < goal && (status !== poolStatus.running || isDegraded)
  // Whoever waits in line is told why.
  const troubles = isMissed || (observed.waiting ?? 0) > 0 ? troublesOf(observed) : []
  const degraded = isDegraded ? [`${ready} of ${goal} pods ready for more than ${thresholdSeconds} s`] : []
  const { failures } = observed
  const refusals = [failures.deployment, failures.hpa, failures.restore].flatMap((f) => (f?.message ? [f.message] : []))

  const events: PoolEventDraft[] = []
  if (before.deploymentUid !== deployment.uid && !deployment.isMadeHere)
    events.push(normal('Adopted', `Deployment function-agent-${desired.id} carries this pool's uid and is taken over`))
  if (desired.status === poolStatus.new || desired.status === poolStatus.update)
    events.push(
      ...observed.fieldNotes
        .filter((note) => !desired.notes.includes(note))
        .map((note) => warning('FieldIgnored', note)),
    )
  events.push(...troubles.filter((t) => !desired.notes.includes(t)).map((t) => warning('PodsNotStarting', t)))
  if (isDegraded && before.isDegraded !== true) events.push(warning('Degraded', degraded.join()))
  if (!isDegraded && before.isDegraded === true) events.push(normal('Recovered', `${ready} of ${goal} pods ready`))
  if (status === poolStatus.running && desired.status !== poolStatus.running)
    events.push(normal('Running', `${ready} of ${goal} pods ready`))

  return [
    ...write(desired, {
      status,
      word: words[status],
      notes: [...drainNotes(desired, observed), ...observed.fieldNotes, ...degraded, ...troubles, ...refusals],
      readyCount: ready,
      observed: {
        deploymentUid: deployment.uid,
        ...(belowSince === undefined ? {} : { belowSince }),
        ...(isDegraded ? { isDegraded } : {}),
      },
      events,
    }),
    ...waits(now, ...Object.values(observed.failures), isDegraded ? undefined : { retryAt: saysAt }),
  ]
}

function drainNotes(desired: PoolDesired, observed: PoolObserved): string[] {
  if (!desired.draining) return []
  const held = observed.pods.filter((pod) => pod.isBusy && !pod.isDeleting).length + (observed.detached ?? 0)
  const kept = held === 0 ? '' : `, ${held} ${held === 1 ? 'pod is' : 'pods are'} held`
  return [`draining: nothing new is handed out${kept}`]
}

export const words = { 1: 'Creating', 3: 'Updating', 4: 'Running' } as const

function nextStatus(status: PoolStatus, isEnough: boolean): keyof typeof words {
  if (isEnough || status === poolStatus.running) return poolStatus.running
  return status === poolStatus.new || status === poolStatus.creating ? poolStatus.creating : poolStatus.updating
}

/** As many different reasons are said. */
const maxTroubles = 3

/** Why pods do not start: what most of them say first. */
function troublesOf(observed: PoolObserved): string[] {
  const counts = new Map<string, number>()
  const add = (text: string | undefined) => {
    if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  for (const pod of observed.pods) add(pod.trouble)
  add(observed.deployment?.trouble)
  add(observed.failures.pods?.message)
  add(observed.failures.start?.message)
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, maxTroubles)
    .map(([text]) => text)
}
