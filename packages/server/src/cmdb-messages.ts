/** Languages of the inventory's messages. */
export type CmdbLanguage = 'en' | 'zh-cn'

type Texts = { readonly en: string; readonly zh: string }

/**
 * The texts of the inventory's codes (container API reference 3.2 and 10.8). `%s` takes the arguments in their order; an
 * argument is never translated. Codes that are missing here carry their whole text as their argument.
 */
const texts: Readonly<Record<number, Texts>> = {
  0: { en: 'success', zh: 'success' },
  1101030: { en: 'Having hosts under the target, deleting forbidden', zh: '目标包含主机, 不允许删除' },
  1101032: { en: 'bk-network area does not exist', zh: '管控区域不存在' },
  1101033: { en: 'query business failed', zh: '查询业务失败' },
  1101087: { en: 'you are archiving a business that has hosts', zh: '归档的业务下有主机，禁止归档' },
  1101111: { en: 'forbidden remove built in business', zh: '禁止删除内置业务' },
  1101112: { en: 'forbidden remove unarhived business', zh: '禁止删除未归档业务' },
  1101115: { en: 'forbidden delete built-in business set', zh: '禁止删除内置业务集' },
  1101116: { en: 'forbidden update built-in business set scope', zh: '禁止更新内置业务集资源范围' },
  1101118: { en: 'Create failed, duplicate business set name', zh: '新建失败，业务集名称重复' },
  1101128: {
    en: 'The business contains container resources, archiving is forbidden',
    zh: '该业务含有容器资源，禁止归档',
  },
  1103007: { en: 'Event chain node not exist', zh: '事件节点不存在' },
  1110001: { en: 'Query Host Failed', zh: '查询主机失败' },
  1110004: { en: 'Failed to create host', zh: '创建主机失败' },
  1113002: { en: 'hostID [%s] does not belong of  businessID [%s]', zh: '主机ID[%s]不属于业务ID[%s]' },
  1113043: { en: 'Host has associated container resources', zh: '主机有关联的容器资源' },
  1199000: { en: 'Deserializing JSON data failed', zh: '反序列化JSON数据失败' },
  1199004: { en: 'Data read failed', zh: '数据读取失败' },
  1199006: { en: "'%s' data parameter verification does not pass", zh: "'%s' 数据参数校验不通过" },
  1199010: { en: "'%s' unassigned", zh: "'%s' 未赋值" },
  1199011: { en: "'%s' the parameter is invalid or does not exist", zh: "'%s' 参数无效或不存在" },
  1199014: { en: 'duplicated instances exist, fields [%s] duplicated', zh: '数据唯一性校验失败， %s 重复' },
  1199017: { en: 'Failed to query data', zh: '查询数据失败' },
  1199018: { en: 'New data failed', zh: '新加数据失败' },
  1199019: { en: 'No relevant data found', zh: '未找到相关数据' },
  1199020: { en: 'Failed to update data', zh: '更新数据失败' },
  1199021: { en: 'Failed to delete data', zh: '删除数据失败' },
  1199035: { en: ' %s exceed the limit %s', zh: ' %s 超过限制 %s' },
  1199047: { en: 'Do not have access permission.', zh: '没有访问权限' },
  1199059: {
    en: 'page limit is exceeded. suggestion 200',
    zh: '分页查询数量超过限制的最大值, 建议值200',
  },
  1199089: {
    en: 'the length of array %s is wrong, the length must be in range 1~%s',
    zh: '%s数组长度错误，数组长度必须在1~%s之间',
  },
  1199091: { en: 'at least one of %s and %s must be set', zh: '至少设置[%s]和[%s]中的一个值' },
  1199997: { en: 'too many requests', zh: 'too many requests' },
  1199999: { en: "'%s' Internal Server Error", zh: "'%s' Internal Server Error" },
  9900403: { en: 'no permissions', zh: 'no permissions' },
}

/** The text of a code in a language, with its arguments put in. */
export function cmdbMessage(code: number, language: CmdbLanguage, args: readonly (string | number)[] = []): string {
  const known = texts[code]
  if (known === undefined) return args.map(String).join(' ')
  let next = 0
  return (language === 'en' ? known.en : known.zh).replace(/%s/g, () => String(args[next++] ?? ''))
}

/**
 * The language of an answer: what the request asks for (`X-Bkcmdb-Language`, `HTTP_BLUEKING_LANGUAGE`, the cookie
 * `blueking_language`, in this order), else the installation's. The originals' words are `en`, `zh-cn` and `cn`.
 */
export function cmdbLanguage(header: (name: string) => string | undefined, fallback: CmdbLanguage): CmdbLanguage {
  const asked = header('x-bkcmdb-language') || header('http_blueking_language') || cookieLanguage(header('cookie'))
  if (asked === undefined) return fallback
  if (/^en(-|$)/i.test(asked)) return 'en'
  return /^(zh|cn)(-|_|$)/i.test(asked) ? 'zh-cn' : fallback
}

function cookieLanguage(cookies: string | undefined): string | undefined {
  return /(?:^|;\s*)blueking_language=([^;\s]+)/.exec(cookies ?? '')?.[1]
}
