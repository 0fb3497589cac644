import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
  type RawServerDefault,
} from 'fastify'
import { v1Errors } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import { childOf, type Metrics } from '../telemetry/metrics.ts'
import type { Access, Caller } from './caller.ts'
import { bodyLimitBytes } from './limits.ts'
import { problemErrorHandler, problemNotFound } from './problem.ts'
import { schemaController } from './validators.ts'

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access check before the handler runs. */
    caller: Caller
  }
  interface FastifyInstance {
    /** Who answers paths that the router refuses (broken percent-encoding), by the path's beginning; else a problem. */
    pathErrorHandlers: Map<string, typeof problemErrorHandler>
  }
  interface FastifyContextConfig {
    /** Probes: no access check, no log line. */
    probe?: boolean
    /** Called thousands of times a second: its line is logged at debug level unless it failed. */
    frequent?: boolean
  }
}

export type ServerOptions = {
  readonly version: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly access: Access
  /** `undefined` when ready; else why not, for `/readyz`. */
  readonly notReadyBecause: () => Promise<string | undefined>
  /** Registers the capabilities' routes. */
  readonly routes: (app: App) => Promise<void>
}

/** The name in the page's head; drawn, so that nothing is fetched. */
const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 40" height="40"><rect x="2" y="8" width="24" height="24" rx="5" fill="#fff"/><rect x="8" y="14" width="12" height="12" rx="3" fill="#1b1b1b"/><text x="36" y="28" font-family="sans-serif" font-size="24" font-weight="600" fill="#fff">Podyard</text></svg>`

/**
 * The HTTP shell: request ids, one log line per request, bodies as bytes (each dialect parses them in its own way), the
 * access check, probes, metrics and the OpenAPI document.
 */
export async function buildServer(options: ServerOptions): Promise<App> {
  const pathErrorHandlers = new Map<string, typeof problemErrorHandler>()
  const app: App = fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    // One line per request is written below; Fastify's own two cost 40 % of the small requests.
    logController: new LogController({ disableRequestLogging: true }),
    // Whoever logs names the request: a logger of its own for each costs 3 % of the small ones.
    childLoggerFactory: (logger) => logger,
    bodyLimit: bodyLimitBytes,
    genReqId: requestIdOf,
    requestIdHeader: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1024, caseSensitive: true },
    schemaController,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    // Paths with broken percent-encoding end up here, before any dialect.
    frameworkErrors: (error, request, reply) => {
      // No hook runs for these.
      reply.header('x-request-id', request.id)
      // The longest beginning that fits: a family may have a part with words of its own.
      const own = [...pathErrorHandlers]
        .sort(([a], [b]) => b.length - a.length)
        .find(([beginning]) => request.url.startsWith(beginning))?.[1]
      return (own ?? problemErrorHandler)(error, request as FastifyRequest, reply as never)
    },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.decorateRequest('caller', null as never)
  app.decorate('pathErrorHandlers', pathErrorHandlers)

  const requests = options.metrics.counter('podyard_http_requests_total', 'HTTP requests answered', [
    'method',
    'route',
    'status',
  ])
  const seconds = options.metrics.histogram('podyard_http_request_duration_seconds', 'Time to answer', [
    'method',
    'route',
  ])

  const answered = childOf((...labels) => requests.labels(...labels))
  const took = childOf((...labels) => seconds.labels(...labels))

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    done()
    if (request.routeOptions.config.probe === true) return
    const { method } = request
    const route = request.routeOptions.url ?? 'unknown'
    answered(method, route, String(reply.statusCode)).inc()
    took(method, route).observe(reply.elapsedTime / 1000)
    const level = request.routeOptions.config.frequent === true && reply.statusCode < 500 ? 'debug' : 'info'
    if (!options.logger.isLevelEnabled(level)) return
    options.logger[level](
      {
        requestId: request.id,
        method: request.method,
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      },
      'request',
    )
  })

  app.setErrorHandler(problemErrorHandler)
  app.setNotFoundHandler(problemNotFound)

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Podyard',
        version: options.version,
        description: 'Keeps Kubernetes pods ready before they are needed, and knows where every one of them is.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
    },
    refResolver: {
      // Components carry the schema's own name.
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `def-${index}`,
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // The plugin's own policy names foreign hosts, and its upgrade-insecure-requests breaks the page wherever TLS ends
    // before us or is not there at all.
    transformStaticCSP: () => docsPolicy,
    uiConfig: { validatorUrl: null } as never,
    logo: { type: 'image/svg+xml', content: Buffer.from(logo), href: '/docs' },
    theme: { title: 'Podyard API' },
  })

  app.get('/healthz', { config: { probe: true }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/plain').send('ok\n'),
  )
  app.get('/readyz', { config: { probe: true }, schema: { hide: true } }, async (_request, reply) => {
    const reason = await options.notReadyBecause()
    return reason === undefined
      ? reply.type('text/plain').send('ok\n')
      : reply.code(503).type('text/plain').send(`not ready: ${reason}\n`)
  })
  app.get('/metrics', { config: { probe: true }, schema: { hide: true } }, async (_request, reply) =>
    reply.type(options.metrics.registry.contentType).send(await options.metrics.registry.metrics()),
  )
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())

  await options.routes(app)
  return app
}

/** Everything of /docs comes from here; the page's icons are data: images in its style sheet. */
const docsPolicy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "script-src-attr 'none'",
].join('; ')

/** Refuses what the access check refuses, in the words of `deny`; dialects add it as a hook after the body is parsed. */
export function checkAccess(
  access: Access,
  request: FastifyRequest,
  deny: (status: 401 | 403, reason: string) => Error,
): void {
  const decision = access.check({
    header: (name) => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    body: request.body,
  })
  if (!decision.allowed) throw deny(decision.status, decision.reason)
  request.caller = decision.caller
}

/** The denial of routes that have no dialect of their own. */
export const denyAsProblem = (status: 401 | 403, reason: string) =>
  status === 401 ? v1Errors.unauthorized(reason) : v1Errors.forbidden(reason)

const requestIdHeaders = ['x-request-id', 'x-bkapi-request-id', 'cc_request_id']

/** The caller's request id when it is a sane one (it goes into logs and answers), else a new one. */
function requestIdOf(request: { readonly headers: IncomingMessage['headers'] }): string {
  for (const name of requestIdHeaders) {
    const value = request.headers[name]
    if (typeof value === 'string' && /^[\w.:/+=@-]{1,128}$/.test(value)) return value
  }
  return randomUUID().replaceAll('-', '')
}
