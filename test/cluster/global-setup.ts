import type { TestProject } from 'vitest/node'
import { startControlPlane } from '../control-plane/start.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** For `attachControlPlane`. */
    controlPlaneRunDir: string
  }
}

/**
 * One control plane with three nodes for the whole run; nothing of it survives, even when the run is killed. Test files
 * take it by `attachControlPlane(inject('controlPlaneRunDir'))` and work in namespaces of their own; who needs to ruin
 * one starts another.
 */
export default async function setup(project: TestProject) {
  const controlPlane = await startControlPlane({ nodes: 3, progress: (line) => process.stderr.write(`${line}\n`) })
  project.provide('controlPlaneRunDir', controlPlane.runDir)
  return () => controlPlane.stop()
}
