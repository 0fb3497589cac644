import {
  HostRelations,
  HostRelationsBody,
  InternalModules,
  MoveHostsAcrossBody,
  MoveHostsBody,
  MoveHostsToModulesBody,
} from '@podyard/contract'
import Type from 'typebox'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type InventoryCall, type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import { hostModules } from './host-modules.ts'
import { moveAcross, moveFromPool, moveToModule, moveToModules, moveToPool } from './host-moves.ts'
import { findHostRelations, findInternalModules } from './host-relations.ts'

/** The routes that say where hosts are and move them (container API reference 10.4 to 10.6). */
export function hostMoveOperations(db: Database): readonly InventoryOperation[] {
  const moves = (
    name: string,
    path: string,
    summary: string,
    move: (db: Database, caller: Caller, body: MoveHostsBody) => Promise<null>,
  ) =>
    operation({
      name,
      method: 'POST',
      path,
      esb: true,
      storage: 'update',
      summary,
      body: MoveHostsBody,
      data: Type.Null(),
      handle: (call, body) => move(db, call.caller, body),
    })
  const toModule =
    (module: keyof typeof hostModules) =>
    (...[on, caller, body]: Parameters<typeof moveToPool>) =>
      moveToModule(on, caller, body, hostModules[module])
  return [
    operation({
      name: 'find_host_biz_relations',
      method: 'POST',
      path: '/hosts/modules/read',
      esb: true,
      storage: 'select',
      summary: 'Says which module of which business hosts are in',
      body: HostRelationsBody,
      data: HostRelations,
      handle: (call, body) => findHostRelations(db, call.caller, body),
    }),
    operation({
      name: 'get_biz_internal_module',
      method: 'GET',
      path: '/topo/internal/:bk_supplier_account/:bk_biz_id',
      esb: true,
      storage: 'select',
      summary: 'The idle set of a business with its modules',
      body: Type.Unsafe<unknown>({}),
      data: InternalModules,
      handle: async (call) => findInternalModules(db, call.caller, businessOf(call)),
    }),
    moves('transfer_host_to_idlemodule', '/hosts/modules/idle', 'Moves hosts to the idle module', toModule('idle')),
    moves('transfer_host_to_faultmodule', '/hosts/modules/fault', 'Moves hosts to the fault module', toModule('fault')),
    moves(
      'transfer_host_to_recyclemodule',
      '/hosts/modules/recycle',
      'Moves hosts to the recycle module',
      toModule('recycle'),
    ),
    moves(
      'transfer_host_to_resourcemodule',
      '/hosts/modules/resource',
      'Moves hosts out of a business, into the resource pool',
      moveToPool,
    ),
    moves(
      'transfer_resourcehost_to_idlemodule',
      '/hosts/modules/resource/idle',
      'Moves hosts from the resource pool into a business',
      moveFromPool,
    ),
    operation({
      name: 'transfer_host_across_biz',
      method: 'POST',
      path: '/hosts/modules/across/biz',
      esb: true,
      storage: 'update',
      summary: 'Moves hosts from one business to another',
      body: MoveHostsAcrossBody,
      data: Type.Null(),
      handle: (call, body) => moveAcross(db, call.caller, body),
    }),
    operation({
      name: 'transfer_host_module',
      method: 'POST',
      path: '/hosts/modules',
      esb: true,
      storage: 'update',
      summary: 'Moves hosts to a module of their business',
      body: MoveHostsToModulesBody,
      data: Type.Null(),
      handle: (call, body) => moveToModules(db, call.caller, body),
    }),
  ]
}

function businessOf(call: InventoryCall): number {
  const text = call.params.bk_biz_id ?? ''
  const id = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(id)) throw cmdbErrors.invalid('bk_biz_id')
  return id
}
