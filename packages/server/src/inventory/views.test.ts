import { describe, expect, test } from 'vitest'
import { filterFields } from './fields.ts'
import { columnsOf, viewOf } from './views.ts'

describe('viewOf', () => {
  test('val fields vanish at zero, ptr fields only when nothing was stored', () => {
    const row = {
      id: 3,
      bk_biz_id: 0,
      cluster_uid: '',
      ref_kind: 'job',
      ref_id: 0,
      ref_name: '',
      name: '',
      priority: 0,
      labels: {},
      ips: [],
      ip: null,
      origin: 'client',
    }
    expect(viewOf('pod', row)).toEqual({ id: 3, ref: { kind: 'job' }, name: '', priority: 0, labels: {}, ips: [] })
    expect(viewOf('node', { has_pod: false, unschedulable: null })).toEqual({ has_pod: false })
  })

  test('what is always written is there with its zero when it was not asked for', () => {
    const row = { id: 3, bk_biz_id: 4, bk_supplier_account: '0', name: 'a', create_time: 5 }
    expect(viewOf('cluster', row, new Set(['name']))).toEqual({
      id: 0,
      bk_biz_id: 0,
      bk_supplier_account: '',
      name: 'a',
    })
    expect(viewOf('container', row, new Set(['name', 'nonsense']))).toEqual({ bk_supplier_account: '', name: 'a' })
    expect(viewOf('namespace', row, new Set(['name']))).toEqual({ name: 'a' })
  })

  test('a container’s ref has no name', () =>
    expect(viewOf('container', { ref_kind: 'job', ref_id: 2, ref_name: 'x', bk_supplier_account: '0' })).toEqual({
      bk_supplier_account: '0',
      ref: { kind: 'job', id: 2 },
    }))
})

test('columnsOf spreads ref and leaves out what is not stored', () => {
  expect(columnsOf('pod', new Set(['ref', 'name', 'controlled_by']))).toEqual([
    'ref_kind',
    'ref_name',
    'ref_id',
    'name',
  ])
})

test('filters know cr_kind of custom resources only, and neither has_pod nor a workload’s business', () => {
  const names = (...args: Parameters<typeof filterFields>) => filterFields(...args).map((f) => f.name)
  expect(names('workload', 'customResource')).toContain('cr_kind')
  expect(names('workload', 'job')).not.toContain('cr_kind')
  expect(names('workload', 'job')).not.toContain('bk_biz_id')
  expect(names('node')).not.toContain('has_pod')
  expect(names('pod')).toContain('controlled_by')
})
