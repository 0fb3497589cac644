import { expect, test } from 'vitest'
import { openSibling } from '../src/store/sibling-database.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()

test('connections of one’s own have settings of their own, beside those that all have', async () => {
  const sibling = openSibling(t.db, {
    max: 1,
    session: '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off',
  })
  try {
    const settings = await sibling.query(
      `select current_setting('plan_cache_mode') as plan, current_setting('enable_seqscan') as seqscan,
        current_database() as database`,
    )
    expect(settings).toEqual([{ plan: 'force_generic_plan', seqscan: 'off', database: t.name }])
    expect(await t.db.query(`select current_setting('plan_cache_mode') as plan`)).toEqual([{ plan: 'auto' }])
  } finally {
    await sibling.close()
  }
})
