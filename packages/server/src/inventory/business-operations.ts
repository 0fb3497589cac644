import {
  BusinessAttributes,
  BusinessRow,
  BusinessSearchData,
  BusinessStatusBody,
  DeleteBusinessesBody,
  SearchBusinessBody,
} from '@podyard/contract'
import Type from 'typebox'
import { cmdbErrors } from '../errors.ts'
import { type InventoryCall, type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import {
  createBusiness,
  deleteBusinesses,
  searchBusinesses,
  setBusinessStatus,
  updateBusiness,
} from './business-service.ts'
import { businessSetOperations } from './business-set-operations.ts'

/** The routes of businesses and of sets of them (container API reference 10.1, 10.2, 10.7). The components call them `/app`, the API server `/biz`. */
export function businessOperations(db: Database): readonly InventoryOperation[] {
  return [
    operation({
      name: 'create_business',
      method: 'POST',
      path: '/biz/:bk_supplier_account',
      otherPaths: ['/app/:bk_supplier_account'],
      esb: true,
      fromEsb: unwrapRow,
      storage: 'insert',
      summary: 'Creates a business',
      body: BusinessAttributes,
      data: BusinessRow,
      handle: (call, body) => createBusiness(db, call.caller, body),
    }),
    operation({
      name: 'search_business',
      method: 'POST',
      path: '/biz/search/:bk_supplier_account',
      otherPaths: ['/app/search/:bk_supplier_account'],
      esb: true,
      storage: 'select',
      summary: 'Finds businesses',
      body: SearchBusinessBody,
      data: BusinessSearchData,
      handle: (call, body) => searchBusinesses(db, call.caller, body),
    }),
    operation({
      name: 'update_business',
      method: 'PUT',
      path: '/biz/:bk_supplier_account/:bk_biz_id',
      otherPaths: ['/app/:bk_supplier_account/:bk_biz_id'],
      esb: true,
      fromEsb: unwrapRow,
      storage: 'update',
      summary: 'Changes attributes of a business',
      body: BusinessAttributes,
      data: Type.Null(),
      handle: (call, body) => updateBusiness(db, call.caller, businessIdOf(call), body),
    }),
    operation({
      name: 'update_business_enable_status',
      method: 'PUT',
      path: '/biz/status/:flag/:bk_supplier_account/:bk_biz_id',
      otherPaths: ['/app/status/:flag/:bk_supplier_account/:bk_biz_id'],
      esb: true,
      fromEsb: unwrapRow,
      storage: 'update',
      summary: 'Archives a business (`disabled`) or takes it back (`enable`)',
      body: BusinessStatusBody,
      data: Type.Null(),
      handle: (call, body) =>
        setBusinessStatus(db, call.caller, businessIdOf(call), call.params.flag ?? '', body.bk_biz_name),
    }),
    operation({
      name: 'delete_archived_businesses',
      method: 'POST',
      path: '/deletemany/biz',
      otherPaths: ['/deletemany/app'],
      esb: false,
      storage: 'delete',
      summary: 'Deletes archived businesses',
      body: DeleteBusinessesBody,
      data: Type.Null(),
      handle: (call, body) => deleteBusinesses(db, call.caller, body.bk_biz_id ?? []),
    }),
    ...businessSetOperations(db),
  ]
}

/** ESB's clients put the row into `data`; the flat form is taken as well. */
export function unwrapRow(body: Readonly<Record<string, unknown>>): unknown {
  const row = body.data
  return typeof row === 'object' && row !== null && !Array.isArray(row) ? row : body
}

function businessIdOf(call: InventoryCall): number {
  const text = call.params.bk_biz_id ?? ''
  const id = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(id)) throw cmdbErrors.invalid('bk_biz_id')
  return id
}
