/** One field of a protobuf message as it is on the wire. */
export type WireField = {
  readonly number: number
  /** Of a varint or a fixed number. */
  readonly integer: bigint
  /** Of a string, bytes or a message. */
  readonly bytes: Buffer
}

export class ProtobufError extends Error {}

const none = Buffer.alloc(0)

/** The fields of a message, in order. Throws ProtobufError when the bytes are no message. */
export function* readFields(message: Buffer): Generator<WireField> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at]
      if (byte === undefined) throw new ProtobufError('unexpected EOF')
      at += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
    }
    throw new ProtobufError('integer overflow')
  }
  const take = (size: number): Buffer => {
    if (size < 0 || at + size > message.length) throw new ProtobufError('unexpected EOF')
    at += size
    return message.subarray(at - size, at)
  }
  while (at < message.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    switch (tag & 7) {
      case 0:
        yield { number, integer: varint(), bytes: none }
        break
      case 1:
        yield { number, integer: take(8).readBigInt64LE(), bytes: none }
        break
      case 2:
        yield { number, integer: 0n, bytes: take(Number(varint())) }
        break
      case 5:
        yield { number, integer: BigInt(take(4).readInt32LE()), bytes: none }
        break
      default:
        throw new ProtobufError(`illegal wireType ${tag & 7}`)
    }
  }
}
