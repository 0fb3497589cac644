/**
 * Why a text is no JSON, in the words of Go's encoding/json, which clients of a kube-apiserver see. Only called for
 * texts that JSON.parse refused.
 */
export function goJsonProblem(text: string): string {
  const scanner = new Scanner(text)
  return scanner.problem() ?? 'unexpected end of JSON input'
}

class Problem extends Error {}

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  problem(): string | undefined {
    try {
      this.#value('looking for beginning of value')
      this.#space()
      if (this.#at < this.#text.length) this.#fail('after top-level value')
      return undefined
    } catch (error) {
      if (error instanceof Problem) return error.message
      throw error
    }
  }

  #fail(context: string): never {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)
    const shown = character === "'" ? "'\\''" : character === '"' ? "'\"'" : quoted(character)
    throw new Problem(`invalid character ${shown} ${context}`)
  }

  #peek(): string {
    if (this.#at >= this.#text.length) throw new Problem('unexpected end of JSON input')
    return this.#text[this.#at] as string
  }

  #space(): void {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text[this.#at] as string)) this.#at += 1
  }

  #value(context: string): void {
    this.#space()
    const character = this.#peek()
    if (character === '{') this.#object()
    else if (character === '[') this.#array()
    else if (character === '"') this.#string()
    else if (character === 't') this.#literal('true')
    else if (character === 'f') this.#literal('false')
    else if (character === 'n') this.#literal('null')
    else if (character === '-' || isDigit(character)) this.#number()
    else this.#fail(context)
  }

  #object(): void {
    this.#at += 1
    this.#space()
    if (this.#peek() === '}') {
      this.#at += 1
      return
    }
    for (;;) {
      this.#space()
      if (this.#peek() !== '"') this.#fail('looking for beginning of object key string')
      this.#string()
      this.#space()
      if (this.#peek() !== ':') this.#fail('after object key')
      this.#at += 1
      this.#value('looking for beginning of value')
      this.#space()
      const next = this.#peek()
      if (next !== ',' && next !== '}') this.#fail('after object key:value pair')
      this.#at += 1
      if (next === '}') return
    }
  }

  #array(): void {
    this.#at += 1
    this.#space()
    if (this.#peek() === ']') {
      this.#at += 1
      return
    }
    for (;;) {
      this.#value('looking for beginning of value')
      this.#space()
      const next = this.#peek()
      if (next !== ',' && next !== ']') this.#fail('after array element')
      this.#at += 1
      if (next === ']') return
    }
  }

  #string(): void {
    this.#at += 1
    for (;;) {
      const character = this.#peek()
      if (character === '"') {
        this.#at += 1
        return
      }
      if (character < ' ') this.#fail('in string literal')
      this.#at += 1
      if (character !== '\\') continue
      const escaped = this.#peek()
      if (!'"\\/bfnrtu'.includes(escaped)) this.#fail('in string escape code')
      this.#at += 1
      if (escaped !== 'u') continue
      for (let i = 0; i < 4; i += 1) {
        if (!/[0-9a-fA-F]/.test(this.#peek())) this.#fail('in \\u hexadecimal character escape')
        this.#at += 1
      }
    }
  }

  #literal(word: string): void {
    this.#at += 1
    for (const letter of word.slice(1)) {
      if (this.#peek() !== letter) this.#fail(`in literal ${word} (expecting ${quoted(letter)})`)
      this.#at += 1
    }
  }

  #number(): void {
    if (this.#peek() === '-') {
      this.#at += 1
      if (!isDigit(this.#peek())) this.#fail('in numeric literal')
    }
    if (this.#peek() === '0') this.#at += 1
    else this.#digits()
    if (this.#text[this.#at] === '.') {
      this.#at += 1
      if (!isDigit(this.#peek())) this.#fail('after decimal point in numeric literal')
      this.#digits()
    }
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') {
      this.#at += 1
      if (this.#peek() === '+' || this.#peek() === '-') this.#at += 1
      if (!isDigit(this.#peek())) this.#fail('in exponent of numeric literal')
      this.#digits()
    }
  }

  #digits(): void {
    while (this.#at < this.#text.length && isDigit(this.#text[this.#at] as string)) this.#at += 1
  }
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9'
}

/** A character as Go's %q prints it. */
function quoted(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const known: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }
  if (known[character] !== undefined) return `'${known[character]}'`
  if (code < 32 || code === 127) return `'\\x${code.toString(16).padStart(2, '0')}'`
  return `'${character}'`
}
