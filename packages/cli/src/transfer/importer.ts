import { createHash } from 'node:crypto'
import type { Api } from './api.ts'
import { fitsInto, type Item } from './batch.ts'
import { Directory } from './directory.ts'
import { findBusiness } from './exporter.ts'
import { type Data, describe, differences, givenMembers, type Line, parseLine } from './line.ts'
import { Planner } from './planner.ts'
import { BadLine, Refusal, TransferProblem } from './problems.ts'
import { number } from './progress.ts'
import type { TextLine } from './read-lines.ts'
import { type OnDuplicate, Writer } from './writer.ts'

/** How far an import has come, and what it has to know when it goes on. */
export type ImportState = {
  readonly line: number
  readonly end: number
  /** The last line that is done: where it begins, and what it is. */
  readonly last: { readonly start: number; readonly bytes: number; readonly hash: string }
  readonly business: number
  readonly businessName: string
  readonly owners: readonly (readonly [uid: string, owner: string])[]
  /** Lines by type. */
  readonly seen: Readonly<Record<string, number>>
  readonly counts: Counts
  readonly bad: number
}
type Act = 'created' | 'updated' | 'left'
type Counts = Readonly<Record<string, Readonly<Partial<Record<Act, number>>>>>

export type ImporterOptions = {
  readonly api: Api
  readonly biz?: string | undefined
  readonly onDuplicate: OnDuplicate
  readonly dryRun: boolean
  /** A dry run's changes, each in words. */
  readonly onChange: (text: string) => void
  /** Given: bad lines are told and left out. Else the first one ends the import. */
  readonly onBadLine: ((line: number, what: string) => void) | undefined
  /** After everything up to a line is done. */
  readonly onWritten: (state: ImportState & { readonly section: string; readonly rows: number }) => Promise<void>
  readonly signal: AbortSignal
}

/** Goes through the lines of an export, in calls of many rows; one call is in flight at a time. */
export class Importer {
  readonly #options: ImporterOptions
  #directory: Directory | undefined
  #businessName = ''
  #done = { line: 0, end: 0 }
  #seen: Record<string, number> = {}
  #counts: Record<string, Partial<Record<Act, number>>> = {}
  #isWhole = false
  #bad = 0

  constructor(options: ImporterOptions) {
    this.#options = options
  }

  /** Lines that were left out. */
  get bad(): number {
    return this.#bad
  }

  /** `saved`: where the lines begin, when not at the file's beginning. */
  async run(lines: AsyncIterable<TextLine>, saved?: ImportState): Promise<void> {
    if (saved !== undefined) this.#restore(saved)
    let batch: Item[] = []
    for await (const read of lines) {
      this.#options.signal.throwIfAborted()
      const value = await this.#attempt(read.line, async () => this.#parse(read))
      const item = value !== undefined && isRow(value) ? { ...read, value } : undefined
      if (item === undefined || !fitsInto(batch, item)) {
        await this.#flush(batch)
        batch = []
      }
      if (item !== undefined) batch.push(item)
      else if (value !== undefined) await this.#attempt(read.line, () => this.#aside(value, read))
      if (value !== undefined && value.type !== 'podyard-export' && value.type !== 'end')
        this.#seen[value.type] = (this.#seen[value.type] ?? 0) + 1
    }
    await this.#flush(batch)
    if (!this.#isWhole)
      throw new TransferProblem(
        'the file ends without its last line: its export was not finished. What is in it was imported; finish the export, and import again',
      )
  }

  #restore(saved: ImportState): void {
    this.#businessName = saved.businessName
    this.#directory = new Directory(this.#options.api, saved.business, new Map(saved.owners), false)
    this.#done = saved
    this.#seen = { ...saved.seen }
    this.#counts = { ...saved.counts }
    this.#bad = saved.bad
  }

  #parse({ line, text }: TextLine): Line {
    const value = parseLine(text)
    if ('problem' in value) throw new BadLine(line, value.problem)
    if (this.#isWhole) throw new BadLine(line, 'there must be nothing after the line of type "end"')
    if ((line === 1) !== (value.type === 'podyard-export'))
      throw new TransferProblem(
        `line ${line}: ${line === 1 ? 'this is no file of podyard export (of a version that this Podyard reads)' : 'a second file begins: import one at a time'}`,
      )
    return value
  }

  /** The lines that are no rows of a list. */
  async #aside(value: Line, { line }: TextLine): Promise<void> {
    if (value.type === 'podyard-export') this.#businessName = value.business
    if (value.type === 'business') await this.#business(value.data, line)
    if (value.type === 'end') {
      this.#isWhole = true
      const wrong = Object.keys({ ...this.#seen, ...value.counts }).find(
        (type) => (this.#seen[type] ?? 0) !== (value.counts[type] ?? 0),
      )
      if (wrong !== undefined && this.#bad === 0)
        throw new BadLine(
          line,
          `the file should have ${value.counts[wrong] ?? 0} lines of type ${wrong}, and had ${this.#seen[wrong] ?? 0}: it was changed, or lost lines`,
        )
    }
  }

  async #business(data: Data, line: number): Promise<void> {
    const { api, biz, dryRun, onDuplicate } = this.#options
    const name = biz ?? this.#businessName
    const stored = await findBusiness(api, name).catch((error: unknown) => {
      if (error instanceof TransferProblem && biz === undefined) return undefined
      throw error
    })
    let id = Number(stored?.bk_biz_id ?? 0)
    const changes =
      stored === undefined || biz !== undefined || onDuplicate !== 'update'
        ? []
        : differences({ ...data, time_zone: stored.time_zone }, givenMembers(stored))
    const act = stored === undefined ? 'created' : changes.length > 0 ? 'updated' : 'left'
    try {
      if (!dryRun && act === 'created') id = Number((await api.call<Data>('POST', '/biz/0', data)).bk_biz_id)
      if (!dryRun && act === 'updated')
        await api.call('PUT', `/biz/0/${id}`, Object.fromEntries(changes.map((member) => [member, data[member]])))
    } catch (error) {
      if (error instanceof Refusal) throw new BadLine(line, `business ${name}: ${error.message} (${error.code})`)
      throw error
    }
    if (act !== 'left')
      this.#options.onChange(
        `${act === 'created' ? 'create' : 'update'} business ${name}${changes.length > 0 ? ` (${changes.join(', ')})` : ''}`,
      )
    this.#count('business', act, 1)
    this.#directory = new Directory(api, id, this.#directory?.owners ?? new Map(), dryRun)
  }

