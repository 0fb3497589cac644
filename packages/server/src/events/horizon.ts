/**
 * Up to which number the event log is final. Numbers are drawn before their transactions commit, so a row may appear
 * below one that has been seen already. Everything up to `position` is settled: each number is a row that can be read, or
 * was rolled back and never comes.
 */
export type Horizon = {
  readonly position: number
  /** How far to go on, and when; in ascending order of both. Empty unless a number is missing. */
  readonly marks: readonly Mark[]
}

/** Once no transaction with an id below `until` is running, no number up to `through` can appear any more. */
export type Mark = { readonly through: number; readonly until: number }

/** What one statement saw: its own snapshot and the numbers that it could read. */
export type Look = {
  /** The lowest transaction id that was still running. */
  readonly xmin: number
  /**
   * The next id that nobody had. Not the snapshot's xmax, which is one past the highest *completed* id: a transaction that
   * is running may lie above it, and its events would be lost.
   */
  readonly nextXid: number
  /** The first numbers beyond the position, ascending. */
  readonly seqs: readonly number[]
}

/** Each look at a missing number leaves a mark, up to so many. */
const maxMarks = 64

/**
 * The horizon after a look. Goes on over numbers without a gap. At a gap it stands until every transaction that could own
 * a missing number has ended: those that drew a number below the highest seen had an id by then (an event's transaction
 * takes its id before it draws), so all of them lie below `nextXid`.
 */
export function advance(horizon: Horizon, look: Look): Horizon {
  const last = look.seqs.at(-1)
  if (last === undefined) return horizon
  const marks = [...horizon.marks]
  const newest = marks.at(-1)
  if ((newest === undefined || last > newest.through) && marks.length < maxMarks)
    marks.push({ through: last, until: look.nextXid })
  const settled = marks.filter((mark) => look.xmin >= mark.until).at(-1)?.through ?? 0
  let position = Math.max(horizon.position, Math.min(settled, last))
  for (const seq of look.seqs) {
    if (seq > position + 1) break
    if (seq === position + 1) position = seq
  }
  return { position, marks: position === last ? [] : marks.filter((mark) => mark.through > position) }
}
