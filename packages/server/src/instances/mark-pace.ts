/**
 * Marks on pods follow the answers, and must not slow them: a patch costs this process twice what a claim costs it. While
 * claims come thick (300 at once, a peak) patches go out one by one with a rest between them, else as many as may be.
 *
 * Measured on two cores: docs/adr/0010.
 */
export type MarkPace = {
  /** A claim was answered. */
  claimed(): void
  isBurst(): boolean
}

const windowMs = 50
/** Claims within a window from which on it is a burst: 1,000 a second. */
const burstClaims = 50

/** @param now milliseconds of a clock that never goes back */
export function createMarkPace(now: () => number = () => performance.now()): MarkPace {
  let windowAt = now()
  let claims = 0
  let burstUntil = Number.NEGATIVE_INFINITY
  return {
    claimed() {
      const at = now()
      if (at - windowAt >= windowMs) {
        windowAt = at
        claims = 0
      }
      claims += 1
      if (claims >= burstClaims) burstUntil = at + windowMs
    },
    isBurst: () => now() < burstUntil,
  }
}
