import { describe, expect, test } from 'vitest'
import { cmdbLanguage, cmdbMessage } from './cmdb-messages.ts'

describe('cmdbMessage', () => {
  test.each([
    [1199010, 'en', ['pod name'], `'pod name' unassigned`],
    [1199010, 'zh-cn', ['pod name'], `'pod name' 未赋值`],
    [1199035, 'en', ['pods', 200], ' pods exceed the limit 200'],
    [1113002, 'zh-cn', [3, 4], '主机ID[3]不属于业务ID[4]'],
    // An argument is text, whatever it looks like.
    [1199006, 'en', ['%s $&'], `'%s $&' data parameter verification does not pass`],
    // Codes without a text carry theirs as argument, untranslated.
    [1199998, 'zh-cn', ['no pods need created'], 'no pods need created'],
  ] as const)('%i %s %j', (code, language, args, message) => expect(cmdbMessage(code, language, args)).toBe(message))
})

describe('cmdbLanguage', () => {
  test.each([
    [{}, 'en', 'en'],
    [{}, 'zh-cn', 'zh-cn'],
    [{ 'x-bkcmdb-language': 'zh-cn', http_blueking_language: 'en' }, 'en', 'zh-cn'],
    [{ 'x-bkcmdb-language': '', http_blueking_language: 'cn' }, 'en', 'zh-cn'],
    [{ cookie: 'x=1; blueking_language=en; y=2' }, 'zh-cn', 'en'],
    [{ cookie: 'not_blueking_language=en' }, 'zh-cn', 'zh-cn'],
    [{ 'x-bkcmdb-language': 'de' }, 'zh-cn', 'zh-cn'],
  ] as const)('%j, else %s: %s', (headers: Record<string, string>, fallback, language) =>
    expect(cmdbLanguage((name) => headers[name], fallback)).toBe(language),
  )
})
