import {
  BusinessSetListData,
  ContainersInBusinessSet,
  ContainersInBusinessSetBody,
  CreateBusinessSetBody,
  DeleteBusinessSetsBody,
  ListBusinessesInSetBody,
  ListBusinessSetsBody,
  UpdateBusinessSetsBody,
} from '@podyard/contract'
import Type from 'typebox'
import { cmdbErrors } from '../errors.ts'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import { listBusinessesInSet, listBusinessSets } from './business-set-lists.ts'
import { createBusinessSet, deleteBusinessSets, updateBusinessSets } from './business-set-service.ts'
import { listContainersInBusinessSet } from './container-business-set.ts'

/** The routes of business sets (container API reference 10.7), and of the containers in one (2.4). */
export function businessSetOperations(db: Database): readonly InventoryOperation[] {
  return [
    operation({
      name: 'create_business_set',
      method: 'POST',
      path: '/create/biz_set',
      esb: true,
      storage: 'insert',
      summary: 'Creates a business set',
      body: CreateBusinessSetBody,
      data: Type.Integer({ description: 'its id' }),
      handle: (call, body) => createBusinessSet(db, call.caller, body),
    }),
    operation({
      name: 'list_business_set',
      method: 'POST',
      path: '/findmany/biz_set',
      esb: true,
      storage: 'select',
      summary: 'Lists business sets',
      body: ListBusinessSetsBody,
      data: BusinessSetListData,
      handle: (call, body) => listBusinessSets(db, call.caller, body),
    }),
    operation({
      name: 'list_business_in_business_set',
      method: 'POST',
      path: '/find/biz_set/biz_list',
      esb: true,
      storage: 'select',
      summary: 'Lists the businesses in a set',
      body: ListBusinessesInSetBody,
      data: BusinessSetListData,
      handle: (call, body) => listBusinessesInSet(db, call.caller, body),
    }),
    operation({
      name: 'batch_update_business_set',
      method: 'PUT',
      path: '/updatemany/biz_set',
      esb: true,
      storage: 'update',
      summary: 'Changes business sets; name and scope of one only',
      body: UpdateBusinessSetsBody,
      data: Type.Null(),
      handle: (call, body) => updateBusinessSets(db, call.caller, body),
    }),
    operation({
      name: 'batch_delete_business_set',
      method: 'POST',
      path: '/deletemany/biz_set',
      esb: true,
      storage: 'delete',
      summary: 'Deletes business sets, 100 at most',
      body: DeleteBusinessSetsBody,
      data: Type.Null(),
      handle: (call, body) => deleteBusinessSets(db, call.caller, body),
    }),
    operation({
      name: 'list_kube_container_in_biz_set',
      method: 'POST',
      path: '/findmany/biz_set/:bk_biz_set_id/kube/containers',
      esb: false,
      storage: 'select',
      summary: 'Containers of the businesses in a set, with their pods and hosts',
      body: ContainersInBusinessSetBody,
      data: ContainersInBusinessSet,
      handle(call, body) {
        const text = call.params.bk_biz_set_id ?? ''
        const id = Number(text)
        if (!/^\d+$/.test(text) || !Number.isSafeInteger(id)) throw cmdbErrors.mismatch('bk_biz_set_id')
        return listContainersInBusinessSet(db, call.caller, id, body)
      },
    }),
  ]
}
