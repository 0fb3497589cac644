import type { RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import type { InventoryOperation } from './cmdb-dialect.ts'

/** What every answer of the inventory has (container API reference 3.1). */
const envelope = {
  message: { type: 'string' },
  bk_error_code: { type: 'integer', description: 'the same as `code`' },
  bk_error_msg: { type: 'string', description: 'the same as `message`' },
  permission: { type: ['object', 'null'] },
  request_id: { type: 'string' },
}
const required = ['result', 'code', 'message', 'bk_error_code', 'bk_error_msg', 'permission', 'data', 'request_id']

/** `InventoryError` in the OpenAPI document. */
export const inventoryErrorSchema = {
  $id: 'InventoryError',
  type: 'object',
  description: 'An error of the inventory.',
  required,
  properties: {
    result: { type: 'boolean', const: false },
    code: { type: 'integer', description: '1199000 the body cannot be read, ...; never 0' },
    ...envelope,
    data: {
      type: ['object', 'null'],
      description: 'null; only where hosts are added it says what is wrong with which row',
    },
    details: {
      type: 'array',
      description: 'on errors about items of the request: which ones, at most 20',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

/** The route's part of the OpenAPI document. Bodies are checked by the dialect and answers are text: Fastify does neither. */
export function documented(
  o: InventoryOperation,
): Pick<RouteOptions, 'schema' | 'validatorCompiler' | 'serializerCompiler'> {
  const params = [...o.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)
  return {
    schema: {
      operationId: o.name,
      tags: ['inventory'],
      summary: o.summary,
      ...(o.description === undefined ? {} : { description: o.description }),
      ...(params.length === 0
        ? {}
        : { params: { type: 'object', properties: Object.fromEntries(params.map((p) => [p, { type: 'string' }])) } }),
      ...(o.method === 'GET' ? {} : { body: o.body }),
      response: {
        200: {
          description: 'Done; or an error about what was asked: look at `result` and `code`.',
          anyOf: [successSchema(o.data), { $ref: inventoryErrorSchema.$id }],
        },
        400: error('The path has broken percent-encoding.'),
        401: error('Credentials are required, or are not valid.'),
        403: error('A foreign host name or page, while Podyard runs open.'),
        413: error('The body is over 8 MiB: code 1199004.'),
        415: error('The content type says that the body is no JSON.'),
        503: error('The database cannot be reached.'),
      },
    },
    validatorCompiler: () => () => true,
    serializerCompiler: () => (value) => JSON.stringify(value),
  }
}

const error = (description: string) => ({ $ref: inventoryErrorSchema.$id, description })

const successSchema = (data: TSchema) => ({
  type: 'object',
  required,
  properties: {
    result: { type: 'boolean', const: true },
    code: { type: 'integer', const: 0 },
    ...envelope,
    data,
  },
})
