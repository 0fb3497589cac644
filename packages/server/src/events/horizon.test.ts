import fc from 'fast-check'
import { expect, test } from 'vitest'
import { advance, type Horizon } from './horizon.ts'

const at = (position: number, marks: Horizon['marks'] = []): Horizon => ({ position, marks })

test('goes on over numbers without a gap', () => {
  expect(advance(at(5), { xmin: 10, nextXid: 20, seqs: [6, 7, 8] })).toEqual(at(8))
})

test('stands at a missing number, and goes on when it appears', () => {
  const standing = advance(at(5), { xmin: 10, nextXid: 20, seqs: [6, 8] })
  expect(standing).toEqual(at(6, [{ through: 8, until: 20 }]))
  expect(advance(standing, { xmin: 10, nextXid: 20, seqs: [7, 8] })).toEqual(at(8))
})

test('goes on over a number that was rolled back once every transaction of that time has ended', () => {
  const standing = advance(at(5), { xmin: 10, nextXid: 20, seqs: [8] })
  const later = advance(standing, { xmin: 19, nextXid: 30, seqs: [8, 9, 12] })
  expect(later.position).toBe(5)
  expect(advance(later, { xmin: 20, nextXid: 31, seqs: [8, 9, 12] })).toEqual(at(9, [{ through: 12, until: 30 }]))
})

test('passes a gap at first sight when nobody is writing', () => {
  expect(advance(at(5), { xmin: 20, nextXid: 20, seqs: [8, 11] })).toEqual(at(11))
})

test('nothing new leaves it where it is', () => {
  const standing = advance(at(5), { xmin: 10, nextXid: 20, seqs: [8] })
  expect(advance(standing, { xmin: 30, nextXid: 30, seqs: [] })).toEqual(standing)
})

/**
 * Writers in steps of any order: each takes an id, draws numbers, then commits or rolls back; the reader looks in between.
 */
test('loses nothing, repeats nothing, keeps the order, whatever the order of draws and commits', () => {
  const step = fc.record({ writer: fc.nat(4), what: fc.constantFrom('draw', 'commit', 'abort', 'look', 'look') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (steps, limit) => {
      let nextXid = 100
      let nextSeq = 1
      const open = new Map<number, { xid: number; seqs: number[] }>()
      const committed: number[] = []
      const read: number[] = []
      let horizon = at(0)
      const look = () => {
        const visible = committed.filter((seq) => seq > horizon.position).sort((a, b) => a - b)
        const xmin = Math.min(nextXid, ...[...open.values()].map((t) => t.xid))
        const after = advance(horizon, { xmin, nextXid, seqs: visible.slice(0, limit) })
        read.push(...visible.filter((seq) => seq <= after.position))
        horizon = after
      }
      for (const { writer, what } of steps) {
        if (what === 'look') look()
        else if (what === 'draw') {
          const own = open.get(writer) ?? { xid: nextXid++, seqs: [] }
          own.seqs.push(nextSeq++)
          open.set(writer, own)
        } else {
          if (what === 'commit') committed.push(...(open.get(writer)?.seqs ?? []))
          open.delete(writer)
        }
      }
      open.clear()
      while (read.length < committed.length) {
        const before = read.length
        look()
        if (read.length === before) break
      }
      expect(read).toEqual([...committed].sort((a, b) => a - b))
    }),
    { numRuns: 2_000 },
  )
})
