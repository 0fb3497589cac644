import Type, { type Static, type TSchema } from 'typebox'

/**
 * Every setting: its type, default and text, once. The flags of `podyard serve`, the environment's names, the file's
 * keys and `podyard config show` come from here.
 *
 * `expects` says what would be right, and stands in errors. `secret` values are never printed; of a `url` only the
 * password is secret, of a `webhook` all but the host. A `path` is taken from the working directory, or from the file's folder when a file gives it.
 */
export const settingsSchema = Type.Object(
  {
    listen: Type.String({
      default: '127.0.0.1:8080',
      description: 'address of the HTTP API; :8080 is every IPv4 address, port 0 any free one',
      form: 'address',
      expects: 'host:port, :port or [IPv6]:port, such as 127.0.0.1:8080',
    }),
    dataDir: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'folder of the embedded database and of what else must survive (default: as root /var/lib/podyard/<hash of the checkout>, else podyard-data in the checkout)',
        form: 'path',
        expects: 'the path of a folder',
      }),
    ),
    databaseUrl: Type.Optional(
      Type.String({
        description: 'PostgreSQL to use in place of the embedded one',
        form: 'url',
        expects: 'postgres://user:password@host:5432/database',
      }),
    ),
    databaseConnections: Type.Integer({
      default: 10,
      // Two are held for good: by the reader of the events, and by whoever listens for changed pools.
      minimum: 4,
      maximum: 500,
      description: 'connections to the database at most',
      expects: 'a whole number from 4 to 500',
    }),
    kubeconfig: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'kubeconfig of the cluster that pools run on, or the word in-cluster; without it a simulated cluster',
        form: 'kubeconfig',
        expects: 'the path of a kubeconfig, or in-cluster',
      }),
    ),
    kubeContext: Type.Optional(
      Type.String({
        minLength: 1,
        description: "context of the kubeconfig (default: the file's current one)",
        expects: 'the name of a context in the kubeconfig',
      }),
    ),
    namespace: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
        description: "namespace that pools run in (default: the context's, else default)",
        expects: 'a namespace name: at most 63 lower-case letters, digits and -',
      }),
    ),
    business: Type.String({
      default: 'demo',
      minLength: 1,
      maxLength: 256,
      description: 'business that the cluster belongs to in the inventory; made when absent',
      expects: 'a name of 1 to 256 characters',
    }),
    sync: Type.Unsafe<'on' | 'off'>({
      type: 'string',
      enum: ['on', 'off'],
      default: 'on',
      description: "whether the cluster's nodes, namespaces, workloads and pods are kept in the inventory",
      expects: 'on or off',
    }),
    adminToken: Type.Optional(
      Type.String({
        pattern: '^[!-~]{8,}$',
        description: 'token that every request must carry (default: none in the quick start, else made at first start)',
        form: 'secret',
        expects: 'at least 8 printable ASCII characters without spaces',
      }),
    ),
    language: Type.Unsafe<'en' | 'zh-cn'>({
      type: 'string',
      enum: ['en', 'zh-cn'],
      default: 'en',
      description: "language of the inventory's messages; a request's own language header wins",
      expects: 'en or zh-cn',
    }),
    logLevel: Type.Unsafe<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'>({
      type: 'string',
      enum: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
      description: 'least level that is logged',
      expects: 'trace, debug, info, warn, error or silent',
    }),
    poolTemplate: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'file of the Deployment that pools are made from (default: the built-in one)',
        form: 'path',
        expects: 'the path of a file',
      }),
    ),
    simulatorListen: Type.String({
      default: '127.0.0.1:0',
      description: 'address of the simulated cluster',
      form: 'address',
      expects: 'host:port, :port or [IPv6]:port, such as 127.0.0.1:6443',
    }),
    simulatorNodes: Type.Integer({
      default: 3,
      minimum: 1,
      maximum: 5000,
      description: 'nodes of the simulated cluster',
      expects: 'a whole number from 1 to 5000',
    }),
    simulatorScheduleMs: delay(20, 'milliseconds until a simulated pod has its node'),
    simulatorPullMs: delay(200, 'milliseconds that a simulated node takes to pull images and start containers'),
    simulatorReadyMs: delay(100, 'milliseconds from running to ready of a simulated pod'),
    simulatorTerminateMs: delay(200, 'milliseconds that a deleted simulated pod takes to go'),
    eventRetentionDays: Type.Integer({
      default: 7,
      minimum: 1,
      maximum: 3650,
      description: 'days that events are kept',
      expects: 'a whole number from 1 to 3650',
    }),
    historyRetentionDays: Type.Integer({
      default: 90,
      minimum: 1,
      maximum: 36500,
      description: 'days that the history of inventory rows is kept',
      expects: 'a whole number from 1 to 36500',
    }),
    instanceRetentionDays: Type.Integer({
      default: 90,
      minimum: 1,
      maximum: 36500,
      description: 'days that ended instances and cleared alarms are kept',
      expects: 'a whole number from 1 to 36500',
    }),
    alarmWebhookUrl: Type.Optional(
      Type.String({
        maxLength: 2000,
        description: 'address that alarms are posted to, signed as Standard Webhooks has it',
        form: 'webhook',
        expects: 'http://host/path or https://host/path',
      }),
    ),
    alarmWebhookSecret: Type.Optional(
      Type.String({
        pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$',
        description: 'key that messages to the alarm webhook are signed with',
        form: 'secret',
        expects: 'whsec_ and 24 to 64 bytes in base64',
      }),
    ),
    alarmWebhookSecretFile: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'file that holds the key, in place of alarm-webhook-secret',
        form: 'path',
        expects: 'the path of a file',
      }),
    ),
    lineLimit: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: 'claims that may wait in the line of one pool',
      expects: 'a whole number from 1 to 1000000',
    }),
    requestRetentionSeconds: Type.Integer({
      default: 86_400,
      minimum: 1,
      maximum: 2_592_000,
      description: 'seconds that the request id of a claim is remembered',
      expects: 'a whole number from 1 to 2592000',
    }),
    tenantAffinity: Type.Unsafe<'on' | 'off'>({
      type: 'string',
      enum: ['on', 'off'],
      default: 'off',
      description: 'whether shared instances of different tenants are kept on different pods',
      expects: 'on or off',
    }),
    tenantReuseWindowSeconds: Type.Integer({
      default: -1,
      minimum: -1,
      maximum: 31_536_000,
      description:
        'seconds that a shared pod waits for its tenant to come back, then it is deleted; -1: anybody may have it, 0: deleted at once',
      expects: 'a whole number from -1 to 31536000',
    }),
    leaseSeconds: Type.Integer({
      default: 15,
      minimum: 3,
      maximum: 600,
      description: 'seconds after which another replica takes over from a controller that has gone silent',
      expects: 'a whole number from 3 to 600',
    }),
  },
  { additionalProperties: false },
)

