/** Where two JSON values differ, a line each: `conditions[1].reason: "A" here, "B" there`. */
export function differences(here: unknown, there: unknown, at = ''): readonly string[] {
  if (Object.is(here, there)) return []
  if (isRecord(here) && isRecord(there)) {
    const names = [...new Set([...Object.keys(here), ...Object.keys(there)])]
    return names.flatMap((name) => differences(here[name], there[name], at === '' ? name : `${at}.${name}`))
  }
  if (Array.isArray(here) && Array.isArray(there)) {
    const length = Math.max(here.length, there.length)
    return Array.from({ length }, (_, i) => i).flatMap((i) => differences(here[i], there[i], `${at}[${i}]`))
  }
  return [`${at}: ${JSON.stringify(here)} here, ${JSON.stringify(there)} there`]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
