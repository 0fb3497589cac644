/**
 * A set of fields, as `managedFields` writes it (FieldsV1): a tree whose steps are `f:name`, `k:{"name":"a"}` for an item
 * with keys and `v:"x"` for an item that is its own key.
 */
export class FieldSet {
  /** Whether the field at this place itself is in the set, apart from what is below it. */
  member = false
  readonly children = new Map<string, FieldSet>()

  static parse(fields: unknown): FieldSet {
    const set = new FieldSet()
    if (typeof fields !== 'object' || fields === null) return set
    for (const [step, below] of Object.entries(fields)) {
      if (step === '.') {
        set.member = true
        continue
      }
      const child = FieldSet.parse(below)
      // `{}` is the field itself; what is below it says with a dot that it is there too.
      if (child.children.size === 0) child.member = true
      set.children.set(step, child)
    }
    return set
  }

  /** FieldsV1, steps in order. */
  print(): Readonly<Record<string, unknown>> {
    const steps = [...this.children.keys()].sort()
    const below = steps.map((step) => {
      const child = this.children.get(step) as FieldSet
      const printed = child.print()
      return [step, child.member && child.children.size > 0 ? { '.': {}, ...printed } : printed]
    })
    return Object.fromEntries(below)
  }

  get isEmpty(): boolean {
    return !this.member && this.children.size === 0
  }

  insert(path: readonly string[]): void {
    let at: FieldSet = this
    for (const step of path) at = at.childOrNew(step)
    at.member = true
  }

  childOrNew(step: string): FieldSet {
    let child = this.children.get(step)
    if (child === undefined) {
      child = new FieldSet()
      this.children.set(step, child)
    }
    return child
  }

  union(other: FieldSet): FieldSet {
    const result = new FieldSet()
    result.member = this.member || other.member
    for (const [step, child] of this.children) {
      const second = other.children.get(step)
      result.children.set(step, second === undefined ? child : child.union(second))
    }
    for (const [step, child] of other.children) if (!this.children.has(step)) result.children.set(step, child)
    return result
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet()
    result.member = this.member && other.member
    for (const [step, child] of this.children) {
      const second = other.children.get(step)
      if (second === undefined) continue
      const both = child.intersection(second)
      if (!both.isEmpty) result.children.set(step, both)
    }
    return result
  }

  difference(other: FieldSet): FieldSet {
    const result = new FieldSet()
    result.member = this.member && !other.member
    for (const [step, child] of this.children) {
      const second = other.children.get(step)
      const rest = second === undefined ? child : child.difference(second)
      if (!rest.isEmpty) result.children.set(step, rest)
    }
    return result
  }

  /** Without these fields and all that is below them. */
  without(...paths: readonly (readonly string[])[]): FieldSet {
    const result = new FieldSet()
    result.member = this.member
    for (const [step, child] of this.children) {
      const deeper = paths.filter((path) => path[0] === step).map((path) => path.slice(1))
      if (deeper.some((path) => path.length === 0)) continue
      const rest = deeper.length === 0 ? child : child.without(...deeper)
      if (!rest.isEmpty) result.children.set(step, rest)
    }
    return result
  }

  /** The paths of the members: those of a place first, then what is below them. */
  *paths(prefix = ''): Generator<string> {
    const steps = [...this.children.keys()].sort()
    for (const step of steps) if (this.children.get(step)?.member === true) yield prefix + pathStep(step)
    for (const step of steps) yield* (this.children.get(step) as FieldSet).paths(prefix + pathStep(step))
  }
}

/** `.image`, `[name="a"]`, `[="x"]`: a step as messages show it. */
export function pathStep(step: string): string {
  const text = step.slice(2)
  if (step.startsWith('f:')) return `.${text}`
  if (step.startsWith('v:')) return `[=${text}]`
  const keys = Object.entries(JSON.parse(text) as Record<string, unknown>)
  return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
}
