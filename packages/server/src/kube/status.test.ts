import { describe, expect, test } from 'vitest'
import {
  errorFromAnswer,
  errorFromStatus,
  isAlreadyExists,
  isConflict,
  isExpired,
  isNotFound,
  isTooLargeVersion,
  parseRetryAfter,
} from './status.ts'

describe('errorFromAnswer', () => {
  test('keeps the words of a Status, its reason and its causes', () => {
    const error = errorFromAnswer(
      422,
      JSON.stringify({
        kind: 'Status',
        status: 'Failure',
        message: 'Pod "a" is invalid: spec.containers[0].image: Required value',
        reason: 'Invalid',
        details: {
          causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.containers[0].image' }],
        },
        code: 422,
      }),
      undefined,
    )
    expect(error).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: 'Pod "a" is invalid: spec.containers[0].image: Required value',
      retryAfterSeconds: undefined,
      causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.containers[0].image' }],
    })
  })

  test('tells the HTTP text when there is no Status', () => {
    expect(errorFromAnswer(404, '404 page not found\n', undefined).message).toBe('HTTP 404: 404 page not found')
    expect(errorFromAnswer(502, '', undefined).message).toBe('HTTP 502')
    expect(errorFromAnswer(502, '"text"', 3)).toMatchObject({ reason: '', retryAfterSeconds: 3 })
    expect(errorFromAnswer(500, 'x'.repeat(1000), undefined).message).toHaveLength(210)
  })

  test('survives a Status whose members have other types', () => {
    const odd = { kind: 'Status', message: 7, reason: null, details: { causes: 'no' }, code: '409' }
    expect(errorFromAnswer(409, JSON.stringify(odd), undefined)).toMatchObject({ message: 'HTTP 409', causes: [] })
  })
})

describe('errorFromStatus', () => {
  test('reads the object of an ERROR event', () => {
    const error = errorFromStatus({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })
    expect(isExpired(error)).toBe(true)
    expect(errorFromStatus({ kind: 'Pod' })).toBeUndefined()
    expect(errorFromStatus(undefined)).toBeUndefined()
  })

  test('knows a version that the server has not reached', () => {
    const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
    expect(isTooLargeVersion(errorFromStatus({ kind: 'Status', code: 504, details: { causes } }))).toBe(true)
    expect(isTooLargeVersion(errorFromStatus({ kind: 'Status', code: 504, message: 'slow' }))).toBe(false)
  })
})

test('a conflict and a taken name are both 409 and told apart by reason', () => {
  const conflict = errorFromStatus({ kind: 'Status', code: 409, reason: 'Conflict' })
  const taken = errorFromStatus({ kind: 'Status', code: 409, reason: 'AlreadyExists' })
  const gone = errorFromStatus({ kind: 'Status', code: 404, reason: 'NotFound' })
  expect([conflict, taken, gone].map(isConflict)).toEqual([true, false, false])
  expect([conflict, taken, gone].map(isAlreadyExists)).toEqual([false, true, false])
  expect([conflict, taken, gone].map(isNotFound)).toEqual([false, false, true])
  expect(isNotFound(new Error('404'))).toBe(false)
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(parseRetryAfter('3', now)).toBe(3)
  expect(parseRetryAfter(' 0 ', now)).toBe(0)
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5)
  expect(parseRetryAfter('Wed, 31 Dec 2025 00:00:05 GMT', now)).toBe(0)
  expect(parseRetryAfter('soon', now)).toBeUndefined()
  expect(parseRetryAfter(undefined, now)).toBeUndefined()
})
