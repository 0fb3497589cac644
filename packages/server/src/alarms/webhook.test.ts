import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { retryAfterMs, signMessage } from './webhook.ts'

const secret = `whsec_${Buffer.from('a key of thirty-two bytes or so!').toString('base64')}`
const now = Math.floor(Date.now() / 1000)

test('the reference library takes a signed message, and none that was changed', () => {
  const body = JSON.stringify({ type: 'alarm.raised', data: { text: 'ü "quoted"' } })
  const headers = signMessage(secret, 'msg_1', now, body)
  expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
  expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow('No matching signature')
  expect(() => new Webhook(secret).verify(body, { ...headers, 'webhook-id': 'msg_2' })).toThrow('No matching signature')
  expect(() => new Webhook(`${secret.slice(0, -2)}A=`).verify(body, headers)).toThrow('No matching signature')
  expect(() => new Webhook(secret).verify(body, signMessage(secret, 'msg_1', now - 600, body))).toThrow('too old')
})

test('the example of the specification has its signature', () => {
  const headers = signMessage(
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    1614265330,
    '{"test": 2432232314}',
  )
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('waits are doubled up to ten minutes, and half of each is by chance', () => {
  expect([1, 2, 3, 4].map((attempts) => retryAfterMs(attempts, 0))).toEqual([500, 1_000, 2_000, 4_000])
  expect([1, 2, 10, 11, 500].map((attempts) => retryAfterMs(attempts, 1))).toEqual([
    1_000, 2_000, 512_000, 600_000, 600_000,
  ])
})
