import { isDeepStrictEqual } from 'node:util'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Database, type Transaction, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { holdBusiness } from './business-store.ts'
import {
  checkHost,
  checkHostValues,
  emptyHostValues,
  type HostInput,
  type HostRow,
  type HostValues,
  hostView,
  mergeHost,
} from './host.ts'
import {
  areHostsInUse,
  deleteHostRows,
  drawHostIds,
  type HostAddress,
  insertHosts,
  lockHosts,
  type NewHost,
  updateHostRows,
} from './host-store.ts'
import { type InstanceEvent, insertInstanceEvents } from './instance-log.ts'
import { isWritable } from './list-tenant.ts'

type Members = Readonly<Record<string, unknown>>

/** What is wrong with a row of an import: its place in `rows`, and why. */
export type HostProblem = {
  readonly index: number
  readonly problem: string
  /** The value that another host has, as ` bk_agent_id: "a" `, where that is the problem. */
  readonly taken?: string
}

export type AddHostsResult =
  /** The host of each row, in their order: made, or found by its address. */
  | { readonly kind: 'added'; readonly ids: readonly number[] }
  | { readonly kind: 'refused'; readonly problems: readonly HostProblem[] }
  | { readonly kind: 'unknown-business' }

/**
 * Adds hosts to a business, or to the resource pool (0): all of them or none (container API reference 10.3). A row whose
 * address is known (same area, static) updates that host where it is, so a repeated call changes nothing; so does a row
 * with `bk_host_id`. The quick start and sync make their hosts through this. `onlyNew`: a known address is refused instead.
 */
export async function addHosts(
  db: Database,
  caller: Caller,
  business: number,
  rows: readonly Members[],
  { onlyNew = false }: { readonly onlyNew?: boolean } = {},
): Promise<AddHostsResult> {
  const checked = rows.map(checkHost)
  const problems = checked.flatMap((one, index) => (one.ok ? [] : [{ index, problem: one.problem }]))
  const inputs = checked.flatMap((one) => (one.ok ? [one.input] : []))
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(db, async (tx): Promise<AddHostsResult> => {
        if (business !== 0 && !(await holdBusiness(tx, business))) return { kind: 'unknown-business' }
        if (problems.length > 0) return { kind: 'refused', problems }
        return storeHosts(tx, caller, business, inputs, onlyNew)
      })
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error
      // Somebody else added one of the addresses meanwhile: the next look finds that host.
      if (error.constraint === 'host_address_pkey' && attempt < 3) continue
      if (error.constraint !== 'host_agent_key') throw error
      const { detail } = error
      const index = inputs.findIndex((input) => detail.includes(`(${input.values.bk_agent_id})`))
      const taken = `bk_agent_id: ${JSON.stringify(inputs[index]?.values.bk_agent_id ?? '')}`
      return { kind: 'refused', problems: [{ index: Math.max(index, 0), problem: 'bk_agent_id is taken', taken }] }
    }
  }
}

/** A host of the call: what it is now, and whether it must be written. */
type Draft = {
  readonly existing: HostRow | undefined
  readonly input: HostInput
  values: HostValues
  id: number
}

async function storeHosts(
  tx: Transaction,
  caller: Caller,
  business: number,
  inputs: readonly HostInput[],
  onlyNew: boolean,
): Promise<AddHostsResult> {
  const existing = await lockHosts(
    tx,
    inputs.flatMap((input) => (input.hostId === undefined ? [] : [input.hostId])),
    inputs.flatMap(staticAddresses),
  )
  const plan = planHosts(inputs, existing, caller, onlyNew)
  if (plan.problems.length > 0) return { kind: 'refused', problems: plan.problems }

  const added = plan.drafts.filter((draft) => draft.existing === undefined)
  const first = await drawHostIds(tx, added.length)
  added.forEach((draft, index) => {
    draft.id = first + index
  })
  const changed = plan.drafts.filter(
    (draft) => draft.existing !== undefined && !isDeepStrictEqual(draft.values, valuesOf(draft.existing)),
  )
  const events: InstanceEvent[] = []
  if (added.length > 0) {
    const rows = await insertHosts(tx, added.map(newHost), business, caller.tenant, caller.user)
    events.push(...rows.map((row) => hostEvent('create', row)))
  }
  if (changed.length > 0) {
    const rows = await updateHostRows(
      tx,
      changed.map((draft) => ({ id: draft.id, ...draft.values })),
      caller.user,
    )
    events.push(...rows.map((row) => hostEvent('update', row)))
  }
  await insertInstanceEvents(tx, events)
  return { kind: 'added', ids: plan.rows.map((draft) => draft.id) }
}

