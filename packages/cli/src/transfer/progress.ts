/** Where a transfer's progress is shown: a bar on a terminal, nothing elsewhere. */
export type Terminal = {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

const everyMs = 100

/** One line that is drawn over and over. `now` in milliseconds. */
export class Progress {
  readonly #terminal: Terminal
  readonly #now: () => number
  readonly #startedAt: number
  #drawnAt = Number.NEGATIVE_INFINITY
  #isDrawn = false

  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
    this.#startedAt = now()
  }

  /** `done` of `total` in any unit; `rows` so far. */
  show(label: string, done: number, total: number, rows: number): void {
    const now = this.#now()
    if (this.#terminal.isTTY !== true || now - this.#drawnAt < everyMs) return
    this.#drawnAt = now
    this.#isDrawn = true
    const text = barText(label, done, total, rows, (now - this.#startedAt) / 1000, this.#terminal.columns ?? 80)
    this.#terminal.write(`\r${text}\u001b[K`)
  }

  /** Takes the bar away: whatever else is written begins at a clean line. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write('\r\u001b[K')
    this.#isDrawn = false
  }
}

/** `pods [#####-----]  52 %  520,000 rows  8,400/s  1:02 left` */
export function barText(
  label: string,
  done: number,
  total: number,
  rows: number,
  seconds: number,
  columns: number,
): string {
  const share = total > 0 ? Math.min(1, done / total) : 0
  const rate = seconds > 0 ? Math.round(rows / seconds) : 0
  const left = share > 0.01 && seconds > 1 ? `  ${clock((seconds / share) * (1 - share))} left` : ''
  const facts = `${String(Math.floor(share * 100)).padStart(3)} %  ${number(rows)} rows  ${number(rate)}/s${left}`
  const width = Math.max(0, Math.min(40, columns - label.length - facts.length - 6))
  const filled = Math.round(share * width)
  return `${label} [${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${facts}`.slice(0, Math.max(10, columns - 1))
}

export const number = (value: number) => value.toLocaleString('en-US')

function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  const rest = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
