import { badRequest } from '../store/refusals.ts'
import { labelValueProblems, qualifiedNameProblems } from '../validation/names.ts'

export type Labels = Readonly<Record<string, string>>

export type Requirement = {
  readonly key: string
  readonly operator: '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt'
  readonly values: readonly string[]
}

type Token = { readonly kind: 'word' | 'sign' | 'end'; readonly text: string }

/** `labelSelector` of a request: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>5`. Throws the API server's 400. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const tokens = tokenize(text)
  let at = 0
  const look = (): Token => tokens[at] ?? { kind: 'end', text: '' }
  const take = (): Token => {
    const token = look()
    at += 1
    return token
  }
  const requirements: Requirement[] = []
  if (look().kind === 'end') return requirements
  for (;;) {
    const token = look()
    if (token.kind === 'end') return requirements
    if (token.kind === 'sign' && token.text !== '!') {
      throw badRequest(`found '${token.text}', expected: !, identifier, or 'end of string'`)
    }
    requirements.push(parseRequirement(look, take))
    const after = take()
    if (after.kind === 'end') return requirements
    if (after.text !== ',') throw badRequest(`found '${after.text}', expected: ',' or 'end of string'`)
    const next = look()
    if (next.kind !== 'word' && next.text !== '!') {
      throw badRequest(`found '${next.text}', expected: identifier after ','`)
    }
  }
}

/** Whether labels fulfil every requirement. */
export function matchesLabels(requirements: readonly Requirement[], labels: Labels | undefined): boolean {
  return requirements.every((requirement) => fulfils(requirement, labels ?? {}))
}

function fulfils({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case '=':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false
      const bound = Number(values[0])
      return operator === 'gt' ? Number(value) > bound : Number(value) < bound
    }
  }
}

function parseRequirement(look: () => Token, take: () => Token): Requirement {
  const absent = look().text === '!' && look().kind === 'sign'
  if (absent) take()
  const name = take()
  if (name.kind !== 'word') throw unparsed(`found '${name.text}', expected: identifier`)
  checkKey(name.text)
  if (absent) return { key: name.text, operator: '!', values: [] }
  if (look().kind === 'end' || look().text === ',') return { key: name.text, operator: 'exists', values: [] }
  const operator = take()
  switch (operator.text) {
    case '=':
    case '==':
    case '!=':
      return checked(name.text, operator.text === '!=' ? '!=' : '=', [singleValue(look, take)])
    case '>':
    case '<': {
      const value = singleValue(look, take)
      if (!/^[+-]?\d+$/.test(value)) {
        throw unparsed(
          `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        )
      }
      return { key: name.text, operator: operator.text === '>' ? 'gt' : 'lt', values: [value] }
    }
    case 'in':
    case 'notin':
      return checked(name.text, operator.text, valueSet(look, take))
    default:
      throw unparsed(`found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`)
  }
}

function singleValue(look: () => Token, take: () => Token): string {
  const token = look()
  if (token.kind === 'end' || token.text === ',') return ''
  take()
  if (token.kind !== 'word') throw unparsed(`found '${token.text}', expected: identifier`)
  return token.text
}

function valueSet(look: () => Token, take: () => Token): readonly string[] {
  const open = take()
  if (open.text !== '(') throw unparsed(`found '${open.text}' expected: '('`)
  const values: string[] = []
  let wantsValue = true
  for (;;) {
    const token = take()
    if (token.kind === 'word') {
      if (!wantsValue) throw unparsed(`found '${token.text}', expected: ',' or ')'`)
      values.push(token.text)
      wantsValue = false
      // The real parser names both signs when the set is never closed.
      if (look().kind === 'end') throw unparsed("found '', expected: ',' or ')'")
    } else if (token.text === ',') {
      // A comma without a value before it stands for the empty value.
      if (wantsValue) values.push('')
      wantsValue = true
    } else if (token.text === ')') {
      if (wantsValue) values.push('')
      return [...new Set(values)].sort()
    } else {
      throw unparsed(`found '${token.text}', expected: ',', ')' or identifier`)
    }
  }
}

function checked(key: string, operator: Requirement['operator'], values: readonly string[]): Requirement {
  values.forEach((value, index) => {
    const [problem] = labelValueProblems(value)
    if (problem !== undefined) {
      throw unparsed(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${problem}`)
    }
  })
  return { key, operator, values }
}

function checkKey(key: string): void {
  const [problem] = qualifiedNameProblems(key)
  if (problem !== undefined) throw unparsed(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problem}`)
}

function unparsed(reason: string) {
  return badRequest(`unable to parse requirement: ${reason}`)
}

const SIGNS = '=!(),<>'

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const character = text[at] as string
    if (/\s/.test(character)) {
      at += 1
    } else if (SIGNS.includes(character)) {
      const two = text.slice(at, at + 2)
      const sign = two === '==' || two === '!=' ? two : character
      tokens.push({ kind: 'sign', text: sign })
      at += sign.length
    } else {
      let end = at
      while (end < text.length && !SIGNS.includes(text[end] as string) && !/\s/.test(text[end] as string)) end += 1
      tokens.push({ kind: 'word', text: text.slice(at, end) })
      at = end
    }
  }
  return tokens
}
