/** What the simulator leaves out, and no case could show: part of docs/guide/simulator.md. */
export const limits: readonly string[] = [
  'It runs no containers: pods become Ready after set delays, have no logs, and cannot be entered or reached.',
  'Requests are JSON or protobuf, answers JSON (and tables, for kubectl); it has no YAML parser.',
  'It serves config maps, events, namespaces, nodes, claims, volumes, pods, secrets, service accounts, Deployments, ReplicaSets, autoscalers, leases and runtime classes. Services, DaemonSets, StatefulSets, Jobs, CronJobs, custom resources and everything else are 404.',
  'Admission is that of pods (service account, priority, runtime class, default tolerations) and of terminating namespaces. ResourceQuota, LimitRange, PodSecurity, webhooks and policies are not there.',
  'One bearer token or none; no users, no rights, no audit.',
  'An autoscaler keeps its Deployment within its bounds; there are no metrics to scale by. Disruption budgets do not exist: an eviction always succeeds.',
  'Preemption, volumes with topology, node resources beyond requests, and scheduler profiles are not simulated.',
  'Its controllers write no `managedFields`: an apply never conflicts with them.',
  '`pod-template-hash` is a hash of another form of the template than the real one’s, and so of another value.',
  'Priority and fairness, slow starts, lost nodes, broken connections and expired versions come from faults that a test or an operator injects, not from load.',
]