/** Goes through the rows in order: each is a host of its own, or more about one that is stored or came before. */
function planHosts(
  inputs: readonly HostInput[],
  existing: readonly HostRow[],
  caller: Caller,
  onlyNew: boolean,
): { readonly drafts: readonly Draft[]; readonly rows: readonly Draft[]; readonly problems: readonly HostProblem[] } {
  const byId = new Map<number, Draft>()
  const byAddress = new Map<string, Draft>()
  const drafts: Draft[] = []
  const rows: Draft[] = []
  const problems: HostProblem[] = []
  for (const row of existing) {
    const input: HostInput = {
      hostId: row.id,
      cloudId: row.bk_cloud_id,
      addressing: row.bk_addressing,
      innerIps: row.bk_host_innerip,
      innerIpsV6: row.bk_host_innerip_v6,
      values: {},
    }
    const draft: Draft = { existing: row, input, values: valuesOf(row), id: row.id }
    drafts.push(draft)
    byId.set(row.id, draft)
    for (const address of staticAddresses(input)) byAddress.set(keyOf(address), draft)
  }
  for (const [index, input] of inputs.entries()) {
    const keys = staticAddresses(input).map(keyOf)
    const found = new Set(keys.flatMap((key) => byAddress.get(key) ?? []))
    const draft = input.hostId === undefined ? [...found][0] : byId.get(input.hostId)
    if (found.size > 1) problems.push({ index, problem: 'its addresses belong to different hosts' })
    else if (input.hostId !== undefined && draft === undefined)
      problems.push({ index, problem: `bk_host_id ${input.hostId} does not exist` })
    else if (onlyNew && draft !== undefined)
      problems.push({ index, problem: 'its address is taken', taken: addressesOf(input) })
    else if (draft?.existing !== undefined && !isWritable(draft.existing.bk_supplier_account, caller))
      problems.push({ index, problem: 'its address is taken' })
    else if (draft !== undefined) {
      draft.values = mergeHost(draft.values, input.values)
      rows.push(draft)
    } else {
      const added: Draft = { existing: undefined, input, values: mergeHost(emptyHostValues, input.values), id: 0 }
      drafts.push(added)
      rows.push(added)
      for (const key of keys) byAddress.set(key, added)
    }
  }
  return { drafts, rows, problems }
}

function staticAddresses(input: HostInput): HostAddress[] {
  if (input.addressing !== 'static') return []
  return [...input.innerIps, ...input.innerIpsV6].map((address) => ({ cloudId: input.cloudId, address }))
}
const addressesOf = (input: HostInput) =>
  `bk_host_innerip: ${JSON.stringify([...input.innerIps, ...input.innerIpsV6].join(','))}, bk_cloud_id: ${input.cloudId}`
const keyOf = (one: HostAddress) => `${one.cloudId} ${one.address}`

const newHost = (draft: Draft): NewHost => ({
  id: draft.id,
  bk_cloud_id: draft.input.cloudId,
  bk_addressing: draft.input.addressing,
  bk_host_innerip: draft.input.innerIps,
  bk_host_innerip_v6: draft.input.innerIpsV6,
  ...draft.values,
})

const valuesOf = (row: HostRow): HostValues => mergeHost(row, {})

/** Changes attributes of hosts; unknown ids are ignored. 1199011 for a bad value, 1199014 for an agent's id that is taken. */
export async function updateHosts(db: Database, caller: Caller, ids: readonly number[], row: Members): Promise<void> {
  const checked = checkHostValues(row)
  if (!checked.ok) throw cmdbErrors.invalid(checked.problem)
  try {
    await inTransaction(db, async (tx) => {
      const hosts = (await lockHosts(tx, ids)).filter((host) => isWritable(host.bk_supplier_account, caller))
      if (hosts.length === 0) return
      const rows = await updateHostRows(
        tx,
        hosts.map((host) => ({ id: host.id, ...mergeHost(host, checked.values) })),
        caller.user,
      )
      await insertInstanceEvents(
        tx,
        rows.map((host) => hostEvent('update', host)),
      )
    })
  } catch (error) {
    if (error instanceof UniqueViolation && error.constraint === 'host_agent_key')
      throw cmdbErrors.duplicate(` bk_agent_id: ${JSON.stringify(checked.values.bk_agent_id ?? '')} `, [], error)
    throw error
  }
}

/**
 * Deletes hosts of the resource pool (1113002 for others), all or none; 1113043 for one that a pod still points at.
 * Unknown ids are ignored.
 */
export async function deleteHosts(db: Database, caller: Caller, ids: readonly number[]): Promise<void> {
  await inTransaction(db, async (tx) => {
    const hosts = (await lockHosts(tx, ids)).filter((host) => isWritable(host.bk_supplier_account, caller))
    const known = hosts.map((host) => host.id)
    const elsewhere = hosts.filter((host) => host.bk_biz_id !== 0).map((host) => host.id)
    if (elsewhere.length > 0) throw cmdbErrors.other(1113002, [elsewhere.slice(0, 20).join(','), 0])
    if (await areHostsInUse(tx, known)) throw cmdbErrors.other(1113043)
    await deleteHostRows(tx, known)
    await insertInstanceEvents(
      tx,
      hosts.map((host) => hostEvent('delete', host)),
    )
  })
}

/** One row of the event log about a host. */
export const hostEvent = (type: InstanceEvent['type'], row: HostRow): InstanceEvent => ({
  resource: 'host',
  type,
  object_id: row.id,
  biz_id: row.bk_biz_id,
  tenant: row.bk_supplier_account,
  detail: hostView(row),
})
