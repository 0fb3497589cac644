/** kube-apiserver's alphabet for generated names: no vowels, no look-alikes. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const LONGEST_BASE = 58

/** A name for `generateName`: at most 63 characters, five of them random. `random` gives numbers in [0, 1). */
export function generatedName(base: string, random: () => number): string {
  let suffix = ''
  for (let i = 0; i < 5; i += 1) suffix += ALPHABET[Math.floor(random() * ALPHABET.length)]
  return base.slice(0, LONGEST_BASE) + suffix
}
