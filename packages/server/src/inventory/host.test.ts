import { describe, expect, test } from 'vitest'
import { checkHost, emptyHostValues, mergeHost } from './host.ts'
import { addressList, fullIpv6, isIpv4 } from './host-address.ts'

describe('addresses', () => {
  test.each(['10.1.0.4', '0.0.0.0', '255.255.255.255'])('%s is IPv4', (text) => expect(isIpv4(text)).toBe(true))
  test.each(['10.1.0', '10.1.0.256', '010.1.0.4', '10.1.0.4 ', 'a', ''])('%j is not IPv4', (text) =>
    expect(isIpv4(text)).toBe(false),
  )

  test.each([
    ['::', '0000:0000:0000:0000:0000:0000:0000:0000'],
    ['::1', '0000:0000:0000:0000:0000:0000:0000:0001'],
    ['FE80::A:1', 'fe80:0000:0000:0000:0000:0000:000a:0001'],
    ['1:2:3:4:5:6:7:8', '0001:0002:0003:0004:0005:0006:0007:0008'],
    ['::ffff:10.1.0.4', '0000:0000:0000:0000:0000:ffff:0a01:0004'],
  ])('%s in full is %s', (text, full) => expect(fullIpv6(text)).toBe(full))
  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    'g::',
    '12345::',
    '::256.1.1.1',
  ])('%j is not IPv6', (text) => expect(fullIpv6(text)).toBeUndefined())

  test('a list keeps its order and names each address once', () => {
    expect(addressList('10.0.0.2, 10.0.0.1,10.0.0.2,', 4)).toEqual(['10.0.0.2', '10.0.0.1'])
    expect(addressList('10.0.0.2,x', 4)).toBeUndefined()
  })
})

describe('checkHost', () => {
  const problemOf = (row: Record<string, unknown>) => {
    const checked = checkHost(row)
    return checked.ok ? undefined : checked.problem
  }
  const ip = { bk_host_innerip: '10.0.0.1' }

  test.each([
    [{}, 'bk_host_innerip and bk_host_innerip_v6 are both empty'],
    [{ bk_host_innerip: '' }, 'bk_host_innerip and bk_host_innerip_v6 are both empty'],
    [{ bk_host_innerip: 1 }, 'bk_host_innerip must be a string'],
    [{ bk_host_innerip: '10.0.0' }, 'bk_host_innerip is not an IPv4 address'],
    [{ bk_host_innerip_v6: '10.0.0.1' }, 'bk_host_innerip_v6 is not an IPv6 address'],
    [{ ...ip, bk_cloud_id: -1 }, 'bk_cloud_id must be a whole number from 0 on'],
    [{ ...ip, bk_cloud_id: '0' }, 'bk_cloud_id must be a whole number from 0 on'],
    [{ ...ip, bk_addressing: 'x' }, 'bk_addressing must be one of static, dynamic'],
    [{ ...ip, bk_cpu: 0 }, 'bk_cpu must be a whole number from 1 on'],
    [{ ...ip, bk_os_type: 1 }, 'bk_os_type must be a string'],
    [{ ...ip, bk_host_name: 'x'.repeat(257) }, 'bk_host_name exceeds 256 bytes'],
    [{ ...ip, bk_agent_id: 'a-b' }, 'bk_agent_id must be at most 64 letters and digits'],
    [{ ...ip, bk_cloud_host_identifier: 1 }, 'bk_cloud_host_identifier must be true or false'],
    [{ ...ip, bk_host_id: '1' }, 'bk_host_id must be a whole number from 1 on'],
    [ip, undefined],
    [{ bk_host_id: 1 }, undefined],
    [{ ...ip, colour: {} }, undefined],
  ])('%j: %s', (row, problem) => expect(problemOf(row)).toBe(problem))
})

test('merging keeps what was not given, and null takes away', () => {
  const before = mergeHost(emptyHostValues, { bk_host_name: 'a', operator: ['ann'], attributes: { bk_cpu: 4 } })
  expect(mergeHost(before, { operator: null, attributes: { bk_cpu: null, bk_sn: 's' } })).toEqual({
    ...emptyHostValues,
    bk_host_name: 'a',
    attributes: { import_from: '3', bk_sn: 's' },
  })
})
