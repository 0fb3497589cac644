/**
 * The one set and the three modules that every business has (container API reference 10.6). Nothing stores them: their
 * ids follow from the business's, and a host says which module it is in. The resource pool is business 0, its set and its
 * module have the id 0.
 */

export type HostModule = 1 | 2 | 3
export const hostModules = { idle: 1, fault: 2, recycle: 3 } as const satisfies Record<string, HostModule>

export const idleSetName = '空闲机池'
const moduleNames: Readonly<Record<HostModule, string>> = { 1: '空闲机', 2: '故障机', 3: '待回收' }
export const moduleName = (module: HostModule): string => moduleNames[module]

/** Set and business share their id. */
export const setIdOf = (business: number): number => business
export const moduleIdOf = (business: number, module: HostModule): number =>
  business === 0 ? 0 : business * 3 - 3 + module

/** The module with this id, if the business has it. */
export function moduleOf(business: number, id: number): HostModule | undefined {
  if (business === 0) return undefined
  return ([1, 2, 3] as const).find((module) => moduleIdOf(business, module) === id)
}

/** The same as SQL over the host's row `h`. */
export const moduleIdSql = `case h.bk_biz_id when 0 then 0 else h.bk_biz_id * 3 - 3 + h.module end`
export const moduleNameSql = `case h.module when 1 then '${moduleNames[1]}' when 2 then '${moduleNames[2]}' else '${moduleNames[3]}' end`

/** get_biz_internal_module's answer. */
export function internalModules(business: number): object {
  return {
    bk_set_id: setIdOf(business),
    bk_set_name: idleSetName,
    module: ([1, 2, 3] as const).map((module) => ({
      bk_module_id: moduleIdOf(business, module),
      bk_module_name: moduleNames[module],
      default: module,
      host_apply_enabled: false,
    })),
  }
}

/** For a business that nobody knows. */
export const noModules = { bk_set_id: 0, bk_set_name: '', module: null }
