import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifyServerOptions } from 'fastify'

const factory = AjvCompiler()

/** Bodies are taken as sent: no value changes its type and nothing is removed. Only query strings, path parameters and headers are coerced. */
export const schemaController: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: {
    buildValidator(external: unknown) {
      const options = { removeAdditional: false, useDefaults: false, allErrors: false, strict: false }
      const strict = factory(external as never, { customOptions: { ...options, coerceTypes: false } } as never)
      const lax = factory(external as never, { customOptions: { ...options, coerceTypes: 'array' } } as never)
      return ((route: { httpPart?: string }) => (route.httpPart === 'body' ? strict : lax)(route as never)) as never
    },
  },
}
