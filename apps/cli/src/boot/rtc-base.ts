/** `-rtc base=`: the date and time at power-on. */
import type { BootOptions } from '@smm/machine';
import { UsageError } from '../usage-error.ts';

/** `2026-01-31` or `2026-01-31T12:00:00`, UTC. Throws `UsageError` for what is no date. */
export function dateOf(text: string): NonNullable<BootOptions['startTime']> {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:T(\d{1,2}):(\d{1,2}):(\d{1,2}))?$/.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (match ?? [])
    .slice(1)
    .map((part) => Number(part ?? 0));
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const same =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (match === null || !same) {
    throw new UsageError(`-rtc base=${text} is not a date`, 'Write -rtc base=2026-01-31T12:00:00.');
  }
  return { year, month, day, hour, minute, second };
}
