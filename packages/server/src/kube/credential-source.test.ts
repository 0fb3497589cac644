import { expect, test } from 'vitest'
import { createCredentialSource } from './credential-source.ts'
import type { ExecAnswer } from './exec-answer.ts'
import type { ExecPlugin } from './exec-plugin.ts'

const exec: ExecPlugin = {
  apiVersion: 'client.authentication.k8s.io/v1',
  command: 'plugin',
  args: [],
  environment: {},
  installHint: undefined,
  cluster: undefined,
}

/** A plugin whose runs a test answers, and clocks that stand still until the test moves them. */
function scripted(answers: readonly (ExecAnswer | Error)[]) {
  const clock = { nowMs: 5_000, timeMs: 1_700_000_000_000 }
  let runs = 0
  const source = createCredentialSource(
    { exec },
    {
      nowMs: () => clock.nowMs,
      timeMs: () => clock.timeMs,
      run: async () => {
        const answer = answers[runs]
        runs += 1
        if (answer === undefined) throw new Error(`no answer for run ${runs}`)
        if (answer instanceof Error) throw answer
        return answer
      },
    },
  )
  return {
    source,
    runs: () => runs,
    pass: (ms: number) => {
      clock.nowMs += ms
      clock.timeMs += ms
    },
  }
}

const start = 1_700_000_000_000
const token = async (source: ReturnType<typeof createCredentialSource>) => (await source.current()).token

test('without an end a credential is asked for once, however many ask', async () => {
  const { source, runs, pass } = scripted([{ token: 'one' }])
  expect(await Promise.all([token(source), token(source), token(source)])).toEqual(['one', 'one', 'one'])
  pass(1e12)
  expect(await token(source)).toBe('one')
  expect(runs()).toBe(1)
})

test('one with an end is replaced a minute before it, a short one after nine tenths', async () => {
  const { source, pass } = scripted([
    { token: 'one', expiresAtMs: start + 3_600_000 },
    { token: 'two', expiresAtMs: start + 3_540_000 + 100_000 },
    { token: 'three' },
  ])
  expect(await token(source)).toBe('one')
  pass(3_539_999)
  expect(await token(source)).toBe('one')
  pass(1)
  expect(await token(source)).toBe('two')
  pass(89_999)
  expect(await token(source)).toBe('two')
  pass(1)
  expect(await token(source)).toBe('three')
})

test('a plugin that fails is left alone for a while: the credential lasts till its end', async () => {
  const failure = new Error('failed')
  const { source, pass, runs } = scripted([
    { token: 'one', expiresAtMs: start + 600_000 },
    failure,
    failure,
    failure,
    { token: 'two' },
  ])
  await token(source)
  pass(540_000)
  expect([await token(source), runs()]).toEqual(['one', 2])
  pass(9_999)
  expect([await token(source), runs()]).toEqual(['one', 2])
  pass(1)
  expect([await token(source), runs()]).toEqual(['one', 3])
  pass(50_000)
  await expect(source.current()).rejects.toBe(failure)
  expect(runs()).toBe(4)
  pass(999)
  await expect(source.current()).rejects.toBe(failure)
  expect(runs()).toBe(4)
  pass(1)
  expect([await token(source), runs()]).toEqual(['two', 5])
})

test('a refused credential is replaced at once, once', async () => {
  const { source, runs, pass } = scripted([{ token: 'one' }, { token: 'two' }, { token: 'three' }])
  const first = await source.current()
  expect(await Promise.all([source.renew(first), source.renew(first)])).toEqual([true, expect.any(Boolean)])
  const second = await source.current()
  expect([second.token, runs()]).toEqual(['two', 2])
  // Somebody who was refused with the old one meanwhile finds the new one.
  expect(await source.renew(first)).toBe(true)
  expect(runs()).toBe(2)
  // The new one is refused too: not the plugin's fault, so it is not started for each call.
  expect(await source.renew(second)).toBe(false)
  pass(10_000)
  expect(await source.renew(second)).toBe(true)
  expect(await token(source)).toBe('three')
})

test('a credential that has ended by our clock is used, for the server to judge', async () => {
  const { source } = scripted([
    { token: 'one', expiresAtMs: start - 1 },
    { token: 'two', expiresAtMs: start - 1 },
  ])
  expect(await token(source)).toBe('one')
  expect(await token(source)).toBe('two')
})

test('a token that is written down wins over the plugin', async () => {
  const source = createCredentialSource({ exec, token: 'written' }, { nowMs: () => 0, timeMs: () => 0 })
  const held = await source.current()
  expect(held).toEqual({ token: 'written' })
  expect(await source.current()).toBe(held)
  expect(await source.renew(held)).toBe(false)
})
