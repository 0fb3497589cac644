import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCreateBody } from './pool-body.ts'
import { applyPatch, atoi, isEnvironmentName, isLabelKey, validatePool } from './pool-validation.ts'

const resources = { requests: {}, limits: {} }
const validate = (pool: object) => {
  const [draft] = readCreateBody({ pools: [pool] })
  if (draft === undefined) throw new Error('no pool')
  return validatePool(draft)
}

describe('ids and groups', () => {
  test.each(['a', '0', 'a-b', 'a--b', '1a', 'a'.repeat(40)])('id %s', (id) => {
    expect(validate({ id, resources }).ok).toBe(true)
  })
  test.each(['', '-', '-a', 'a-', 'A', 'a_b', 'a.b', 'ä', 'a\n', ' a', 'a'.repeat(41)])('not an id: %j', (id) => {
    expect(validate({ id, resources }).ok).toBe(false)
  })
  test.each(['', 'A', 'rg1', 'R-g', 'G'.repeat(40)])('group %s', (group) => {
    expect(validate({ id: 'a', group, resources })).toMatchObject({
      ok: true,
      value: { spec: { group: group || 'default' } },
    })
  })
  test.each(['-', 'a-', '-A', 'a_b', 'G'.repeat(41), 'a\n'])('not a group: %j', (group) => {
    expect(validate({ id: 'a', group, resources }).ok).toBe(false)
  })
})

describe('names of labels and variables', () => {
  test.each(['a', 'A.b_c-d', 'yr-idle-to-recycle', 'x'.repeat(63), 'example.com/a', `${'a'.repeat(253)}/b`])(
    'label %s',
    (key) => {
      expect(isLabelKey(key)).toBe(true)
    },
  )
  test.each([
    '',
    '-a',
    'a-',
    '_a',
    'a b',
    'ä',
    'x'.repeat(64),
    '/a',
    'a/',
    'A.com/a',
    'a..b/c',
    'a/b/c',
    'a\n',
    `${'a'.repeat(254)}/b`,
  ])('not a label: %j', (key) => {
    expect(isLabelKey(key)).toBe(false)
  })
  test.each(['A', '_a', '-a', '.a', 'a.b-c_1', '__proto__'])('variable %s', (name) => {
    expect(isEnvironmentName(name)).toBe(true)
  })
  test.each(['', '1a', 'a b', 'a=b', '.', '..', '..a', 'ä', 'a\n'])('not a variable: %j', (name) => {
    expect(isEnvironmentName(name)).toBe(false)
  })
})

describe('sizes', () => {
  const sizes = fc.record({
    size: fc.integer({ min: -2, max: 9 }),
    max_size: fc.option(fc.integer({ min: -2, max: 9 })),
  })

  test('a pool that is accepted has 0 <= size <= maxSize, and is scalable exactly when a greater maximum was asked for', () => {
    fc.assert(
      fc.property(sizes, (sent) => {
        const verdict = validate({ id: 'a', resources, ...sent })
        const max = sent.max_size ?? 0
        const effective = sent.size !== 0 && max === 0 ? sent.size : max
        expect(verdict.ok).toBe(sent.size >= 0 && effective >= sent.size)
        if (verdict.ok) expect(verdict.value.spec).toMatchObject({ size: sent.size, maxSize: effective })
      }),
    )
  })

  test('an update that is accepted keeps 0 <= size <= maxSize, and a fixed pool fixed', () => {
    const amount = fc.integer({ min: 0, max: 9 })
    fc.assert(
      fc.property(amount, amount, amount, fc.boolean(), fc.boolean(), (size, more, asked, scalable, own) => {
        const created = validate({ id: 'a', resources, size, max_size: scalable ? size + more + 1 : size })
        if (!created.ok) throw new Error(created.reason)
        const pool = { spec: created.value.spec, scalable, draining: false }
        const patch = { sizes: own ? undefined : { size: asked, maxSize: more }, horizontalPodAutoscalerSpec: '' }
        const verdict = applyPatch(pool, patch)
        if (!verdict.ok) {
          expect(scalable && !own).toBe(true)
          return
        }
        expect(verdict.value.maxSize).toBeGreaterThanOrEqual(verdict.value.size)
        if (own) expect(verdict.value).toMatchObject({ size: pool.spec.size, maxSize: pool.spec.maxSize })
        else expect(verdict.value.size).toBe(asked)
        if (!scalable) expect(verdict.value.maxSize).toBe(verdict.value.size)
      }),
    )
  })
})

describe('atoi', () => {
  test('every integer of 64 bits, however it is written', () => {
    const written = fc.tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(5), fc.boolean())
    fc.assert(
      fc.property(written, ([value, zeros, plus]) => {
        const sign = value < 0n ? '-' : plus ? '+' : ''
        const digits = String(value < 0n ? -value : value)
        expect(atoi(`${sign}${'0'.repeat(zeros)}${digits}`)).toEqual({ ok: true, value })
      }),
    )
  })
  test('beyond 64 bits is out of range', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 63n, max: 2n ** 80n }), (value) => {
        expect(atoi(String(value))).toMatchObject({ ok: false, reason: expect.stringMatching(/value out of range$/) })
        expect(atoi(String(-value - 1n))).toMatchObject({
          ok: false,
          reason: expect.stringMatching(/value out of range$/),
        })
      }),
    )
  })
})