function delay(milliseconds: number, description: string) {
  return Type.Integer({
    default: milliseconds,
    minimum: 0,
    maximum: 3_600_000,
    description,
    expects: 'a whole number of milliseconds from 0 to 3600000',
  })
}

export type Settings = Readonly<Static<typeof settingsSchema>>

/** How a value is read, shown and completed. */
export type SettingForm = 'text' | 'integer' | 'address' | 'path' | 'kubeconfig' | 'url' | 'webhook' | 'secret'

export type Setting = {
  /** Member of `Settings` and of the config. */
  readonly key: keyof Settings
  /** Flag (`--data-dir`) and key of the file. */
  readonly name: string
  /** Variable of the environment. */
  readonly variable: string
  readonly schema: TSchema
  readonly form: SettingForm
  readonly default: string | number | undefined
  readonly description: string
  readonly expects: string
}

export const settings: readonly Setting[] = Object.entries(settingsSchema.properties).map(([key, schema]) => {
  const about = schema as unknown as {
    readonly type: string
    readonly form?: SettingForm
    readonly default?: string | number
    readonly description: string
    readonly expects: string
  }
  const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return {
    key: key as keyof Settings,
    name,
    variable: `PODYARD_${name.replaceAll('-', '_').toUpperCase()}`,
    schema,
    form: about.form ?? (about.type === 'integer' ? 'integer' : 'text'),
    default: about.default,
    description: about.description,
    expects: about.expects,
  }
})
