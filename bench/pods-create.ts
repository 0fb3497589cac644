import { podLevel } from './inventory-levels.ts'
import { onStage } from './inventory-stage.ts'
import { measureLevels } from './inventory-write.ts'
import type { Bench } from './report.ts'

/** The level of the pods alone: see `inventory-write`. */
export const bench: Bench = {
  describe: 'batches of 200 pods over HTTP beside bare SQL that writes the same rows; empty and with a million pods',
  run: (options) => onStage(8, (stage) => measureLevels(options, stage, [podLevel])),
}
