import { expect, test } from 'vitest'
import { parseQuantity, quantityNano } from './quantity.ts'

/** Text, canonical text or the error: printed by apimachinery's own ParseQuantity. */
const table: readonly [text: string, canonical: string | undefined, error?: string][] = [
  ['0', '0'],
  ['00', '0'],
  ['1', '1'],
  ['+1', '+1'],
  ['-1', '-1'],
  ['007', '007'],
  ['1000', '1k'],
  ['1001', '1001'],
  ['1200', '1200'],
  ['1000000', '1M'],
  ['1m', '1m'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['5.', '5.'],
  ['1.5', '1500m'],
  ['0.001', '1m'],
  ['0.0001', '100u'],
  ['0.0000000001', '1n'],
  ['1n', '1n'],
  ['1u', '1u'],
  ['1000n', '1u'],
  ['100u', '100u'],
  ['1k', '1k'],
  ['1000k', '1M'],
  ['1.5k', '1500'],
  ['1M', '1M'],
  ['1G', '1G'],
  ['1T', '1T'],
  ['1P', '1P'],
  ['1E', '1E'],
  ['10E', '10E'],
  ['9E', '9E'],
  ['1Ki', '1Ki'],
  ['1024Ki', '1Mi'],
  ['1.5Ki', '1536'],
  ['0.5Ki', '512'],
  ['0.0001Ki', '102400u'],
  ['1Mi', '1Mi'],
  ['1024Mi', '1Gi'],
  ['1025Mi', '1025Mi'],
  ['1000Mi', '1000Mi'],
  ['0.5Gi', '512Mi'],
  ['1.5Gi', '1536Mi'],
  ['1.1Gi', '1181116006400m'],
  ['100Ti', '100Ti'],
  ['8Ei', '9223372036854775807'],
  ['16Ei', '9223372036854775807'],
  ['1e3', '1e3'],
  ['1E3', '1E3'],
  ['12e6', '12e6'],
  ['1e-3', '1e-3'],
  ['1.5e3', '1500'],
  ['1e2', '100'],
  ['123456789', '123456789'],
  ['123456789123456789', '123456789123456789'],
  ['12345678912345678912', '12345678912345678912'],
  ['-1.5Gi', '-1536Mi'],
  ['-100m', '-100m'],
  ['1i', undefined, "unable to parse quantity's suffix"],
  ['1ki', undefined, "unable to parse quantity's suffix"],
  ['1Kib', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['1 Gi', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  [' 1', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['abc', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['1.2.3', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['--1', undefined, "unable to parse quantity's suffix"],
  ['1e', undefined, "unable to parse quantity's suffix"],
  ['1eE', undefined, "unable to parse quantity's suffix"],
  ['0x1', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['1,5', undefined, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ['1m5', undefined, "unable to parse quantity's suffix"],
  ['1KiKi', undefined, "unable to parse quantity's suffix"],
  ['12E', '12E'],
  ['2048', '2048'],
  ['2048Mi', '2Gi'],
  ['100.000', '100'],
  ['1.0', '1'],
  ['0.10', '100m'],
]

test.each(table)('%j is %j', (text, canonical, error) => {
  const parsed = parseQuantity(text)
  expect(typeof parsed === 'string' ? parsed : parsed.text).toBe(canonical ?? error)
  expect(typeof parsed === 'string').toBe(canonical === undefined)
})

test('amounts compare whatever their units', () => {
  expect(quantityNano('1Gi')).toBe(quantityNano('1024Mi'))
  expect(quantityNano('0.5')).toBe(quantityNano('500m'))
  expect(quantityNano('1e3')).toBe(quantityNano('1k'))
  expect(quantityNano('-1')).toBeLessThan(quantityNano('0'))
  expect(quantityNano(undefined)).toBe(0n)
})
