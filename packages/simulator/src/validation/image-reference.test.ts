import { expect, test } from 'vitest'
import { parseImage } from './image-reference.ts'

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`

test.each([
  ['app', 'docker.io/library/app', 'latest', ''],
  ['app:1', 'docker.io/library/app', '1', ''],
  ['team/app', 'docker.io/team/app', 'latest', ''],
  ['localhost/app', 'localhost/app', 'latest', ''],
  ['registry.example:5000/a/b_c:V1', 'registry.example:5000/a/b_c', 'V1', ''],
  ['index.docker.io/app', 'docker.io/library/app', 'latest', ''],
  [`app@${digest}`, 'docker.io/library/app', '', digest],
  [`app:1@${digest}`, 'docker.io/library/app', '1', digest],
  ['[::1]:5000/app', '[::1]:5000/app', 'latest', ''],
])('%s', (image, repository, tag, sum) => {
  expect(parseImage(image)).toEqual({ repository, tag, digest: sum })
})

test.each([
  ['', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  ['app:', 'invalid reference format'],
  ['app::1', 'invalid reference format'],
  ['-app', 'invalid reference format'],
  ['UPPER/Case image!!', 'invalid reference format: repository name (Case image!!) must be lowercase'],
  ['App', 'invalid reference format: repository name (library/App) must be lowercase'],
  ['a'.repeat(64), `invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  [`x/${'a'.repeat(256)}`, 'repository name must not be more than 255 characters'],
  ['app@sha256:0123456789abcdef0123456789abcdef', 'invalid checksum digest length'],
])('%j is refused', (image, problem) => {
  expect(parseImage(image)).toBe(`couldn't parse image name "${image}": ${problem}`)
})
