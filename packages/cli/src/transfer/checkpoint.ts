import { readFile, rename, rm, writeFile } from 'node:fs/promises'

/** What has been done of a transfer, kept in a file beside the data's until it is finished. */
export type CheckpointFile<State> = {
  /** Undefined: there is none, or none that can be read. */
  read(): Promise<State | undefined>
  /** Whole or not at all, whatever ends the process. */
  write(state: State): Promise<void>
  remove(): Promise<void>
}

export function checkpointFile<State extends object>(path: string): CheckpointFile<State> {
  const draft = `${path}.new`
  return {
    async read() {
      const text = await readFile(path, 'utf8').catch(() => undefined)
      try {
        return text === undefined ? undefined : (JSON.parse(text) as State)
      } catch {
        return undefined
      }
    },
    async write(state) {
      await writeFile(draft, JSON.stringify(state))
      await rename(draft, path)
    },
    async remove() {
      await rm(path, { force: true })
      await rm(draft, { force: true })
    },
  }
}
