import { WatchBody, WatchData } from '@podyard/contract'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import { createWatchService, type WatchDeps } from './watch-service.ts'

/** resource_watch as an operation of the inventory. */
export function watchOperations(deps: WatchDeps): readonly InventoryOperation[] {
  const watch = createWatchService(deps)
  return [
    operation({
      name: 'resource_watch',
      method: 'POST',
      path: '/event/watch/resource/:resource',
      esb: true,
      storage: 'select',
      summary: 'Tells what has happened to the rows of a resource, and waits for what will',
      description:
        'With a cursor it waits up to 20 s for what follows. Take the last cursor of every answer for the next call. Each event comes once, in the order of the changes; containers travel inside their pod’s event.',
      body: WatchBody,
      data: WatchData,
      handle: (call, body) =>
        watch(
          { caller: call.caller, resource: call.params.resource || (body.bk_resource ?? ''), gone: call.gone() },
          body,
        ),
    }),
  ]
}
