/** Why the control plane cannot be built or started, in words for the person at the terminal. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError'
}
