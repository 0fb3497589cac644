import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTokenSource } from './token-source.ts'

let directory: string
let tokenFile: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podyard-token-'))
  tokenFile = join(directory, 'token')
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

describe('createTokenSource', () => {
  test('without a file: the token as it is, and nothing to renew', async () => {
    const tokens = createTokenSource({ token: 'fixed' }, () => 0)
    expect(await tokens.current()).toBe('fixed')
    expect(await tokens.renew('fixed')).toBe(false)
    expect(await createTokenSource({}, () => 0).current()).toBeUndefined()
  })

  test('reads the file again after a minute, not before, and keeps the token while the file is away', async () => {
    let now = 1_000_000
    const tokens = createTokenSource({ tokenFile, token: 'from the start' }, () => now)
    await writeFile(tokenFile, ' first\n')
    expect(await tokens.current()).toBe('first')
    await writeFile(tokenFile, 'second')
    now += 59_999
    expect(await tokens.current()).toBe('first')
    now += 1
    expect(await tokens.current()).toBe('second')
    await writeFile(tokenFile, '\n')
    now += 60_000
    expect(await tokens.current()).toBe('second')
    await rm(tokenFile)
    now += 60_000
    expect(await tokens.current()).toBe('second')
  })

  test('a rejected token is looked up at once; another one that is there already is taken', async () => {
    await writeFile(tokenFile, 'first')
    const tokens = createTokenSource({ tokenFile }, () => 0)
    expect(await tokens.current()).toBe('first')
    expect(await tokens.renew('first')).toBe(false)
    await writeFile(tokenFile, 'second')
    expect(await tokens.renew('older')).toBe(true)
    expect(await tokens.current()).toBe('first')
    expect(await tokens.renew('first')).toBe(true)
    expect(await tokens.current()).toBe('second')
  })

  test('a file that was never read is an error each time, never a request without a token', async () => {
    await rm(tokenFile)
    const tokens = createTokenSource({ tokenFile }, () => 0)
    for (let time = 0; time < 2; time += 1) {
      await expect(tokens.current()).rejects.toThrow(`the token file ${tokenFile} cannot be read: ENOENT`)
    }
    expect(await createTokenSource({ tokenFile, token: 'at hand' }, () => 0).current()).toBe('at hand')
  })
})
