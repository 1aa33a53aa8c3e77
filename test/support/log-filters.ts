import {
  lineFilter,
  type FilterWish,
  type LineFilter,
} from '../../services/logplex/tails/line-filter.ts'
import { tailLimits } from '../../services/logplex/tails/limits.ts'
import { createPatterns } from '../../services/logplex/tails/pattern.ts'
import { newId, type AppId } from '#lib/ids.ts'

/** The filters of a log session that shows every line. */
export const everyLine: FilterWish = {
  ...{ source: '', dyno: '', match: '', pattern: '' },
  ...{ sinceMs: undefined, untilMs: undefined },
}

/** A filter with these wishes, whose pattern has all the time that an app's tails have. */
export function filterOf(wish: Partial<FilterWish> = {}): LineFilter {
  const testOf = createPatterns(tailLimits)
  const appId = newId<AppId>()
  return lineFilter({ ...everyLine, ...wish }, (pattern) => testOf(appId, pattern))
}
