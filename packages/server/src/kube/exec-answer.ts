import type { ExecApiVersion } from './exec-plugin.ts'
import { KubeConfigError } from './kube-config-error.ts'

/** What an exec plugin gave us. */
export type ExecAnswer = {
  readonly token?: string
  /** PEM, both or neither. */
  readonly certificateData?: string
  readonly keyData?: string
  /** Milliseconds since the epoch; without it the credentials last as long as we do. */
  readonly expiresAtMs?: number
}

/**
 * Reads the ExecCredential that a plugin printed.
 *
 * @param name what messages call the plugin
 * @throws KubeConfigError without anything of the text, which holds the credentials
 */
export function readExecAnswer(text: string, apiVersion: ExecApiVersion, name: string): ExecAnswer {
  const wrong = (what: string) => new KubeConfigError(`getting credentials: exec plugin ${name} ${what}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('did not print an ExecCredential as JSON')
  }
  const credential = membersOf(value)
  if (credential.kind !== 'ExecCredential') throw wrong('did not print an ExecCredential')
  if (credential.apiVersion !== apiVersion) {
    throw wrong(`is configured to use API version ${apiVersion}, but printed another one`)
  }
  if (credential.status === undefined || credential.status === null) throw wrong("didn't return a status field")
  const status = membersOf(credential.status)
  const token = given(status.token)
  const certificateData = given(status.clientCertificateData)
  const keyData = given(status.clientKeyData)
  if (token === undefined && certificateData === undefined && keyData === undefined) {
    throw wrong("didn't return a token or cert/key pair")
  }
  if ((certificateData === undefined) !== (keyData === undefined)) {
    throw wrong('returned only certificate or key, not both')
  }
  // A header with a line break would be refused with the token in the message.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) throw wrong('returned a token that no header can carry')
  return {
    ...(token === undefined ? {} : { token }),
    ...(certificateData === undefined || keyData === undefined ? {} : { certificateData, keyData }),
    ...expiry(status.expirationTimestamp, wrong),
  }
}

function expiry(value: unknown, wrong: (what: string) => KubeConfigError): { readonly expiresAtMs?: number } {
  if (value === undefined || value === null) return {}
  const expiresAtMs = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(expiresAtMs)) throw wrong('returned an expirationTimestamp that is not a time')
  return { expiresAtMs }
}

function given(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