  /** Does a batch, and says that all is done up to its last line. */
  async #flush(batch: readonly Item[]): Promise<void> {
    const last = batch.at(-1)
    if (last === undefined) return
    await this.#write(batch)
    this.#done = last
    const directory = this.#known()
    const { line, end } = this.#done
    await this.#options.onWritten({
      line,
      end,
      last: { start: last.start, bytes: last.bytes, hash: hashOf(last.text) },
      business: directory.business,
      businessName: this.#businessName,
      owners: [...directory.owners],
      seen: this.#seen,
      counts: this.#counts,
      bad: this.#bad,
      section: last.value.type,
      rows: Object.values(this.#seen).reduce((sum, one) => sum + one, 0),
    })
  }

  async #write(batch: readonly Item[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    const { type } = first.value
    try {
      const directory = this.#known()
      if (this.#options.dryRun) {
        for (const { item, act, members } of await new Planner(directory, this.#options.onDuplicate).plan(batch)) {
          this.#count(type, act === 'leave' ? 'left' : `${act}d`, 1)
          if (act !== 'leave')
            this.#options.onChange(
              `${act} ${describe(item.value)}${members.length > 0 ? ` (${members.join(', ')})` : ''}`,
            )
        }
        return
      }
      const { created, updated, skipped } = await new Writer(
        this.#options.api,
        directory,
        this.#options.onDuplicate,
      ).write(batch)
      this.#count(type, 'created', created)
      this.#count(type, 'updated', updated)
      this.#count(type, 'left', skipped)
    } catch (error) {
      if (this.#options.onBadLine === undefined || !(error instanceof BadLine || error instanceof Refusal)) throw error
      // Nothing of the batch was done. Without its bad line the rest may pass; who is at fault is found by halving.
      const bad =
        batch.length === 1 ? first : batch.find((item) => error instanceof BadLine && item.line === error.line)
      if (bad !== undefined) {
        this.#leaveOut(bad.line, error.message)
        return this.#write(batch.filter((item) => item !== bad))
      }
      const half = Math.ceil(batch.length / 2)
      await this.#write(batch.slice(0, half))
      await this.#write(batch.slice(half))
    }
  }

  #known(): Directory {
    if (this.#directory === undefined)
      throw new TransferProblem('line 2 must be of type "business": this is no whole file of podyard export')
    return this.#directory
  }

  async #attempt<T>(line: number, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (this.#options.onBadLine === undefined || !(error instanceof BadLine)) throw error
      this.#leaveOut(line, error.message)
      return undefined
    }
  }

  #leaveOut(line: number, what: string): void {
    this.#bad += 1
    this.#options.onBadLine?.(line, what)
  }

  #count(type: string, act: Act, rows: number): void {
    if (rows === 0) return
    const counts = { ...this.#counts[type] }
    counts[act] = (counts[act] ?? 0) + rows
    this.#counts[type] = counts
  }

  /** What was done, or would be: a line per type. */
  report(): string {
    const words: Readonly<Record<Act, string>> = this.#options.dryRun
      ? { created: 'would be created', updated: 'would be updated', left: 'would stay as they are' }
      : { created: 'created', updated: 'updated', left: 'left as they were' }
    return Object.entries(this.#counts)
      .map(([type, counts]) => {
        const parts = (['created', 'updated', 'left'] as const).flatMap((act) => {
          const rows = counts[act] ?? 0
          return rows === 0 ? [] : [`${number(rows)} ${words[act]}`]
        })
        return `${`${type}:`.padEnd(11)}${parts.join(', ')}\n`
      })
      .join('')
  }

  /** An error as the terminal shall see it: with the line, and what to do. */
  explain(error: unknown, path: string): unknown {
    const again = `everything before line ${number(this.#done.line + 1)} is done; put it right and run the same command again, or leave such lines out with --keep-going`
    if (error instanceof BadLine) return new TransferProblem(`${path}:${error.line}: ${error.message}\n  ${again}`)
    if (error instanceof Refusal) {
      const after = `after line ${number(this.#done.line)}`
      return new TransferProblem(`${path}: the server refused the rows ${after}: ${error.words()}\n  ${again}`)
    }
    return error
  }
}

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const isRow = (line: Line): line is Item['value'] =>
  line.type !== 'podyard-export' && line.type !== 'business' && line.type !== 'end'
